/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a plugin, declared as a table in its descriptor.
 *
 * The host checks a configuration against the table without starting anything: an unknown key,
 * a wrong type or a value out of range is reported with file and line. `tailrace plugins NAME`
 * prints the same table, and a man page is made from it. Values reach the plugin through
 * tr_host.config_get(), or all at once through tr_bind() of <tailrace/sdk.h>.
 */
#ifndef TAILRACE_OPTION_H
#define TAILRACE_OPTION_H

#include <tailrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* tr_option.type, and tr_value.type. What tr_value carries is named behind each. */
enum {
    TR_TYPE_STRING = 1,   /* s                                                           */
    TR_TYPE_INT = 2,      /* i                                                           */
    TR_TYPE_FLOAT = 3,    /* f                                                           */
    TR_TYPE_BOOL = 4,     /* i: 0 or 1                                                   */
    TR_TYPE_DURATION = 5, /* i: milliseconds; text such as "250ms", "5s", "2m", "1h"     */
    TR_TYPE_SIZE = 6,     /* i: bytes; text such as "64KB", "8MB" (1024s)                */
    TR_TYPE_ENUM = 7,     /* s: the choice; i: its place in `choices`                    */
    TR_TYPE_URL = 8,      /* s: http or https, absolute                                  */
    TR_TYPE_PATH = 9,     /* s: absolute                                                 */
    TR_TYPE_REGEX = 10,   /* s: it compiled as PCRE2                                     */
    TR_TYPE_SECRET = 11,  /* s: resolved from "file:", "env:" or "cred:"; empty in check */
    TR_TYPE_GROUP = 12,   /* i: number of members; s: the name of member `idx`           */
    TR_TYPE_ANY = 13      /* of any type, as it is written: tr_value.type is STRING, INT,
                             FLOAT, BOOL, or GROUP, which a list is too; since 1.1       */
};

/* tr_option.flags */
enum {
    TR_OPTION_REQUIRED = 1 << 0,
    TR_OPTION_LIST = 1 << 1,      /* several values of the type, by `idx`                 */
    TR_OPTION_LIVE = 1 << 2,      /* a reload may change it through configure()           */
    TR_OPTION_SENSITIVE = 1 << 3, /* never shown                                          */
    TR_OPTION_DEPRECATED = 1 << 4,
    TR_OPTION_OPERATOR = 1 << 5 /* only a file sets it, no document of a database         */
};

typedef struct tr_option {
    const char *name;
    uint32_t type, flags;
    const char *dflt; /* as text, parsed exactly as a file's text is; NULL: none         */
    int64_t min, max; /* INT, FLOAT, DURATION, SIZE: bounds, if min < max                */
    const char *const *choices;    /* ENUM: ended by NULL                                    */
    const struct tr_option *group; /* GROUP: its members, ended by a NULL name; NULL: any */
    const char *help;
    size_t offset; /* into the plugin's own struct, read only by tr_bind()                */
} tr_option;

typedef struct tr_value {
    uint32_t size, type;
    int64_t i;
    double f;
    tr_str s; /* valid as long as the tr_config is                                        */
} tr_value;

/* The options of one instance, checked and with defaults filled in; owned by the host, valid
 * until the call that was handed it returns. */
typedef struct tr_config tr_config;

#ifdef __cplusplus
}
#endif

#endif
