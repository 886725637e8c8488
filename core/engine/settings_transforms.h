/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transforms of one rule: each entry checked against tailrace's table and its plugin's.
 * Called by settings_rule.c.
 */
#ifndef ENGINE_SETTINGS_TRANSFORMS_H
#define ENGINE_SETTINGS_TRANSFORMS_H

#include "engine/settings.h"

/* Fills rule->transforms out of the rule's node; mistakes go to `diags`, ERR_CONFIG if there
 * was one. To be given back by settings_transforms_fini() in either case. */
int settings_transforms_check(struct settings *settings, struct rule_settings *rule,
                              struct diags *diags);
void settings_transforms_fini(struct rule_settings *rule);

/* What the plugin's own check() says to options that passed its table; a mistake is reported at
 * `node`. */
int settings_ask_plugin(const struct instance_setup *setup, const struct config_node *node,
                        struct diags *diags);

#endif
