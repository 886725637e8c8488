/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.doc/1: the document of a change in the hands of a rule's transforms.
 *
 * A document is read once, however many transforms follow each other: what none of them touches
 * is never looked at again and arrives byte for byte as the source sent it. Values go in and
 * out as raw JSON. The last of duplicate keys is the one that counts; a change of it drops the
 * others.
 *
 * A tr_doc is valid within transform() only, and so are the slices that come out of it; they
 * stay as they are when the document is changed. All functions that take one are [worker].
 */
#ifndef TAILRACE_EXT_DOC_H
#define TAILRACE_EXT_DOC_H

#include <tailrace/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_EXT_DOC "tr.doc/1"

/* A compiled path: "author.name"; a dot within a key is "\.", a backslash there "\\".
 * Immutable: any thread may use it, and several documents at once. */
typedef struct tr_path tr_path;

/* Bits of keep(). */
enum {
    TR_DOC_KEEP_SPECIAL = 1 << 0 /* and the members whose names begin with `_` (_id, _rev, …) */
};

typedef struct tr_doc_api {
    uint32_t size;

    /* Compiles a path (copied). TR_EINVAL: it is empty or has an empty step.            [any]
     */
    tr_status (*path_new)(tr_str text, tr_path **ret_path, tr_error *error);
    void (*path_free)(tr_path *path);

    /* The value at the path; a step that is a number also goes into an array. TR_ENOENT: there
     * is none, or no document at all. */
    tr_status (*get)(tr_doc *doc, const tr_path *path, tr_str *ret_raw);

    /* Puts a value (copied) there; objects that are missing on the way are made. TR_EINVAL: it
     * is not one JSON value (what stands within its brackets is not looked into). TR_ENOENT:
     * something on the way is there and is no object, or there is no document. */
    tr_status (*set)(tr_doc *doc, const tr_path *path, tr_str raw);

    /* TR_ENOENT: nothing is there, or it is within an array. */
    tr_status (*remove)(tr_doc *doc, const tr_path *path);

    /* Moves a value, over what is at `to`; within one object it keeps its place. TR_ENOENT, and
     * nothing is done: nothing is at `from`, or something on the way to `to` is no object. */
    tr_status (*rename)(tr_doc *doc, const tr_path *from, const tr_path *to);

    /* Keeps what is at the paths, with the objects around it, in the order of the document, and
     * drops all else. */
    tr_status (*keep)(tr_doc *doc, const tr_path *const *paths, uint32_t count, uint32_t flags);

    /* The whole document as it is now; empty: there is none. */
    tr_str (*text)(tr_doc *doc);

    /* Another document in its place (copied). TR_EINVAL: it is not one JSON object. TR_ENOENT:
     * there is none to replace. */
    tr_status (*replace)(tr_doc *doc, tr_str raw);
} tr_doc_api;

#ifdef __cplusplus
}
#endif

#endif
