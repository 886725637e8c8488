/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of values: a first one that says what it is, and
 *
 *     TAG_FALSE, TAG_TRUE   nothing
 *     TAG_NUMBER            8 bytes, whose order is that of the numbers
 *     TAG_TEXT              the text
 *     TAG_LONG              16 bytes of hash and the beginning of the text
 *
 * Called for each change and where figures are shown.
 */
#include "value.h"

#include <xxhash.h>

enum { TAG_FALSE = 1, TAG_TRUE, TAG_NUMBER, TAG_TEXT, TAG_LONG };

uint64_t value_hash(tr_str bytes)
{
    return XXH3_64bits(bytes.ptr, bytes.len);
}

void value_of_number(struct value *ret_value, double number)
{
    uint64_t bits;

    ret_value->kind = VALUE_NUMBER;
    ret_value->number = number;
    memcpy(&bits, &number, sizeof(bits));
    bits = bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
    ret_value->bytes[0] = TAG_NUMBER;
    bytes_put_ordered(ret_value->bytes + 1, bits, 8);
    ret_value->len = 9;
}

double value_ordered_number(const char bytes[8])
{
    uint64_t bits = bytes_get_ordered(bytes, 8);
    double number;

    bits = bits >> 63 ? bits & ~(UINT64_C(1) << 63) : ~bits;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static void take_long(struct value *value, const tr_json *json, tr_str raw, tr_text *scratch)
{
    XXH128_canonical_t hash;
    size_t len = VALUE_TEXT;
    tr_str text;

    tr_text_clear(scratch);
    text = tr_text_at(scratch, tr_text_add_decoded(scratch, json, raw));
    if (text.len <= VALUE_TEXT) /* it is no text, or there is no memory for it              */
        return;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(text.ptr, text.len));
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    value->kind = VALUE_OTHER;
    value->bytes[0] = TAG_LONG;
    memcpy(value->bytes + 1, hash.digest, sizeof(hash.digest));
    memcpy(value->bytes + 1 + sizeof(hash.digest), text.ptr, len);
    value->len = (uint8_t)(1 + sizeof(hash.digest) + len);
}

static void take_text(struct value *value, const tr_json *json, tr_str raw, tr_text *scratch)
{
    size_t len = 0;

    if (json->decode(raw, value->bytes + 1, VALUE_TEXT, &len) != TR_OK) {
        if (len > VALUE_TEXT)
            take_long(value, json, raw, scratch);
        return;
    }
    value->kind = VALUE_TEXT_SHORT;
    value->bytes[0] = TAG_TEXT;
    value->len = (uint8_t)(1 + len);
}

void value_read(struct value *ret_value, const tr_json *json, tr_str raw, tr_text *scratch)
{
    double number;

    ret_value->len = 0;
    ret_value->kind = VALUE_BAD;
    if (raw.len == 0 || raw.ptr[0] == 'n') {
        ret_value->kind = VALUE_MISSING;
    } else if (raw.ptr[0] == '"') {
        take_text(ret_value, json, raw, scratch);
    } else if (raw.ptr[0] == 't' || raw.ptr[0] == 'f') {
        ret_value->kind = VALUE_OTHER;
        ret_value->bytes[0] = raw.ptr[0] == 't' ? TAG_TRUE : TAG_FALSE;
        ret_value->len = 1;
    } else if (value_read_number(raw, &number)) {
        value_of_number(ret_value, number);
    }
}

void value_show_plain(tr_str bytes, tr_text *out)
{
    unsigned char tag = bytes.len > 0 ? (unsigned char)bytes.ptr[0] : 0;

    if (tag == TAG_NUMBER && bytes.len == 9) {
        value_show_number(value_ordered_number(bytes.ptr + 1), out);
    } else if (tag == TAG_TEXT) {
        tr_text_add(out, tr_str_n(bytes.ptr + 1, bytes.len - 1));
    } else if (tag == TAG_LONG && bytes.len > 17) {
        tr_text_add(out, tr_str_n(bytes.ptr + 17, bytes.len - 17));
        tr_text_add_c(out, "…");
    } else {
        tr_text_add_c(out, tag == TAG_TRUE ? "true" : tag == TAG_FALSE ? "false" : "null");
    }
}

void value_show(tr_str bytes, const tr_json *json, tr_text *out)
{
    unsigned char tag = bytes.len > 0 ? (unsigned char)bytes.ptr[0] : 0;
    char text[VALUE_BYTES + 4];
    size_t len;

    if (tag == TAG_TEXT) {
        tr_text_add_string(out, json, tr_str_n(bytes.ptr + 1, bytes.len - 1));
    } else if (tag == TAG_LONG && bytes.len > 17 && bytes.len <= VALUE_BYTES) {
        len = bytes.len - 17;
        memcpy(text, bytes.ptr + 17, len);
        memcpy(text + len, "…", 3);
        tr_text_add_string(out, json, tr_str_n(text, len + 3));
    } else {
        value_show_plain(bytes, out);
    }
}
