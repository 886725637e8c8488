/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's status document as tables for a person. `status` uses it. Main thread.
 */
#ifndef CLI_STATUS_TABLE_H
#define CLI_STATUS_TABLE_H

#include "base/error.h"
#include "base/str.h"

/* `document` as engine/status.c writes it. `lines` is how many there is room for, so that what
 * matters is not pushed off a screen; 0: any number. ERR_DATA, and nothing is printed, when it
 * is of a form that this tailrace does not know. */
int status_print(tr_str document, int lines, struct error *error);

#endif
