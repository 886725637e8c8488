/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of a configuration that a command writes for itself. Main thread.
 */
#ifndef CLI_CONFIG_TEXT_H
#define CLI_CONFIG_TEXT_H

#include "base/buf.h"

/* Appends `text` as a string of the configuration's syntax, with its quotes. */
void config_text_add(struct buf *out, tr_str text);

/* Appends NAME = "TEXT";. Nothing where `text` points nowhere. */
void config_text_member(struct buf *out, const char *name, const char *text);

#endif
