/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document that is changed without a tree: the functions behind tr.doc/1, which says what
 * each does (tailrace/ext/doc.h).
 *
 * An object is split into its members when something in it is first asked for, and never again,
 * however many hands the document goes through. Members are slices of the text that came in;
 * what is not opened is copied out as one piece. So a pass costs about one reading and one
 * writing of the bytes. A json_doc belongs to one thread; its memory is the arena's. Paths are
 * immutable.
 */
#ifndef JSON_DOC_H
#define JSON_DOC_H

#include "json/value.h"

/* A path, with its steps also as they are written into a document. */
struct json_doc_path {
    struct json_path path;
    tr_str *raw;
};

struct json_doc_node;

struct json_doc {
    tr_str text; /* as it came; empty: there is no document                               */
    struct arena *arena;
    struct json_doc_node *root; /* NULL: not looked at yet                                 */
    bool broken;                /* it is not the object that it should be                  */
    bool changed;
};

/* Into the arena, as json_path_compile(). */
int json_doc_path_compile(tr_str text, struct arena *arena, struct json_doc_path *ret_path,
                          struct error *error);

/* Storage of the caller; there is nothing to give back but the arena. */
void json_doc_init(struct json_doc *doc, tr_str text, struct arena *arena);

/* False: nothing is there. */
bool json_doc_get(struct json_doc *doc, const struct json_doc_path *path, tr_str *ret_raw);

/* False: something on the way is no object. `raw` is copied; it must be json_doc_is_value(). */
bool json_doc_set(struct json_doc *doc, const struct json_doc_path *path, tr_str raw);

/* False: nothing is there, or it is within an array. */
bool json_doc_remove(struct json_doc *doc, const struct json_doc_path *path);

/* False: nothing is at `from`, or something on the way to `to` is no object. */
bool json_doc_rename(struct json_doc *doc, const struct json_doc_path *from,
                     const struct json_doc_path *to);

/* `special`: and members of the document itself whose names begin with an underscore. */
void json_doc_keep(struct json_doc *doc, const struct json_doc_path *const *paths,
                   uint32_t count, bool special);

/* Another document; `raw` is copied, and must be an object that is json_doc_is_value(). */
void json_doc_replace(struct json_doc *doc, tr_str raw);

/* Whether all of it is one value. Not looked into is what stands within its brackets. */
bool json_doc_is_value(tr_str raw);

/* How long it is now; writes it, and says where it ends. */
size_t json_doc_size(const struct json_doc *doc);
char *json_doc_write(const struct json_doc *doc, char *to);

#endif
