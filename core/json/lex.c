/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of JSON. Called by the other files of this folder, on any thread.
 */
#include "json/lex.h"

#include "json/block.h"
#include "json/skip.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* From the backslash on. */
static enum json_lex lex_escape(const char **at, const char *end)
{
    const char *p = *at + 1;

    if (p == end)
        return LEX_MORE;
    switch (*p++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': break;
    case 'u':
        for (int i = 0; i < 4; i++, p++) {
            if (p == end)
                return LEX_MORE;
            if (hex_digit(*p) < 0)
                return LEX_BAD;
        }
        break;
    default: return LEX_BAD;
    }
    *at = p;
    return LEX_DONE;
}

enum json_lex json_lex_string(const char **at, const char *end)
{
    const char *p = *at;

    if (p == end)
        return LEX_MORE;
    if (*p++ != '"')
        return LEX_BAD;
    for (;;) {
        enum json_lex lex;

        p = json_plain(p, end);
        if (p == end)
            return LEX_MORE;
        if (*p == '"')
            break;
        lex = *p == '\\' ? lex_escape(&p, end) : LEX_BAD;
        if (lex != LEX_DONE)
            return lex;
    }
    *at = p + 1;
    return LEX_DONE;
}

static const char *digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

bool json_lex_is_number(tr_str raw)
{
    const char *at = raw.ptr, *from;
    const char *end;

    if (raw.len == 0)
        return false;
    end = at + raw.len;
    at += *at == '-';
    from = at;
    at = digits(at, end);
    if (at == from || (*from == '0' && at - from > 1))
        return false;
    if (at < end && *at == '.') {
        from = at + 1;
        at = digits(from, end);
        if (at == from)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        from = at;
        at = digits(from, end);
        if (at == from)
            return false;
    }
    return at == end;
}

static enum json_lex lex_number(const char **at, const char *end)
{
    const char *p = *at;

    while (p < end && ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == '.' ||
                       *p == 'e' || *p == 'E'))
        p++;
    if (p == end)
        return LEX_MORE;
    if (!json_lex_is_number(str_n(*at, (size_t)(p - *at))))
        return LEX_BAD;
    *at = p;
    return LEX_DONE;
}

static enum json_lex lex_word(const char **at, const char *end, tr_str word)
{
    size_t there = (size_t)(end - *at);

    if (memcmp(*at, word.ptr, there < word.len ? there : word.len) != 0)
        return LEX_BAD;
    if (there < word.len)
        return LEX_MORE;
    *at += word.len;
    return LEX_DONE;
}

static enum json_lex lex_container(const char **at, const char *end)
{
    struct json_skip skip = {0};
    const char *behind = json_skip_more(&skip, *at, end);

    if (!behind)
        return LEX_MORE;
    *at = behind;
    return LEX_DONE;
}

enum json_lex json_lex_value(const char **at, const char *end)
{
    if (*at == end)
        return LEX_MORE;
    switch (**at) {
    case '"': return json_lex_string(at, end);
    case '{':
    case '[': return lex_container(at, end);
    case 't': return lex_word(at, end, STR("true"));
    case 'f': return lex_word(at, end, STR("false"));
    case 'n': return lex_word(at, end, STR("null"));
    default: break;
    }
    return **at == '-' || (**at >= '0' && **at <= '9') ? lex_number(at, end) : LEX_BAD;
}

enum json_lex json_lex_member(const char **at, const char *end, tr_str *ret_key,
                              tr_str *ret_value)
{
    const char *key = *at, *p = *at, *value;
    enum json_lex lex = json_lex_string(&p, end);
    size_t key_len = (size_t)(p - key);

    if (lex != LEX_DONE)
        return lex;
    p = json_lex_space(p, end);
    if (p == end)
        return LEX_MORE;
    if (*p != ':')
        return LEX_BAD;
    value = p = json_lex_space(p + 1, end);
    lex = json_lex_value(&p, end);
    if (lex != LEX_DONE)
        return lex;
    *ret_key = str_n(key + 1, key_len - 2);
    *ret_value = str_n(value, (size_t)(p - value));
    *at = p;
    return LEX_DONE;
}

bool json_lex_key_is_all(tr_str key, tr_str name)
{
    const char *at = key.ptr, *end = at + key.len;
    size_t done = 0;

    if (key.len == name.len)
        return key.len == 0 ||
               (memcmp(at, name.ptr, name.len) == 0 && !memchr(at, '\\', name.len));
    while (at < end) {
        char piece[4];
        size_t n = 1;

        if (*at == '\\')
            n = json_lex_unescape(&at, end, piece);
        else
            piece[0] = *at++;
        if (n > name.len - done || memcmp(piece, name.ptr + done, n) != 0)
            return false;
        done += n;
    }
    return done == name.len;
}

/* The 16 bits of the \uXXXX at `at`, or -1. */
static int32_t code_unit(const char *at, const char *end)
{
    int32_t code = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++)
        code = code << 4 | (hex_digit(at[i]) & 15);
    return code;
}

static size_t put_utf8(int32_t code, char to[4])
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

size_t json_lex_unescape(const char **at, const char *end, char to[4])
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    int32_t code = code_unit(*at, end);
    const char *letter;

    if (code < 0) {
        letter = memchr(letters, (*at)[1], sizeof(letters) - 1);
        to[0] = letter ? meanings[letter - letters] : (*at)[1];
        *at += 2;
        return 1;
    }
    *at += 6;
    if (code >= 0xd800 && code < 0xdc00) {
        int32_t low = code_unit(*at, end);

        if (low >= 0xdc00 && low < 0xe000) {
            *at += 6;
            return put_utf8(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), to);
        }
    }
    if (code >= 0xd800 && code < 0xe000)
        code = 0xfffd;
    return put_utf8(code, to);
}
