/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes and words of a configuration text. Called by the scanner. Any thread.
 */
#include "config/scan_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* The length of the UTF-8 sequence at `p`, or 0: overlong ones, surrogates and what lies past
 * U+10FFFF are none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (len == 0 || len > left || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

int scan_check_bytes(tr_str text, const char *file, struct diags *diags)
{
    struct diag *diag;
    int line = 1;
    size_t at = 0;

    while (at < text.len) {
        size_t len = utf8_len((const unsigned char *)text.ptr + at, text.len - at);
        if (len == 0 || text.ptr[at] == '\0')
            break;
        line += text.ptr[at] == '\n';
        at += len;
    }
    if (at == text.len)
        return 0;
    if (text.ptr[at] == '\0') {
        diag_add(diags, DIAG_ERROR, file, line, NULL, "a NUL byte stands here; take it out");
    } else {
        diag = diag_add(diags, DIAG_ERROR, file, line, NULL,
                        "the byte 0x%02x is not part of UTF-8 text",
                        (unsigned)(unsigned char)text.ptr[at]);
        diag_remedy(diags, diag, "save the file as UTF-8");
    }
    return ERR_CONFIG;
}

tr_str scan_take_word(tr_str text)
{
    size_t len = 0;

    while (len < text.len && (isalnum((unsigned char)text.ptr[len]) ||
                              (text.ptr[len] != '\0' && strchr("_-+.*", text.ptr[len])) ||
                              (unsigned char)text.ptr[len] >= 0x80))
        len++;
    return str_n(text.ptr, len);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

bool scan_is_name(tr_str word)
{
    if (word.len == 0 || !is_letter(word.ptr[0]) || scan_word_kind(word) == SCAN_BOOL)
        return false;
    for (size_t i = 1; i < word.len; i++) {
        char c = word.ptr[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* Whether all of `text` was one number and it fits: SCAN_NOT_A_VALUE when it was not. */
static enum scan_kind judge_int(const char *text, const char *digits, int base)
{
    char *end;

    if (!isxdigit((unsigned char)*digits))
        return SCAN_NOT_A_VALUE;
    errno = 0;
    (void)strtoll(text, &end, base);
    for (int i = 0; i < 2 && *end == 'L'; i++)
        end++;
    if (*end != '\0')
        return SCAN_NOT_A_VALUE;
    return errno == ERANGE ? SCAN_TOO_LARGE : SCAN_INT;
}

static enum scan_kind judge_float(const char *text)
{
    char *end;
    double value;

    if (!strpbrk(text, "0123456789") || strspn(text, "0123456789+-.eE") != strlen(text))
        return SCAN_NOT_A_VALUE;
    value = strtod(text, &end);
    if (*end != '\0')
        return SCAN_NOT_A_VALUE;
    return isfinite(value) ? SCAN_OTHER_NUMBER : SCAN_TOO_LARGE;
}

enum scan_kind scan_word_kind(tr_str word)
{
    char text[400]; /* longer than any number that fits */
    const char *digits = text;
    enum scan_kind kind;

    if (word.len >= sizeof(text))
        return SCAN_NOT_A_VALUE;
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
        return SCAN_BOOL;
    if (strncasecmp(text, "0x", 2) == 0)
        return judge_int(text, text + 2, 16);
    if (*digits == '+' || *digits == '-')
        digits++;
    kind = isdigit((unsigned char)*digits) ? judge_int(text, digits, 10) : SCAN_NOT_A_VALUE;
    return kind == SCAN_NOT_A_VALUE ? judge_float(text) : kind;
}
