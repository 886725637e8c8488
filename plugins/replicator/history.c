/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See history.h. The documents are CouchDB's own: what its replicator writes this one reads,
 * and the other way round, though not under the same name.
 */
#include "history.h"

#include <inttypes.h>
#include <time.h>

/* ---- names ---- */

/* FNV-1a of 64 bits, twice from different beginnings. It names, it does not protect. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash;
}

void history_name(const tr_str *parts, size_t count, char ret_hex[REPLICATION_ID_HEX + 1])
{
    uint64_t one = UINT64_C(14695981039346656037), two = UINT64_C(0x5eed5eed5eed5eed);

    for (size_t i = 0; i < count; i++) {
        char len[24];
        int n = snprintf(len, sizeof(len), "%zu:", parts[i].len);

        one = mix(mix(one, len, (size_t)n), parts[i].ptr, parts[i].len);
        two = mix(mix(two, len, (size_t)n), parts[i].ptr, parts[i].len);
    }
    snprintf(ret_hex, REPLICATION_ID_HEX + 1, "%016" PRIx64 "%016" PRIx64, one, two);
}

void history_time(int64_t unix_s, char ret_text[32])
{
    time_t when = (time_t)unix_s;
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(ret_text, 32, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* ---- writing ---- */

static void add_session(tr_text *out, const struct session *session, tr_str seq)
{
    tr_text_addf(out, "{\"session_id\":\"%s\",\"start_time\":\"%s\",\"end_time\":\"%s\"",
                 session->id, session->start_time, session->end_time);
    tr_text_add_c(out, ",\"start_last_seq\":");
    tr_text_add(out, tr_text_str(&session->start_seq));
    tr_text_add_c(out, ",\"end_last_seq\":");
    tr_text_add(out, seq);
    tr_text_add_c(out, ",\"recorded_seq\":");
    tr_text_add(out, seq);
    tr_text_addf(
        out,
        ",\"missing_checked\":%" PRIu64 ",\"missing_found\":%" PRIu64 ",\"docs_read\":%" PRIu64
        ",\"docs_written\":%" PRIu64 ",\"doc_write_failures\":%" PRIu64 "}",
        session->checked, session->found, session->read, session->written, session->failures);
}

void history_write(tr_text *out, const struct session *session, tr_str rev, tr_str seq,
                   tr_str older)
{
    tr_text_add_c(out, "{");
    if (rev.len > 0) {
        tr_text_add_c(out, "\"_rev\":");
        tr_text_add(out, rev);
        tr_text_add_c(out, ",");
    }
    tr_text_addf(out, "\"replication_id_version\":1,\"session_id\":\"%s\"", session->id);
    tr_text_add_c(out, ",\"source_last_seq\":");
    tr_text_add(out, seq);
    tr_text_add_c(out, ",\"history\":[");
    add_session(out, session, seq);
    if (older.len > 0) {
        tr_text_add_c(out, ",");
        tr_text_add(out, older);
    }
    tr_text_add_c(out, "]}");
}

/* ---- reading ---- */

/* The entry of a session in a history; empty: it does not know of it. */
static tr_str session_in(tr_str history, tr_str id)
{
    tr_scan scan;
    tr_str key, entry;

    if (id.len > 2 && tr_scan_open(&scan, history, '['))
        while (tr_scan_next(&scan, &key, &entry) == 1)
            if (tr_str_eq(tr_scan_find(entry, "session_id"), id))
                return entry;
    return tr_str_n(NULL, 0);
}

/* A seq is text, a number or, of other servers, an array; never nothing. */
static bool is_seq(tr_str raw)
{
    return raw.len > 0 && !tr_str_eq(raw, TR_STR("null"));
}

/* From this entry on, as many as leave room for one more. */
static tr_str entries_from(tr_scan scan, tr_str first)
{
    tr_str all = first, key, entry;

    for (int i = 2; i < HISTORY_MAX && tr_scan_next(&scan, &key, &entry) == 1; i++)
        all.len = (size_t)(entry.ptr + entry.len - all.ptr);
    return all;
}

tr_str history_rest(tr_str document)
{
    tr_str key, entry;
    tr_scan scan;

    if (tr_scan_open(&scan, tr_scan_find(document, "history"), '[') &&
        tr_scan_next(&scan, &key, &entry) == 1 && tr_scan_next(&scan, &key, &entry) == 1)
        return entries_from(scan, entry);
    return tr_str_n(NULL, 0);
}

/* The target's word counts of where a session was: it is written last, so that it is never
 * ahead, and it alone is behind when the target comes out of a backup. */
bool history_common(tr_str source, tr_str target, tr_str *ret_seq, tr_str *ret_older)
{
    tr_str ours = tr_scan_find(source, "session_id"), key, entry;
    tr_str history = tr_scan_find(target, "history");
    tr_str last = tr_scan_find(target, "source_last_seq");
    bool same = ours.len > 2 && is_seq(last) &&
                tr_str_eq(ours, tr_scan_find(target, "session_id"));
    tr_scan scan;

    if (!tr_scan_open(&scan, tr_scan_find(source, "history"), '['))
        return false;
    while (tr_scan_next(&scan, &key, &entry) == 1) {
        tr_str theirs = session_in(history, tr_scan_find(entry, "session_id"));
        tr_str recorded = tr_scan_find(theirs, "recorded_seq");

        if (!same && !is_seq(recorded))
            continue;
        *ret_seq = same ? last : recorded;
        *ret_older = entries_from(scan, entry);
        return true;
    }
    return false;
}

enum history_start history_judge(tr_str source, tr_str target, bool has_checkpoint,
                                 bool target_is_empty, tr_str *ret_seq)
{
    tr_str seq, older;

    if (history_common(source, target, &seq, &older)) {
        if (has_checkpoint && tr_str_eq(seq, tr_scan_find(source, "source_last_seq")))
            return HISTORY_HOST;
        *ret_seq = seq;
        return HISTORY_COMMON;
    }
    /* What the host has settled is not there: the target is another, or it was emptied. */
    if (has_checkpoint && (target_is_empty || (tr_scan_find(source, "session_id").len > 2 &&
                                               tr_scan_find(target, "session_id").len == 0)))
        return HISTORY_AGAIN;
    return HISTORY_HOST;
}
