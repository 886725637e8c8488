/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small parts of the scanner: which bytes may stand in a file, and what a word is.
 *
 * Called by config/scan.c, and where a command writes a configuration. Pure; any thread.
 */
#ifndef CONFIG_SCAN_TEXT_H
#define CONFIG_SCAN_TEXT_H

#include "config/diag.h"

enum scan_kind {
    SCAN_INT,
    SCAN_OTHER_NUMBER, /* a float                                                          */
    SCAN_BOOL,
    SCAN_TOO_LARGE,  /* a number that libconfig would cut off                              */
    SCAN_NOT_A_VALUE /* nothing that libconfig takes for a value                           */
};

/* Refuses NUL bytes and what is not UTF-8, with the line. 0 or ERR_CONFIG. */
int scan_check_bytes(tr_str text, const char *file, struct diags *diags);

/* The word that `text` begins with: letters, digits and "_-+.*"; may be empty. */
tr_str scan_take_word(tr_str text);

/* Whether libconfig takes it for the name of a setting. */
bool scan_is_name(tr_str word);

enum scan_kind scan_word_kind(tr_str word);

#endif
