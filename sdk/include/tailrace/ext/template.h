/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.template/1: text with variables, each value encoded as its place needs.
 *
 * Variables: $change (the document as JSON), $change.id, $change.rev, $change.PATH (a field of
 * the document), $db_name, $seq; each also as ${…}. An unknown variable stays as it is. `$$` is
 * a `$`.
 */
#ifndef TAILRACE_EXT_TEMPLATE_H
#define TAILRACE_EXT_TEMPLATE_H

#include <tailrace/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_TEMPLATE "tr.template/1"

/* Where the text goes, and so how values are encoded. */
enum {
    TR_PLACE_TEXT = 1,   /* as they are                                                     */
    TR_PLACE_URL = 2,    /* percent-encoded; scheme, user and host must hold no variable    */
    TR_PLACE_QUERY = 3,  /* percent-encoded                                                 */
    TR_PLACE_HEADER = 4, /* a control byte in a value is TR_REJECT                          */
    TR_PLACE_JSON = 5    /* a whole variable is raw JSON, one within text is escaped        */
};

/* A compiled template; immutable, so any thread may render it. */
typedef struct tr_template tr_template;

typedef struct tr_template_api {
    uint32_t size;

    /* Compiles `text` (copied). Free with free().                                     [any] */
    tr_status (*compile)(tr_str text, int32_t place, tr_template **ret_template,
                         tr_error *error);
    void (*free)(tr_template *tmpl);

    /* Renders for one change into `buf`; *ret_len is the length it has or would need;
     * TR_EINVAL if that is more than cap. TR_REJECT: a value cannot stand in this place. [any]
     */
    tr_status (*render)(const tr_template *tmpl, const tr_batch *batch, const tr_change *change,
                        char *buf, size_t cap, size_t *ret_len);

    /* 1: no variable in it.                                                           [any] */
    int32_t (*is_constant)(const tr_template *tmpl);

    /* 1: it is one known variable and nothing else.                                   [any] */
    int32_t (*is_variable)(const tr_template *tmpl);
} tr_template_api;

#ifdef __cplusplus
}
#endif

#endif
