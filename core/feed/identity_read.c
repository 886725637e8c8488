/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bodies of answers say. Called by identity.c, updates.c and the engine, on any
 * thread.
 */
#include "feed/identity_read.h"

#include "base/map.h"
#include "json/skip.h"

enum {
    SECONDS_MAX = 11, /* digits of a time in seconds                                       */
    REASON_MAX = 300
};

tr_str body_whole(tr_str body, enum json_type type)
{
    struct json_skip skip = {0};

    body = str_trim(body);
    if (json_type_of(body) != type ||
        json_skip_more(&skip, body.ptr, body.ptr + body.len) != body.ptr + body.len)
        return (tr_str){0};
    return body;
}

tr_str body_document(tr_str body)
{
    tr_str document = body_whole(body, JSON_OBJECT), error;

    return json_get(document, STR("error"), &error) ? (tr_str){0} : document;
}

tr_str body_plain_member(tr_str object, tr_str key)
{
    tr_str raw, none = {0};

    if (!json_get(object, key, &raw))
        return none;
    if (json_type_of(raw) == JSON_STRING && raw.len >= 2)
        raw = str_n(raw.ptr + 1, raw.len - 2);
    if (raw.len > INCARNATION_MAX)
        return none;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-'))
            return none;
    }
    return raw;
}

tr_str body_last_seq(tr_str body)
{
    tr_str page = body_whole(body, JSON_OBJECT), seq;

    if (page.len == 0 || !json_get(page, STR("last_seq"), &seq) ||
        json_type_of(seq) == JSON_NULL)
        return (tr_str){0};
    return seq;
}

tr_str body_reason(tr_str body, const char *otherwise)
{
    tr_str reason;

    if (!json_get(body, STR("reason"), &reason))
        reason = str_c(otherwise);
    return str_clip(reason, REASON_MAX);
}

/* When the database was made, in seconds. */
static bool is_real_time(tr_str text)
{
    if (text.len == 0 || text.len > SECONDS_MAX || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

static bool member_is(tr_str object, tr_str key, tr_str value)
{
    tr_str raw;

    return json_get(object, key, &raw) && str_eq(raw, value);
}

static uint64_t token_of(tr_str update_seq)
{
    uint64_t hash;

    if (update_seq.len == 0)
        return 0;
    hash = hash_stable(update_seq.ptr, update_seq.len);
    return hash ? hash : 1;
}

bool identity_read_info(tr_str info, struct identity_facts *ret_facts, tr_str *ret_incarnation,
                        tr_str *ret_update_seq)
{
    tr_str time, seq, cluster;

    info = body_document(info);
    if (info.len == 0)
        return false;
    time = body_plain_member(info, STR("instance_start_time"));
    if (!json_get(info, STR("update_seq"), &seq) || json_type_of(seq) == JSON_NULL)
        seq = (tr_str){0};
    if (ret_incarnation)
        *ret_incarnation = is_real_time(time) ? time : (tr_str){0};
    if (ret_update_seq)
        *ret_update_seq = seq;
    if (ret_facts)
        *ret_facts = (struct identity_facts){
            .token = token_of(seq),
            .one_copy = json_get(info, STR("cluster"), &cluster) &&
                        member_is(cluster, STR("n"), STR("1")),
            .empty = member_is(info, STR("doc_count"), STR("0")) &&
                     member_is(info, STR("doc_del_count"), STR("0")),
        };
    return true;
}
