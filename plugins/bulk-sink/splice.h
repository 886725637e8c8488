/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document as text, and the same without some of its members: what is kept is copied byte for
 * byte. CouchDB writes the names of its own members without escapes, so they are looked for as
 * they are. No memory of its own, no recursion; any thread.
 */
#ifndef BULK_SPLICE_H
#define BULK_SPLICE_H

#include <tailrace/scan.h>

#include <stdbool.h>

enum {
    SPLICE_ID = 1 << 0,
    SPLICE_REV = 1 << 1,
    SPLICE_ATTACHMENTS = 1 << 2,
    SPLICE_DELETED = 1 << 3,
    SPLICE_REVISIONS = 1 << 4
};

enum { SPLICE_CUTS = 16 };

struct splice_cut {
    const char *begin, *next; /* from its key up to the key behind it                     */
    unsigned what;
};

struct splice {
    const char *begin, *end; /* between the braces                                        */
    unsigned has;            /* which of the members there are                            */
    tr_str id, rev, attachments, deleted, revisions; /* raw values                       */
    struct splice_cut cuts[SPLICE_CUTS];
    uint32_t cuts_count;
};

/* Slices of `doc`. False: it is no whole object, or has such members too many times over. */
bool splice_read(tr_str doc, struct splice *ret_splice);

/* Copies the members without those of `without`, and without the braces, to `to`, which has
 * room for all of the document. Returns the length. */
size_t splice_copy(const struct splice *splice, unsigned without, char *to);

/* Whether some attachment is only named: its content is not in the document. */
bool splice_has_stubs(const struct splice *splice);

#endif
