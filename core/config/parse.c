/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libconfig's settings turned into nodes. libconfig only ever sees a string that the scanner
 * has passed, and its object is gone when config_parse() returns. Any thread.
 */
#include "config/parse.h"

#include "config/build.h"
#include "config/scan.h"

#include <libconfig.h>

static struct config_node *convert(const config_setting_t *setting, const char *file,
                                   struct arena *arena);

static enum config_type type_of(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP: return CONFIG_GROUP;
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST: return CONFIG_LIST;
    case CONFIG_TYPE_FLOAT: return CONFIG_FLOAT;
    case CONFIG_TYPE_BOOL: return CONFIG_BOOL;
    case CONFIG_TYPE_STRING: return CONFIG_STRING;
    default: return CONFIG_INT;
    }
}

static void convert_children(const config_setting_t *setting, struct config_node *node,
                             const char *file, struct arena *arena)
{
    struct config_node *last = NULL;
    int count = config_setting_length(setting);

    for (int i = 0; i < count; i++)
        last = config_node_link(
            node, last, convert(config_setting_get_elem(setting, (unsigned)i), file, arena));
}

/* Recursive; the scanner has bounded the depth. */
static struct config_node *convert(const config_setting_t *setting, const char *file,
                                   struct arena *arena)
{
    struct config_node *node = config_node_new(arena, type_of(setting),
                                               str_c(config_setting_name(setting)));

    node->file = file;
    node->line = (int)config_setting_source_line(setting);
    switch (node->type) {
    case CONFIG_GROUP:
    case CONFIG_LIST: convert_children(setting, node, file, arena); break;
    case CONFIG_STRING:
        node->text = arena_str(arena, str_c(config_setting_get_string(setting)));
        break;
    case CONFIG_INT: node->number = config_setting_get_int64(setting); break;
    case CONFIG_FLOAT: node->real = config_setting_get_float(setting); break;
    case CONFIG_BOOL: node->number = config_setting_get_bool(setting) != 0; break;
    }
    return node;
}

/* What the scanner did not find words for. */
static void report(const config_t *parsed, const char *file, struct diags *diags)
{
    const char *text = config_error_text(parsed);
    struct diag *diag;

    if (text && strstr(text, "mismatched element")) {
        diag = diag_add(diags, DIAG_ERROR, file, config_error_line(parsed), NULL,
                        "the items of a [ ] differ in type");
        diag_remedy(diags, diag, "write ( ) around items of several types");
        return;
    }
    diag = diag_add(diags, DIAG_ERROR, file, config_error_line(parsed), NULL,
                    "%s, here or just before", text ? text : "syntax error");
    diag_remedy(diags, diag,
                "settings are name = value; groups name: { … }; lists ( a, b ); look for a "
                "sign too many or too few");
}

int config_parse(tr_str text, const char *file, struct arena *arena, struct diags *diags,
                 struct config_node **ret_root)
{
    struct buf clean = {0};
    config_t parsed;
    int rc;

    config_init(&parsed);
    rc = config_scan(text, file, diags, &clean);
    if (rc < 0)
        goto out;
    buf_reserve(&clean, 1)[0] = '\0';
    if (config_read_string(&parsed, clean.ptr) != CONFIG_TRUE) {
        report(&parsed, file, diags);
        rc = ERR_CONFIG;
        goto out;
    }
    *ret_root = convert(config_root_setting(&parsed), file, arena);
    (*ret_root)->line = 1;
out:
    config_destroy(&parsed);
    buf_fini(&clean);
    return rc;
}
