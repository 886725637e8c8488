/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer means: a status to a verdict, and the line that says why. answer_set() runs on
 * [control], the rest on the worker.
 */
#include "webhook.h"

#include <ctype.h>
#include <strings.h>

enum { BODY_SHOWN = 100, URL_SHOWN = 110 };

/* ---- which status is what ---- */

static bool read_status(const char **at, long *ret_status)
{
    char *end;

    if (!isdigit((unsigned char)**at))
        return false;
    *ret_status = strtol(*at, &end, 10);
    *at = end + strspn(end, " ");
    return *ret_status >= 100 && *ret_status < STATUS_MAX;
}

tr_status answer_set(uint8_t *verdicts, const char *ranges, tr_status status, tr_error *error)
{
    const char *at = ranges + strspn(ranges, " ");

    while (*at) {
        long first, last;
        bool good = read_status(&at, &first);

        last = first;
        if (good && *at == '-') {
            at += 1 + strspn(at + 1, " ");
            good = read_status(&at, &last) && last >= first;
        }
        if (!good || (*at && *at != ','))
            return tr_fail(error, TR_EINVAL,
                           "\"%.60s\" is not a list of statuses; write it as \"200-299,304\"",
                           ranges);
        memset(verdicts + first, status, (size_t)(last - first + 1));
        if (*at)
            at += 1 + strspn(at + 1, " ");
    }
    return TR_OK;
}

/* ---- showing ---- */

static bool smells_of_secret(tr_str name)
{
    static const char *const words[] = {"token", "key",  "sig",  "pass", "secret",
                                        "auth",  "code", "cred", "jwt",  "session"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (size_t at = 0; at + strlen(words[i]) <= name.len; at++)
            if (strncasecmp(name.ptr + at, words[i], strlen(words[i])) == 0)
                return true;
    return false;
}

static size_t find(tr_str text, const char *any)
{
    size_t at = 0;

    while (at < text.len && !(text.ptr[at] && strchr(any, text.ptr[at])))
        at++;
    return at;
}

void answer_add_url(struct text *out, tr_str url, bool brief)
{
    size_t at = find(url, "?");

    text_add(out, url.ptr, at);
    if (brief && at < url.len)
        text_add(out, "?...", 4);
    while (!brief && at < url.len) {
        tr_str rest = tr_str_n(url.ptr + at + 1, url.len - at - 1);
        size_t end = find(rest, "&");
        size_t name = find(rest, "=&");

        text_add_char(out, url.ptr[at]);
        if (name < end && smells_of_secret(tr_str_n(rest.ptr, name))) {
            text_add(out, rest.ptr, name + 1);
            text_add(out, "***", 3);
        } else {
            text_add(out, rest.ptr, end);
        }
        at += 1 + end;
    }
}

/* How many bytes at `text` are one character of UTF-8; 0: none that can be shown. */
static size_t character(tr_str text)
{
    unsigned char c = (unsigned char)text.ptr[0];
    size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (len == 0 || len > text.len || c < 0x20 || c == 0x7f)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (((unsigned char)text.ptr[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* The begin of an answer's body, on one line. */
static void show_body(tr_str body, char shown[BODY_SHOWN + 4])
{
    size_t at = 0, out = 0;

    while (at < body.len && out < BODY_SHOWN) {
        size_t len = character(tr_str_n(body.ptr + at, body.len - at));

        if (len == 0) { /* line ends and what is no text */
            if (out > 0 && shown[out - 1] != ' ')
                shown[out++] = ' ';
            at++;
            continue;
        }
        if (out + len > BODY_SHOWN)
            break;
        memcpy(shown + out, body.ptr + at, len);
        out += len;
        at += len;
    }
    while (out > 0 && shown[out - 1] == ' ')
        out--;
    strcpy(shown + out, at < body.len ? "..." : "");
}

static void describe(const struct job *job, const tr_http_response *response, char *message)
{
    const struct options *options = &job->self->options;
    const char *method = webhook_methods[options->method];
    char shown[BODY_SHOWN + 4];
    struct text url = {0};
    int len;

    answer_add_url(&url, request_url(job), true);
    len = url.len < URL_SHOWN ? (int)url.len : URL_SHOWN;
    show_body(response->status ? response->body : response->error, shown);
    if (response->status == 0)
        snprintf(message, MESSAGE_MAX, "%s %.*s: %.*s", method, len, url.len ? url.ptr : "",
                 response->error.len < 140 ? (int)response->error.len : 140,
                 response->error.len ? response->error.ptr : "no answer");
    else if (response->status >= 300 && response->status < 400)
        snprintf(message, MESSAGE_MAX, "%s %.*s: %d, a redirect that is not followed; %s",
                 method, len, url.len ? url.ptr : "", (int)response->status,
                 options->max_redirects ? "it would be one more than max_redirects"
                                        : "put its target into url, or set max_redirects");
    else
        snprintf(message, MESSAGE_MAX, "%s %.*s: %d%s%s", method, len, url.len ? url.ptr : "",
                 (int)response->status, shown[0] ? ": " : "", shown);
    text_fini(&url);
}

void answer_judge(const struct job *job, const tr_http_response *response,
                  struct verdict *ret_verdict)
{
    int32_t status = response->status;

    /* A refused address is no reason to reject: what a name stands for can be mended. */
    ret_verdict->status = TR_RETRY;
    ret_verdict->retry_after_ms = 0;
    ret_verdict->message[0] = '\0';
    if (status >= 100 && status < STATUS_MAX)
        ret_verdict->status = job->self->verdicts[status];
    if (ret_verdict->status == TR_OK)
        return;
    ret_verdict->retry_after_ms = response->retry_after_ms;
    describe(job, response, ret_verdict->message);
}
