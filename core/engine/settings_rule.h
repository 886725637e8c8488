/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule of a generation: checked against tailrace's table and its plugin's, and compiled.
 * Called by settings.c and settings_document.c only.
 */
#ifndef ENGINE_SETTINGS_RULE_H
#define ENGINE_SETTINGS_RULE_H

#include "engine/settings.h"

/* Fills the zeroed *rule; mistakes go to `diags`, ERR_CONFIG if there was one. To be given back
 * by settings_rule_fini() in either case. */
int settings_rule_check(struct settings *settings, struct rule_settings *rule,
                        const struct config_node *node, struct diags *diags);
void settings_rule_fini(struct rule_settings *rule);

#endif
