/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of fields: what kind they are, numbers as doubles, and the bytes by which a value is
 * counted and told from others. The order of the bytes of numbers is that of the numbers. Any
 * thread.
 *
 * A text of more than VALUE_TEXT bytes is its beginning and a hash of 128 bits of the whole.
 */
#ifndef STATS_VALUE_H
#define STATS_VALUE_H

#include "bytes.h"

enum {
    VALUE_TEXT = 128,
    VALUE_BYTES = 1 + VALUE_TEXT + 16 /* of a value at most                                  */
};

/* VALUE_BAD: an object, an array, or a number that is beyond all doubles. */
enum value_kind { VALUE_MISSING, VALUE_BAD, VALUE_NUMBER, VALUE_TEXT_SHORT, VALUE_OTHER };

struct value {
    enum value_kind kind;
    double number;
    uint8_t len; /* 0: missing or bad                                                        */
    char bytes[VALUE_BYTES];
};

/* Reads raw JSON; empty: the field is missing, as null is. `scratch` is room for long texts. */
void value_read(struct value *ret_value, const tr_json *json, tr_str raw, tr_text *scratch);

/* Fills in the bytes of a number. */
void value_of_number(struct value *ret_value, double number);

/* Of the bytes of a number those behind the first: what they stand for. */
double value_ordered_number(const char bytes[8]);

/* A JSON number, rounded to the nearest double. False: it is none, or beyond them. */
bool value_read_number(tr_str raw, double *ret_number);

/* As JSON: the value, or for a long text its beginning and "…"; null: there is none. */
void value_show(tr_str bytes, const tr_json *json, tr_text *out);
/* As text without quotes. */
void value_show_plain(tr_str bytes, tr_text *out);

/* The shortest digits that stand for the number; null if it is infinite. */
void value_show_number(double number, tr_text *out);

uint64_t value_hash(tr_str bytes);

#endif
