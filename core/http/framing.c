/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing of answers. A line that is whole is used where it lies; only one that is cut by the
 * end of a read is copied.
 */
#include "http/framing.h"

#include <strings.h>

enum { LINES_MAX = 256 * 1024 };

void http_framing_reset(struct http_framing *framing, bool to_head)
{
    struct buf line = framing->line;

    buf_clear(&line);
    *framing = (struct http_framing){.to_head = to_head, .line = line};
}

void http_framing_fini(struct http_framing *framing)
{
    buf_fini(&framing->line);
}

bool http_framing_end(struct http_framing *framing)
{
    if (framing->state == FRAMING_TO_CLOSE)
        framing->state = FRAMING_WHOLE;
    return framing->state == FRAMING_WHOLE;
}

/* ---- the head ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int take_status(struct http_framing *framing, tr_str line)
{
    const char *at = line.ptr;

    if (line.len < 13 || memcmp(at, "HTTP/1.", 7) != 0 || !is_digit(at[7]) || at[8] != ' ' ||
        at[9] < '1' || !is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11]) ||
        is_digit(at[12]))
        return FRAMING_NOT_HTTP;
    framing->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
    framing->keep = at[7] != '0';
    return 0;
}

static bool is_word(tr_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* Whether a list "a, b, c" has the word. */
static bool has_word(tr_str list, const char *word)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.ptr) : list.len;

        if (is_word(str_trim(str_n(list.ptr, len)), word))
            return true;
        list = str_from(list, comma ? len + 1 : len);
    }
    return false;
}

static int take_length(struct http_framing *framing, tr_str value)
{
    uint64_t length = 0;

    if (value.len == 0 || value.len > 18)
        return FRAMING_NOT_HTTP;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i]))
            return FRAMING_NOT_HTTP;
        length = length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    if (framing->has_length && framing->left != length)
        return FRAMING_NOT_HTTP;
    framing->has_length = true;
    framing->left = length;
    return 0;
}

static int take_field(struct http_framing *framing, tr_str line)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    tr_str name, value;

    if (!colon)
        return 0;
    name = str_n(line.ptr, (size_t)(colon - line.ptr));
    value = str_trim(str_from(line, name.len + 1));
    if (is_word(name, "Content-Length"))
        return take_length(framing, value);
    if (is_word(name, "Transfer-Encoding")) {
        framing->chunked = !framing->has_encoding && is_word(value, "chunked");
        framing->has_encoding = true;
    } else if (is_word(name, "Connection")) {
        if (has_word(value, "close"))
            framing->keep = false;
        else if (has_word(value, "keep-alive"))
            framing->keep = true;
    }
    return 0;
}

static int end_head(struct http_framing *framing)
{
    int status = framing->status;

    if (status == 101)
        return FRAMING_NOT_HTTP; /* nobody asked for another protocol                      */
    if (status < 200) {          /* 100 Continue and its like: the answer follows          */
        *framing = (struct http_framing){.to_head = framing->to_head,
                                         .lines_bytes = framing->lines_bytes,
                                         .line = framing->line};
        return 0;
    }
    if (framing->has_length && framing->has_encoding)
        framing->keep = false;
    if (framing->to_head || status == 204 || status == 304) {
        framing->state = FRAMING_WHOLE;
    } else if (framing->chunked) {
        framing->state = FRAMING_CHUNK_SIZE;
    } else if (framing->has_length && !framing->has_encoding) {
        framing->state = framing->left > 0 ? FRAMING_LENGTH : FRAMING_WHOLE;
    } else {
        framing->state = FRAMING_TO_CLOSE;
        framing->keep = false;
    }
    return 0;
}

/* ---- lines ---- */

static bool is_blank(tr_str line)
{
    return line.len == 1 || (line.len == 2 && line.ptr[0] == '\r');
}

static int take_chunk_size(struct http_framing *framing, tr_str line)
{
    uint64_t size = 0;
    size_t i = 0;

    for (; i < line.len; i++) {
        char c = (char)(line.ptr[i] | 0x20);
        if (!is_digit(line.ptr[i]) && (c < 'a' || c > 'f'))
            break;
        size = size * 16 + (uint64_t)(is_digit(line.ptr[i]) ? line.ptr[i] - '0' : c - 'a' + 10);
    }
    if (i == 0 || i > 15 || !line.ptr[i] || !strchr("\r\n; \t", line.ptr[i]))
        return FRAMING_NOT_HTTP;
    framing->lines_bytes = 0;
    framing->left = size;
    framing->state = size > 0 ? FRAMING_CHUNK : FRAMING_TRAILERS;
    return 0;
}

/* `line` has its line end. */
static int take_line(struct http_framing *framing, tr_str line)
{
    switch (framing->state) {
    case FRAMING_HEAD:
        if (framing->status == 0)
            return take_status(framing, line);
        return is_blank(line) ? end_head(framing) : take_field(framing, line);
    case FRAMING_CHUNK_SIZE: return take_chunk_size(framing, line);
    case FRAMING_CHUNK_END:
        framing->state = FRAMING_CHUNK_SIZE;
        return is_blank(line) ? 0 : FRAMING_NOT_HTTP;
    default:
        if (is_blank(line))
            framing->state = FRAMING_WHOLE;
        return 0;
    }
}

/* Up to the end of the line, or all; returns how many bytes those were. */
static int cut_line(struct http_framing *framing, const struct http_framing_sink *sink,
                    void *data, char *bytes, size_t len, size_t *ret_used)
{
    char *end = memchr(bytes, '\n', len);
    size_t used = end ? (size_t)(end - bytes) + 1 : len;
    bool of_head = framing->state == FRAMING_HEAD;
    tr_str line = str_n(bytes, used);
    int rc;

    *ret_used = used;
    framing->lines_bytes += used;
    if (framing->lines_bytes > LINES_MAX)
        return FRAMING_NOT_HTTP;
    if (!end || framing->line.len > 0) {
        buf_add(&framing->line, bytes, used);
        line = buf_str(&framing->line);
        bytes = framing->line.ptr;
    }
    if (!end)
        return 0;
    rc = take_line(framing, line);
    if (rc == 0 && of_head && sink->line(bytes, 1, line.len, data) != line.len)
        rc = FRAMING_STOPPED;
    buf_clear(&framing->line);
    return rc;
}

/* ---- the body ---- */

static int cut_body(struct http_framing *framing, const struct http_framing_sink *sink,
                    void *data, char *bytes, size_t len, size_t *ret_used)
{
    if (framing->state != FRAMING_TO_CLOSE) {
        len = len < framing->left ? len : (size_t)framing->left;
        framing->left -= len;
    }
    *ret_used = len;
    if (sink->body(bytes, 1, len, data) != len)
        return FRAMING_STOPPED;
    if (framing->state != FRAMING_TO_CLOSE && framing->left == 0)
        framing->state = framing->state == FRAMING_CHUNK ? FRAMING_CHUNK_END : FRAMING_WHOLE;
    return 0;
}

int http_framing_take(struct http_framing *framing, const struct http_framing_sink *sink,
                      void *data, char *bytes, size_t len, size_t *ret_used)
{
    size_t at = 0;
    int rc = 0;

    while (rc == 0 && at < len && framing->state != FRAMING_WHOLE) {
        bool body = framing->state == FRAMING_LENGTH || framing->state == FRAMING_TO_CLOSE ||
                    framing->state == FRAMING_CHUNK;
        size_t used;

        rc = (body ? cut_body : cut_line)(framing, sink, data, bytes + at, len - at, &used);
        at += used;
    }
    *ret_used = at;
    return rc;
}
