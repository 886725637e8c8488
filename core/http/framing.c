/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing of answers. A line that is whole is used where it lies; only one that is cut by the
 * end of a read is copied.
 */
#include "http/framing.h"

#include <strings.h>

enum { LINES_MAX = 256 * 1024, HEAD_MAX = 4096 /* that is remembered */ };

/* Takes over all but what it owns and borrows. */
static void become(struct http_framing *framing, struct http_framing other)
{
    other.line = framing->line;
    other.memory = framing->memory;
    *framing = other;
}

void http_framing_reset(struct http_framing *framing, bool to_head)
{
    buf_clear(&framing->line);
    become(framing, (struct http_framing){.to_head = to_head});
}

void http_framing_fini(struct http_framing *framing)
{
    buf_fini(&framing->line);
}

void http_framing_memory_fini(struct http_framing_memory *memory)
{
    buf_fini(&memory->head);
}

bool http_framing_end(struct http_framing *framing)
{
    if (framing->state == FRAMING_TO_CLOSE)
        framing->state = FRAMING_WHOLE;
    return framing->state == FRAMING_WHOLE;
}

static void take_doubt(struct http_framing *framing)
{
    framing->doubt = true;
    framing->keep = false;
}

/* ---- the head ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int take_status(struct http_framing *framing, tr_str line)
{
    const char *at = line.ptr;

    if (line.len < 13 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') ||
        at[8] != ' ' || at[9] < '1' || !is_digit(at[9]) || !is_digit(at[10]) ||
        !is_digit(at[11]) || is_digit(at[12]))
        return FRAMING_NOT_HTTP;
    framing->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
    framing->old = at[7] == '0';
    if (at[12] != ' ' && at[12] != '\r')
        take_doubt(framing);
    return 0;
}

static bool is_word(tr_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* Cuts the first item off a list "a, b, c". */
static tr_str cut_item(tr_str *list)
{
    return str_trim(str_cut(*list, ',', list));
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

static int take_lengths(struct http_framing *framing, tr_str list)
{
    int rc;

    if (str_find(list, ',') < list.len)
        take_doubt(framing);
    do
        rc = take_length(framing, cut_item(&list));
    while (rc == 0 && list.len > 0);
    return rc;
}

static void take_encoding(struct http_framing *framing, tr_str list)
{
    /* The last one frames. We asked for none, so anything else is odd. */
    if (framing->has_encoding || !is_word(list, "chunked"))
        take_doubt(framing);
    framing->has_encoding = true;
    while (list.len > 0)
        framing->chunked = is_word(cut_item(&list), "chunked");
}

static void take_connection(struct http_framing *framing, tr_str list)
{
    while (list.len > 0) {
        tr_str item = cut_item(&list);
        if (is_word(item, "close"))
            take_doubt(framing);
        else if (is_word(item, "keep-alive"))
            framing->asks_keep = true;
    }
}

/* Also nothing that others could read as one after trimming it. */
static bool is_name(tr_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || (unsigned char)name.ptr[i] >= 0x7f)
            return false;
    return name.len > 0;
}

static int take_field(struct http_framing *framing, tr_str line)
{
    size_t colon = str_find(line, ':');
    tr_str name = str_n(line.ptr, colon), value = str_from(line, colon + 1);

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') { /* goes on with the line before       */
        take_doubt(framing);
        return 0;
    }
    if (colon == line.len)
        return FRAMING_NOT_HTTP;
    if (!is_name(name))
        take_doubt(framing);
    if (is_word(name, "Content-Length"))
        return take_lengths(framing, str_trim(value));
    if (is_word(name, "Transfer-Encoding"))
        take_encoding(framing, str_trim(value));
    else if (is_word(name, "Connection"))
        take_connection(framing, str_trim(value));
    return 0;
}

static int end_head(struct http_framing *framing)
{
    int status = framing->status;
    bool bodyless = framing->to_head || status < 200 || status == 204 || status == 304;

    if (status == 101)
        return FRAMING_NOT_HTTP; /* nobody asked for another protocol                      */
    /* A body that is announced and must not come may come nevertheless. */
    if (framing->has_encoding && (framing->has_length || framing->old || bodyless))
        take_doubt(framing);
    if (bodyless && framing->left > 0)
        take_doubt(framing);
    if (status < 200) { /* 100 Continue and its like: the answer follows                   */
        become(framing, (struct http_framing){.to_head = framing->to_head,
                                              .doubt = framing->doubt,
                                              .lines_bytes = framing->lines_bytes});
        return 0;
    }
    framing->keep = !framing->doubt && (!framing->old || framing->asks_keep);
    if (bodyless) {
        framing->state = FRAMING_WHOLE;
    } else if (framing->chunked) {
        framing->state = FRAMING_CHUNK_SIZE;
    } else if (framing->has_length && !framing->has_encoding) {
        framing->state = framing->left > 0 ? FRAMING_LENGTH : FRAMING_WHOLE;
    } else {
        framing->state = FRAMING_TO_CLOSE;
        take_doubt(framing);
    }
    return 0;
}

/* ---- lines ---- */

static bool is_blank(tr_str line)
{
    return line.len == 1 || (line.len == 2 && line.ptr[0] == '\r');
}

/* Whether it ends with CR LF and has nothing else that some take for the end of a line. */
static bool is_clean(tr_str line)
{
    tr_str text;

    if (line.len < 2 || line.ptr[line.len - 2] != '\r')
        return false;
    text = str_n(line.ptr, line.len - 2);
    return !str_has_control(text) ||
           (str_find(text, '\r') == text.len && str_find(text, '\0') == text.len);
}

static int take_chunk_size(struct http_framing *framing, tr_str line)
{
    uint64_t size = 0;
    size_t i = 0;
    tr_str rest;

    for (; i < line.len; i++) {
        char c = (char)(line.ptr[i] | 0x20);
        if (!is_digit(line.ptr[i]) && (c < 'a' || c > 'f'))
            break;
        size = size * 16 + (uint64_t)(is_digit(line.ptr[i]) ? line.ptr[i] - '0' : c - 'a' + 10);
    }
    rest = str_trim(str_from(line, i));
    if (i == 0 || i > 15 || (rest.len > 0 && rest.ptr[0] != ';'))
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
    if (!is_clean(line))
        take_doubt(framing);
    rc = take_line(framing, line);
    if (rc == 0 && of_head && sink->line(bytes, 1, line.len, data) != line.len)
        rc = FRAMING_STOPPED;
    buf_clear(&framing->line);
    return rc;
}

/* ---- heads that came before ---- */

/* The same bytes make the same of a framing in which nothing came yet. */
static bool is_fresh(const struct http_framing *framing)
{
    return framing->state == FRAMING_HEAD && framing->lines_bytes == 0;
}

static int recall(struct http_framing *framing, const struct http_framing_sink *sink,
                  void *data, tr_str bytes, size_t *ret_used)
{
    const struct http_framing_memory *memory = framing->memory;
    tr_str head = buf_str(&memory->head);

    if (head.len == 0 || memory->after.to_head != framing->to_head || !str_starts(bytes, head))
        return 0;
    become(framing, memory->after);
    *ret_used = head.len;
    return sink->head(str_n(bytes.ptr, head.len), framing->status, data) ? 0 : FRAMING_STOPPED;
}

static void remember(struct http_framing *framing, tr_str head)
{
    struct http_framing_memory *memory = framing->memory;

    buf_clear(&memory->head);
    if (head.len > HEAD_MAX)
        return;
    buf_add_str(&memory->head, head);
    become(&memory->after, *framing);
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
    bool first = framing->memory && is_fresh(framing); /* the head that begins here         */
    size_t at = 0;
    int rc = 0;

    if (first)
        rc = recall(framing, sink, data, str_n(bytes, len), &at);
    first = first && at == 0;
    while (rc == 0 && at < len && framing->state != FRAMING_WHOLE) {
        bool body = framing->state == FRAMING_LENGTH || framing->state == FRAMING_TO_CLOSE ||
                    framing->state == FRAMING_CHUNK;
        size_t used;

        rc = (body ? cut_body : cut_line)(framing, sink, data, bytes + at, len - at, &used);
        at += used;
        if (first && framing->state != FRAMING_HEAD && rc == 0)
            remember(framing, str_n(bytes, at));
        first = first && framing->state == FRAMING_HEAD && framing->status != 0;
    }
    *ret_used = at;
    return rc;
}
