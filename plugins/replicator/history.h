/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a replication's checkpoint, the document `_local/ID` that both ends have, and
 * where to go on by two of them. Pure; any thread.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <tailrace/scan.h>
#include <tailrace/text.h>

#include <stdbool.h>

enum { REPLICATION_ID_HEX = 32, HISTORY_MAX = 50 };

/* A run of a replication, as its history tells of it. */
struct session {
    char id[REPLICATION_ID_HEX + 1];
    char start_time[32], end_time[32]; /* "Thu, 26 Nov 2026 14:49:11 GMT"                  */
    tr_text start_seq;                 /* raw JSON, where it began                          */
    uint64_t read, written, failures, checked, found;
};

/* A name for what is replicated, in hex: of the parts, each with its length. */
void history_name(const tr_str *parts, size_t count, char ret_hex[REPLICATION_ID_HEX + 1]);

/* The time, as HTTP writes it. */
void history_time(int64_t unix_s, char ret_text[32]);

/* The document. `rev` is raw, or empty when there is none yet; `older` are the entries that
 * history_common() gave, without brackets; `seq` is where it stands now, raw. */
void history_write(tr_text *out, const struct session *session, tr_str rev, tr_str seq,
                   tr_str older);

/* The entries of a document behind the first, without brackets; empty: there are none. */
tr_str history_rest(tr_str document);

/*
 * Where a replication goes on that has these two documents (either may be empty): both know of
 * the same session. True: `ret_seq` is the position, raw, a slice of `target`, and `ret_older`
 * the entries from there on back, without brackets, a slice of `source`. False: they have
 * nothing in common, it begins at the beginning.
 */
bool history_common(tr_str source, tr_str target, tr_str *ret_seq, tr_str *ret_older);

/* Where to begin, by both documents and by what the host knows: at its own position, at that of
 * the documents (`ret_seq`), or at the beginning again. */
enum history_start { HISTORY_HOST, HISTORY_COMMON, HISTORY_AGAIN };
enum history_start history_judge(tr_str source, tr_str target, bool has_checkpoint,
                                 bool target_is_empty, tr_str *ret_seq);

#endif
