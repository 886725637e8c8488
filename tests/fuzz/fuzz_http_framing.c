/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a server sends. However a read cuts them, the same is made of them, and
 * nothing behind the end matters, and no more does whether its head is remembered. And of an
 * answer after which the connection is kept, another reader, one that knows no more than the
 * strictest form, finds the same end.
 */
#include "http/framing.h"

#include "base/mem.h"

#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                        \
    do {                                                                                       \
        if (!(condition))                                                                      \
            abort();                                                                           \
    } while (0)

struct seen {
    int rc;
    enum http_framing_state state;
    int status;
    bool keep;
    size_t used;
    struct buf lines, body;
};

static size_t see_line(char *line, size_t size, size_t count, void *data)
{
    MUST(size * count > 0 && line[size * count - 1] == '\n');
    buf_add(&((struct seen *)data)->lines, line, size * count);
    return size * count;
}

static bool see_head(tr_str head, int status, void *data)
{
    MUST(head.len > 0 && head.ptr[head.len - 1] == '\n' && status >= 200);
    buf_add_str(&((struct seen *)data)->lines, head);
    return true;
}

static size_t see_body(char *bytes, size_t size, size_t count, void *data)
{
    MUST(size * count > 0);
    buf_add(&((struct seen *)data)->body, bytes, size * count);
    return size * count;
}

static const struct http_framing_sink sink = {
    .line = see_line, .head = see_head, .body = see_body};

/* Pieces of 1 to `most` bytes, each in memory of its own, so that a byte too far is seen. */
static struct seen read_all(const uint8_t *data, size_t size, bool to_head, size_t most,
                            struct http_framing_memory *memory)
{
    struct http_framing framing = {.memory = memory};
    struct seen seen = {0};
    unsigned dice = (unsigned)size;

    http_framing_reset(&framing, to_head);
    while (seen.rc == 0 && seen.used < size && framing.state != FRAMING_WHOLE) {
        size_t piece = (dice = dice * 1103515245 + 12345, (dice >> 16) % most + 1), used;
        char *bytes;

        piece = most > size || piece > size - seen.used ? size - seen.used : piece;
        bytes = mem_alloc(piece);
        memcpy(bytes, data + seen.used, piece);
        seen.rc = http_framing_take(&framing, &sink, &seen, bytes, piece, &used);
        free(bytes);
        MUST(used <= piece);
        MUST(used == piece || seen.rc < 0 || framing.state == FRAMING_WHOLE);
        seen.used += used;
    }
    seen.state = framing.state;
    seen.status = framing.status;
    seen.keep = framing.keep;
    if (framing.state == FRAMING_TO_CLOSE)
        MUST(http_framing_end(&framing) && !framing.keep);
    http_framing_fini(&framing);
    return seen;
}

static void seen_fini(struct seen *seen)
{
    buf_fini(&seen->lines);
    buf_fini(&seen->body);
}

static void must_agree(const struct seen *a, struct seen b)
{
    MUST(a->rc == b.rc && a->state == b.state && a->status == b.status && a->used == b.used);
    MUST(a->keep == b.keep);
    MUST(str_eq(buf_str(&a->lines), buf_str(&b.lines)));
    MUST(str_eq(buf_str(&a->body), buf_str(&b.body)));
    seen_fini(&b);
}

/* ---- the other reader ---- */

/* The next line without its CR LF, which `rest` then begins behind. */
static tr_str strict_line(tr_str *rest)
{
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    tr_str line;

    MUST(end);
    line = str_n(rest->ptr, (size_t)(end - rest->ptr));
    MUST(!memchr(line.ptr, '\n', line.len) && !memchr(line.ptr, '\r', line.len));
    *rest = str_from(*rest, line.len + 2);
    return line;
}

static bool is_field(tr_str line, const char *name, char *value, size_t cap)
{
    tr_str text, given = str_cut(line, ':', &text);

    if (given.len != strlen(name) || strncasecmp(given.ptr, name, given.len) != 0)
        return false;
    text = str_trim(text);
    MUST(text.len < cap);
    memcpy(value, text.ptr, text.len);
    value[text.len] = '\0';
    return true;
}

static void strict_chunks(tr_str *rest)
{
    size_t size;

    do {
        size = strtoul(strict_line(rest).ptr, NULL, 16);
        MUST(size <= rest->len);
        *rest = str_from(*rest, size);
        if (size > 0)
            MUST(strict_line(rest).len == 0);
    } while (size > 0);
    while (strict_line(rest).len > 0)
        ;
}

static size_t strict_end(tr_str all, bool to_head)
{
    tr_str rest = all, line;
    int status;

    do {
        size_t length = 0;
        bool chunked = false;
        char value[32];

        line = strict_line(&rest);
        MUST(line.len >= 12 && strncmp(line.ptr, "HTTP/1.", 7) == 0);
        status = (int)strtol(line.ptr + 9, NULL, 10);
        while ((line = strict_line(&rest)).len > 0) {
            MUST(line.ptr[0] > ' ' && memchr(line.ptr, ':', line.len));
            if (is_field(line, "Content-Length", value, sizeof(value)))
                length = strtoul(value, NULL, 10);
            else if (is_field(line, "Transfer-Encoding", value, sizeof(value)))
                chunked = true;
        }
        MUST(!chunked || length == 0);
        if (to_head || status < 200 || status == 204 || status == 304)
            MUST(!chunked && length == 0);
        MUST(length <= rest.len);
        rest = str_from(rest, length);
        if (chunked)
            strict_chunks(&rest);
    } while (status < 200);
    return all.len - rest.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int head = 0; head < 2; head++) {
        struct http_framing_memory memory = {0};
        struct seen whole = read_all(data, size, head, SIZE_MAX, &memory);

        must_agree(&whole, read_all(data, size, head, SIZE_MAX, &memory));
        must_agree(&whole, read_all(data, size, head, 1, NULL));
        must_agree(&whole, read_all(data, size, head, 7, &memory));
        must_agree(&whole, read_all(data, whole.used, head, SIZE_MAX, NULL));
        if (whole.rc == 0 && whole.state == FRAMING_WHOLE && whole.keep)
            MUST(strict_end(str_n((const char *)data, whole.used), head) == whole.used);
        seen_fini(&whole);
        http_framing_memory_fini(&memory);
    }
    return 0;
}
