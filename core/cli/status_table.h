/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's status document as tables for a person. `status` uses it, and `top` where it has
 * no screen. Main thread.
 */
#ifndef CLI_STATUS_TABLE_H
#define CLI_STATUS_TABLE_H

#include "base/error.h"
#include "base/str.h"

/* `document` as engine/status.c writes it. ERR_DATA, and nothing is printed, when it is of a
 * form that this tailrace does not know. */
int status_print(tr_str document, struct error *error);

#endif
