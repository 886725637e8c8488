/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, in words for a person. They name host and port and never a path, query or
 * user, so that they hold no secret. Loop thread.
 */
#include "http/pool.h"

#include <stdarg.h>
#include <stdio.h>

enum { RETRY_AFTER_MAX_S = 3600 };

void http_write_place(tr_str text, char *place, size_t cap)
{
    struct url url = {0};
    bool six;

    if (url_parse(text, &url, NULL) < 0) {
        snprintf(place, cap, "the server");
        return;
    }
    six = strchr(url.host, ':') != NULL;
    snprintf(place, cap, "%s%.255s%s:%u", six ? "[" : "", url.host, six ? "]" : "",
             (unsigned)url.port);
    url_fini(&url);
}

void http_fault_own(struct http_slot *slot, enum http_end end, const char *fmt, ...)
{
    char place[272], words[160];
    va_list args;

    http_write_place(buf_str(&slot->url), place, sizeof(place));
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    slot->end = end;
    snprintf(slot->error, sizeof(slot->error), "%s %s", place, words);
}

static const char *system_words(const struct http_slot *slot)
{
    long number = slot->os_error;

    if (!number)
        curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &number);
    return number ? strerror((int)number) : "no answer";
}

static void explain(struct http_slot *slot, CURLcode code, const char *place)
{
    const char *detail = slot->detail[0] ? slot->detail : curl_easy_strerror(code);
    char *to = slot->error;
    size_t cap = sizeof(slot->error);

    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        snprintf(to, cap,
                 "the name of %s cannot be resolved; is it right, and does DNS answer?", place);
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
        snprintf(to, cap, "the name of the proxy for %s cannot be resolved", place);
        break;
    case CURLE_COULDNT_CONNECT:
        snprintf(to, cap, "cannot connect to %s: %s", place, system_words(slot));
        break;
    case CURLE_OPERATION_TIMEDOUT:
        slot->end = HTTP_TIMED_OUT;
        snprintf(to, cap, "cannot connect to %s within %u ms", place,
                 slot->pool->connect_timeout_ms);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        snprintf(to, cap, "certificate of %s: %.160s; %s", place, detail,
                 strstr(detail, "subject name")
                     ? "use a name that the certificate has"
                     : "set ca_file to the authority that signed it");
        break;
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(to, cap, "for %s the certificates of ca_file cannot be read: is it PEM?",
                 place);
        break;
    case CURLE_SSL_CONNECT_ERROR:
        snprintf(to, cap, "no TLS with %s: %.160s", place, detail);
        break;
    case CURLE_GOT_NOTHING:
        snprintf(to, cap, "%s closed the connection without an answer", place);
        break;
    case CURLE_PARTIAL_FILE: snprintf(to, cap, "the answer of %s was cut off", place); break;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        snprintf(to, cap, "the connection to %s was lost: %s", place, system_words(slot));
        break;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        snprintf(to, cap, "what answers at %s does not speak HTTP", place);
        break;
    default: snprintf(to, cap, "%s: %s", place, curl_easy_strerror(code)); break;
    }
}

void http_fault(struct http_slot *slot, CURLcode code)
{
    char place[272];

    http_write_place(buf_str(&slot->url), place, sizeof(place));
    slot->end = HTTP_FAILED;
    if (slot->refused && (code == CURLE_COULDNT_CONNECT)) {
        slot->end = HTTP_REFUSED;
        snprintf(slot->error, sizeof(slot->error),
                 "%s is a private or link-local address, which requests may not reach%s", place,
                 slot->pool->deny_private ? "; deny_private is on" : "");
        return;
    }
    explain(slot, code, place);
}

int64_t http_retry_after(tr_str value, int64_t wall_ms)
{
    char text[64];
    int64_t seconds = 0;
    size_t i = 0;

    value = str_trim(value);
    if (value.len == 0 || value.len >= sizeof(text))
        return 0;
    for (; i < value.len && value.ptr[i] >= '0' && value.ptr[i] <= '9'; i++)
        seconds = seconds > RETRY_AFTER_MAX_S ? seconds : seconds * 10 + (value.ptr[i] - '0');
    if (i < value.len) {
        time_t date;
        memcpy(text, value.ptr, value.len);
        text[value.len] = '\0';
        date = curl_getdate(text, NULL);
        if (i > 0 || date == -1)
            return 0;
        seconds = (int64_t)date - wall_ms / 1000;
    }
    if (seconds < 0)
        return 0;
    return (seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds) * 1000;
}
