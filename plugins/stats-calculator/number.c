/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON numbers to doubles and back, whatever locale some plugin has set. Most numbers of
 * documents have few digits, and need no strtod(). Any thread.
 */
#include "value.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>

enum { FEW_DIGITS = 15, LONG_DIGITS = 1100 };

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* At most FEW_DIGITS digits: the whole number and the power of ten are doubles as they are, and
 * so their quotient is rounded once. */
static bool read_short(tr_str raw, double *ret_number)
{
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char *at = raw.ptr, *end = raw.ptr + raw.len, *point = NULL;
    bool is_negative = *at == '-';
    uint64_t whole = 0;
    int digits = 0;
    double number;

    for (at += is_negative; at < end; at++) {
        if (*at == '.' && !point && digits > 0) {
            point = at;
            continue;
        }
        if (!is_digit(*at) || ++digits > FEW_DIGITS)
            return false;
        whole = 10 * whole + (uint64_t)(*at - '0');
    }
    if (digits == 0 || (point && end - point < 2))
        return false;
    number = (double)whole / (point ? tens[end - point - 1] : 1);
    *ret_number = is_negative && whole > 0 ? -number : number;
    return true;
}

static bool read_any(const char *text, size_t len, double *ret_number)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char *end;
    double number;

    pthread_once(&once, make_c_locale);
    number = c_locale ? strtod_l(text, &end, c_locale) : strtod(text, &end);
    if (end != text + len || !isfinite(number))
        return false;
    *ret_number = number == 0 ? 0 : number; /* -0 is 0 */
    return true;
}

bool value_read_number(tr_str raw, double *ret_number)
{
    char text[LONG_DIGITS + 1];

    if (raw.len == 0 || (!is_digit(raw.ptr[0]) && raw.ptr[0] != '-'))
        return false;
    if (read_short(raw, ret_number))
        return true;
    /* More digits than any double needs to be told from its neighbours are not looked at. */
    if (raw.len > LONG_DIGITS)
        return false;
    for (size_t i = 0; i < raw.len; i++)
        if (!is_digit(raw.ptr[i]) && !memchr("+-.eE", raw.ptr[i], 5))
            return false; /* what strtod() takes and JSON does not: 0x10, -inf              */
    memcpy(text, raw.ptr, raw.len);
    text[raw.len] = '\0';
    return read_any(text, raw.len, ret_number);
}

void value_show_number(double number, tr_text *out)
{
    char text[40];
    double back;

    if (!isfinite(number)) {
        tr_text_add_c(out, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        int len = snprintf(text, sizeof(text), "%.*g", digits, number);

        for (int i = 0; i < len; i++)
            if (text[i] == ',')
                text[i] = '.';
        if (read_any(text, (size_t)len, &back) && back == number)
            break;
    }
    tr_text_add_c(out, text);
}
