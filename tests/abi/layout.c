/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate of the ABI: every offset, size and number that a compiled plugin relies on, as they
 * were released. It compiles or it does not.
 *
 * When this file refuses a change of the headers, the change is wrong: append fields at the end
 * and add their lines here. Lines of a released version are never edited; only the SIZE() of a
 * struct that grew is. All is for 64-bit machines, the only ones that are served.
 */
#include <tailrace/ext/doc.h>
#include <tailrace/ext/explain.h>
#include <tailrace/ext/http.h>
#include <tailrace/ext/json.h>
#include <tailrace/ext/metrics.h>
#include <tailrace/ext/position.h>
#include <tailrace/ext/secrets.h>
#include <tailrace/ext/state.h>
#include <tailrace/ext/template.h>
#include <tailrace/ext/timer.h>
#include <tailrace/plugin.h>

#include <assert.h>

#define AT(type, field, offset, size)                                                          \
    static_assert(offsetof(type, field) == (offset) && sizeof(((type *)0)->field) == (size),   \
                  #type "." #field " moved")
#define SIZE(type, size)    static_assert(sizeof(type) == (size), #type " has another size")
#define IS(constant, value) static_assert((constant) == (value), #constant " changed")

static_assert(sizeof(void *) == 8 && sizeof(void (*)(void)) == 8, "a 64-bit machine");
SIZE(tr_status, 4);
SIZE(tr_ticket, 8);

/* <tailrace/types.h> */
AT(tr_str, ptr, 0, 8);
AT(tr_str, len, 8, 8);
SIZE(tr_str, 16);

AT(tr_error, size, 0, 4);
AT(tr_error, cap, 4, 4);
AT(tr_error, buf, 8, 8);
SIZE(tr_error, 16);

/* <tailrace/option.h> */
AT(tr_option, name, 0, 8);
AT(tr_option, type, 8, 4);
AT(tr_option, flags, 12, 4);
AT(tr_option, dflt, 16, 8);
AT(tr_option, min, 24, 8);
AT(tr_option, max, 32, 8);
AT(tr_option, choices, 40, 8);
AT(tr_option, group, 48, 8);
AT(tr_option, help, 56, 8);
AT(tr_option, offset, 64, 8);
SIZE(tr_option, 72);

AT(tr_value, size, 0, 4);
AT(tr_value, type, 4, 4);
AT(tr_value, i, 8, 8);
AT(tr_value, f, 16, 8);
AT(tr_value, s, 24, 16);
SIZE(tr_value, 40);

/* <tailrace/change.h> */
AT(tr_change, raw, 0, 16);
AT(tr_change, id, 16, 16);
AT(tr_change, rev, 32, 16);
AT(tr_change, seq, 48, 16);
AT(tr_change, revs, 64, 16);
AT(tr_change, doc, 80, 16);
AT(tr_change, flags, 96, 4);
AT(tr_change, attempt, 100, 4);
SIZE(tr_change, 104);

AT(tr_batch, size, 0, 4);
AT(tr_batch, flags, 4, 4);
AT(tr_batch, ticket, 8, 8);
AT(tr_batch, source, 16, 16);
AT(tr_batch, db, 32, 16);
AT(tr_batch, rule, 48, 16);
AT(tr_batch, changes, 64, 8);
AT(tr_batch, count, 72, 4);
AT(tr_batch, stride, 76, 4);
AT(tr_batch, deadline_ms, 80, 8);
AT(tr_batch, stream, 88, 16);
SIZE(tr_batch, 104);

AT(tr_outcome, size, 0, 4);
AT(tr_outcome, status, 4, 4);
AT(tr_outcome, retry_after_ms, 8, 4);
AT(tr_outcome, items_count, 12, 4);
AT(tr_outcome, items, 16, 8);
AT(tr_outcome, message, 24, 16);
AT(tr_outcome, messages, 40, 8);
SIZE(tr_outcome, 48);

/* <tailrace/host.h> */
AT(tr_host, size, 0, 4);
AT(tr_host, abi_minor, 4, 4);
AT(tr_host, name, 8, 8);
AT(tr_host, version, 16, 8);
AT(tr_host, log, 24, 8);
AT(tr_host, log_level, 32, 8);
AT(tr_host, complete, 40, 8);
AT(tr_host, config_get, 48, 8);
AT(tr_host, get_ext, 56, 8);
SIZE(tr_host, 64);

/* <tailrace/plugin.h> */
AT(tr_plugin, size, 0, 4);
AT(tr_plugin, abi_minor, 4, 4);
AT(tr_plugin, name, 8, 8);
AT(tr_plugin, version, 16, 8);
AT(tr_plugin, summary, 24, 8);
AT(tr_plugin, license, 32, 8);
AT(tr_plugin, url, 40, 8);
AT(tr_plugin, caps, 48, 4);
AT(tr_plugin, max_inflight, 52, 4);
AT(tr_plugin, options, 56, 8);
AT(tr_plugin, options_count, 64, 4);
AT(tr_plugin, options_stride, 68, 4);
AT(tr_plugin, global_init, 72, 8);
AT(tr_plugin, check, 80, 8);
AT(tr_plugin, open, 88, 8);
AT(tr_plugin, configure, 96, 8);
AT(tr_plugin, start, 104, 8);
AT(tr_plugin, process, 112, 8);
AT(tr_plugin, flush, 120, 8);
AT(tr_plugin, cancel, 128, 8);
AT(tr_plugin, stop, 136, 8);
AT(tr_plugin, close, 144, 8);
AT(tr_plugin, get_ext, 152, 8);
AT(tr_plugin, transform, 160, 8);
AT(tr_plugin, batch_changes, 168, 4);
AT(tr_plugin, concurrency, 172, 4);
AT(tr_plugin, batch_bytes, 176, 8);
SIZE(tr_plugin, 184);

/* <tailrace/ext/http.h> */
AT(tr_http_options, size, 0, 4);
AT(tr_http_options, max_connections, 4, 4);
AT(tr_http_options, connect_timeout_ms, 8, 4);
AT(tr_http_options, max_redirects, 12, 4);
AT(tr_http_options, deny_private, 16, 4);
AT(tr_http_options, insecure_tls, 20, 4);
AT(tr_http_options, ca_file, 24, 16);
AT(tr_http_options, proxy, 40, 16);
AT(tr_http_options, max_response, 56, 8);
AT(tr_http_options, share, 64, 16);
SIZE(tr_http_options, 80);

AT(tr_http_header, name, 0, 16);
AT(tr_http_header, value, 16, 16);
SIZE(tr_http_header, 32);

AT(tr_http_response, size, 0, 4);
AT(tr_http_response, status, 4, 4);
AT(tr_http_response, error, 8, 16);
AT(tr_http_response, body, 24, 16);
AT(tr_http_response, retry_after_ms, 40, 4);
AT(tr_http_response, flags, 44, 4);
AT(tr_http_response, part, 48, 4);
AT(tr_http_response, part_status, 52, 4);
SIZE(tr_http_response, 56);

AT(tr_http_part, bytes, 0, 16);
AT(tr_http_part, url, 16, 16);
AT(tr_http_part, headers, 32, 8);
AT(tr_http_part, headers_count, 40, 4);
AT(tr_http_part, length, 48, 8);
AT(tr_http_part, digest, 56, 16);
SIZE(tr_http_part, 72);

AT(tr_http_request, size, 0, 4);
AT(tr_http_request, timeout_ms, 4, 4);
AT(tr_http_request, method, 8, 16);
AT(tr_http_request, url, 24, 16);
AT(tr_http_request, headers, 40, 8);
AT(tr_http_request, headers_count, 48, 4);
AT(tr_http_request, body, 56, 16);
AT(tr_http_request, user, 72, 8);
AT(tr_http_request, done, 80, 8);
AT(tr_http_request, parts, 88, 8);
AT(tr_http_request, parts_count, 96, 4);
AT(tr_http_request, parts_stride, 100, 4);
AT(tr_http_request, ticket, 104, 8);
SIZE(tr_http_request, 112);

AT(tr_http, size, 0, 4);
AT(tr_http, client_new, 8, 8);
AT(tr_http, client_free, 16, 8);
AT(tr_http, send, 24, 8);
AT(tr_http, cancel, 32, 8);
SIZE(tr_http, 40);

/* <tailrace/ext/json.h> */
AT(tr_json, size, 0, 4);
AT(tr_json, find, 8, 8);
AT(tr_json, type_of, 16, 8);
AT(tr_json, decode, 24, 8);
AT(tr_json, encode, 32, 8);
AT(tr_json, parse, 40, 8);
AT(tr_json, free, 48, 8);
AT(tr_json, type, 56, 8);
AT(tr_json, count, 64, 8);
AT(tr_json, get, 72, 8);
AT(tr_json, at, 80, 8);
AT(tr_json, next, 88, 8);
AT(tr_json, string, 96, 8);
AT(tr_json, number, 104, 8);
AT(tr_json, from_config, 112, 8);
AT(tr_json, dump, 120, 8);
AT(tr_json, find_all, 128, 8);
SIZE(tr_json, 136);

/* <tailrace/ext/position.h> */
AT(tr_begin, size, 0, 4);
AT(tr_begin, has_checkpoint, 4, 4);
AT(tr_begin, question, 8, 8);
AT(tr_begin, source, 16, 16);
AT(tr_begin, db, 32, 16);
AT(tr_begin, stream, 48, 16);
AT(tr_begin, seq, 64, 16);
AT(tr_begin, rule, 80, 16);
SIZE(tr_begin, 96);

AT(tr_place, size, 0, 4);
AT(tr_place, source, 8, 16);
AT(tr_place, db, 24, 16);
AT(tr_place, stream, 40, 16);
AT(tr_place, seq, 56, 16);
SIZE(tr_place, 72);

AT(tr_position, size, 0, 4);
AT(tr_position, begin, 8, 8);
AT(tr_position, settled, 16, 8);
SIZE(tr_position, 24);

AT(tr_position_host, size, 0, 4);
AT(tr_position_host, answer, 8, 8);
AT(tr_position_host, again, 16, 8);
SIZE(tr_position_host, 24);

/* <tailrace/ext/secrets.h> */
AT(tr_secrets, size, 0, 4);
AT(tr_secrets, password, 8, 8);
AT(tr_secrets, resolve, 16, 8);
SIZE(tr_secrets, 24);

/* <tailrace/ext/state.h> */
AT(tr_state_stream, size, 0, 4);
AT(tr_state_stream, source, 8, 16);
AT(tr_state_stream, db, 24, 16);
AT(tr_state_stream, stream, 40, 16);
SIZE(tr_state_stream, 56);

AT(tr_state_usage, size, 0, 4);
AT(tr_state_usage, entries, 8, 8);
AT(tr_state_usage, bytes, 16, 8);
AT(tr_state_usage, bytes_max, 24, 8);
SIZE(tr_state_usage, 32);

AT(tr_state, size, 0, 4);
AT(tr_state, get, 8, 8);
AT(tr_state, put, 16, 8);
AT(tr_state, remove, 24, 8);
AT(tr_state, scan, 32, 8);
AT(tr_state, streams, 40, 8);
AT(tr_state, drop, 48, 8);
AT(tr_state, usage, 56, 8);
SIZE(tr_state, 64);

/* <tailrace/ext/template.h> */
AT(tr_template_api, size, 0, 4);
AT(tr_template_api, compile, 8, 8);
AT(tr_template_api, free, 16, 8);
AT(tr_template_api, render, 24, 8);
AT(tr_template_api, is_constant, 32, 8);
AT(tr_template_api, is_variable, 40, 8);
SIZE(tr_template_api, 48);

/* <tailrace/ext/metrics.h> */
AT(tr_metric, size, 0, 4);
AT(tr_metric, kind, 4, 4);
AT(tr_metric, name, 8, 8);
AT(tr_metric, help, 16, 8);
AT(tr_metric, labels, 24, 8);
AT(tr_metric, labels_count, 32, 4);
AT(tr_metric, buckets_count, 36, 4);
AT(tr_metric, buckets, 40, 8);
SIZE(tr_metric, 48);

AT(tr_metrics, size, 0, 4);
AT(tr_metrics, declare, 8, 8);
AT(tr_metrics, set, 16, 8);
AT(tr_metrics, add, 24, 8);
AT(tr_metrics, observe, 32, 8);
AT(tr_metrics, forget, 40, 8);
SIZE(tr_metrics, 48);

/* <tailrace/ext/timer.h> */
AT(tr_timer, size, 0, 4);
AT(tr_timer, set, 8, 8);
AT(tr_timer, cancel, 16, 8);
SIZE(tr_timer, 24);

/* <tailrace/ext/doc.h> */
AT(tr_doc_api, size, 0, 4);
AT(tr_doc_api, path_new, 8, 8);
AT(tr_doc_api, path_free, 16, 8);
AT(tr_doc_api, get, 24, 8);
AT(tr_doc_api, set, 32, 8);
AT(tr_doc_api, remove, 40, 8);
AT(tr_doc_api, rename, 48, 8);
AT(tr_doc_api, keep, 56, 8);
AT(tr_doc_api, text, 64, 8);
AT(tr_doc_api, replace, 72, 8);
SIZE(tr_doc_api, 80);

/* <tailrace/ext/explain.h> */
AT(tr_explain, size, 0, 4);
AT(tr_explain, explain, 8, 8);
SIZE(tr_explain, 16);

/* Numbers stand in compiled plugins too. */
/* <tailrace/types.h> */
IS(TR_ABI_MAJOR, 1);
IS(TR_OK, 0);
IS(TR_PENDING, 1);
IS(TR_RETRY, 2);
IS(TR_REJECT, 3);
IS(TR_FATAL, 4);
IS(TR_SKIP, 5);
IS(TR_EINVAL, -1);
IS(TR_ENOSYS, -2);
IS(TR_ESTALE, -3);
IS(TR_ENOENT, -4);
IS(TR_EAGAIN, -5);

/* <tailrace/ext/state.h> */
IS(TR_STATE_KEY_BYTES, 1024);
IS(TR_STATE_VALUE_BYTES, 16 << 20);

/* <tailrace/option.h> */
IS(TR_TYPE_STRING, 1);
IS(TR_TYPE_INT, 2);
IS(TR_TYPE_FLOAT, 3);
IS(TR_TYPE_BOOL, 4);
IS(TR_TYPE_DURATION, 5);
IS(TR_TYPE_SIZE, 6);
IS(TR_TYPE_ENUM, 7);
IS(TR_TYPE_URL, 8);
IS(TR_TYPE_PATH, 9);
IS(TR_TYPE_REGEX, 10);
IS(TR_TYPE_SECRET, 11);
IS(TR_TYPE_GROUP, 12);
IS(TR_TYPE_ANY, 13);
IS(TR_OPTION_REQUIRED, 1 << 0);
IS(TR_OPTION_LIST, 1 << 1);
IS(TR_OPTION_LIVE, 1 << 2);
IS(TR_OPTION_SENSITIVE, 1 << 3);
IS(TR_OPTION_DEPRECATED, 1 << 4);
IS(TR_OPTION_OPERATOR, 1 << 5);

/* <tailrace/change.h> */
IS(TR_CHANGE_DELETED, 1 << 0);
IS(TR_CHANGE_HAS_DOC, 1 << 1);
IS(TR_CHANGE_DESIGN, 1 << 2);
IS(TR_CHANGE_TRANSFORMED, 1 << 3);
IS(TR_BATCH_REPLAY, 1 << 0);
IS(TR_BATCH_ROLLED_BACK, 1 << 1);

/* <tailrace/host.h> */
IS(TR_LOG_ERROR, 3);
IS(TR_LOG_WARNING, 4);
IS(TR_LOG_NOTICE, 5);
IS(TR_LOG_INFO, 6);
IS(TR_LOG_DEBUG, 7);

/* <tailrace/plugin.h> */
IS(TR_CAP_CONCURRENT, 1 << 0);
IS(TR_CAP_ORDERED, 1 << 1);
IS(TR_CAP_NEEDS_DOC, 1 << 2);
IS(TR_CAP_NEEDS_ALL_LEAVES, 1 << 3);
IS(TR_CAP_NEVER_BLOCKS, 1 << 4);

/* <tailrace/ext/doc.h> */
IS(TR_DOC_KEEP_SPECIAL, 1 << 0);

/* <tailrace/ext/http.h> */
IS(TR_HTTP_REFUSED, 1 << 0);
IS(TR_HTTP_PART_FAILED, 1 << 1);
IS(TR_HTTP_PART_DIFFERS, 1 << 2);

/* <tailrace/ext/json.h> */
IS(TR_JSON_NULL, 1);
IS(TR_JSON_FALSE, 2);
IS(TR_JSON_TRUE, 3);
IS(TR_JSON_NUMBER, 4);
IS(TR_JSON_STRING, 5);
IS(TR_JSON_ARRAY, 6);
IS(TR_JSON_OBJECT, 7);

/* <tailrace/ext/metrics.h> */
IS(TR_METRIC_COUNTER, 1);
IS(TR_METRIC_GAUGE, 2);
IS(TR_METRIC_HISTOGRAM, 3);

/* <tailrace/ext/template.h> */
IS(TR_PLACE_TEXT, 1);
IS(TR_PLACE_URL, 2);
IS(TR_PLACE_QUERY, 3);
IS(TR_PLACE_HEADER, 4);
IS(TR_PLACE_JSON, 5);

int main(void)
{
    return 0;
}
