/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups of `rule_documents`: databases whose documents are rules. Called by settings.c
 * only.
 */
#ifndef ENGINE_SETTINGS_DOCUMENTS_H
#define ENGINE_SETTINGS_DOCUMENTS_H

#include "engine/settings.h"

/* Checks the groups, sources are known already. Mistakes go to `diags`, ERR_CONFIG if there was
 * one.
 */
int settings_documents_check(struct settings *settings, struct diags *diags);

#endif
