/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times of documents, and the buckets that they fall into: whole widths since 1970 in UTC,
 * weeks from Monday on, months and years as the calendar has them. Pure; any thread.
 */
#include "stats.h"

#include <math.h>
#include <time.h>

enum { DAY = 86400, WEEK = 7 * DAY, MONDAY = 4 * DAY };

/* Numbers from here on are milliseconds; as seconds they would lie beyond the year 5000. */
#define MILLISECONDS 1e11
/* The years 0 to 9999. */
#define TIME_MIN (-62167219200.0)
#define TIME_MAX 253402300799.0

bool bucket_parse(const char *text, struct bucket *ret_bucket)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", DAY}, {"w", WEEK}};
    struct bucket bucket = {0};
    char *unit;
    long count = strtol(text, &unit, 10);

    if (strcmp(text, "month") == 0 || strcmp(text, "year") == 0) {
        bucket.months = text[0] == 'm' ? 1 : 12;
        *ret_bucket = bucket;
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (text[0] >= '1' && text[0] <= '9' && count <= 100000 &&
            strcmp(unit, units[i].unit) == 0)
            bucket.seconds = count * units[i].seconds;
    if (bucket.seconds == 0)
        return false;
    *ret_bucket = bucket;
    return true;
}

/* ---- the calendar ---- */

/* Days since 1970 of a date of the Gregorian calendar, counted in years from March on, so that
 * the day that may be missing is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t shifted = month > 2 ? year : year - 1, era, of_era, of_year;

    era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    of_era = shifted - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void show(int64_t time, struct tm *ret_tm)
{
    time_t seconds = (time_t)time;

    if (!gmtime_r(&seconds, ret_tm))
        memset(ret_tm, 0, sizeof(*ret_tm));
}

/* ---- ISO 8601 ---- */

struct cursor {
    const char *at, *end;
};

static bool take_digits(struct cursor *it, int count, int64_t *ret_number)
{
    int64_t number = 0;

    for (int i = 0; i < count; i++, it->at++) {
        if (it->at == it->end || *it->at < '0' || *it->at > '9')
            return false;
        number = 10 * number + (*it->at - '0');
    }
    *ret_number = number;
    return true;
}

static bool take(struct cursor *it, char c)
{
    if (it->at == it->end || *it->at != c)
        return false;
    it->at++;
    return true;
}

static bool take_date(struct cursor *it, int64_t *ret_time)
{
    static const int64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day, last;

    if (!take_digits(it, 4, &year) || !take(it, '-') || !take_digits(it, 2, &month) ||
        !take(it, '-') || !take_digits(it, 2, &day) || month < 1 || month > 12)
        return false;
    last = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        last = 29;
    if (day < 1 || day > last)
        return false;
    *ret_time = days_of(year, month, day) * DAY;
    return true;
}

static bool take_clock(struct cursor *it, int64_t *time)
{
    int64_t hour, minute, second = 0, digit;

    if (!take_digits(it, 2, &hour) || !take(it, ':') || !take_digits(it, 2, &minute))
        return false;
    if (take(it, ':') && !take_digits(it, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60) /* a leap second is of the next minute      */
        return false;
    if ((take(it, '.') || take(it, ',')) && !take_digits(it, 1, &digit))
        return false;
    while (it->at < it->end && *it->at >= '0' && *it->at <= '9')
        it->at++;
    *time += hour * 3600 + minute * 60 + second;
    return true;
}

/* Without one it is UTC. */
static bool take_zone(struct cursor *it, int64_t *time)
{
    int64_t hours, minutes = 0, sign;

    if (it->at == it->end)
        return true;
    if (take(it, 'Z') || take(it, 'z'))
        return it->at == it->end;
    sign = *it->at == '-' ? 1 : -1;
    if (!take(it, '+') && !take(it, '-'))
        return false;
    if (!take_digits(it, 2, &hours))
        return false;
    if (it->at < it->end) {
        (void)take(it, ':');
        if (!take_digits(it, 2, &minutes))
            return false;
    }
    if (hours > 23 || minutes > 59 || it->at != it->end)
        return false;
    *time += sign * (hours * 3600 + minutes * 60);
    return true;
}

bool bucket_read_time(const struct value *value, int64_t *ret_time)
{
    struct cursor it = {.at = value->bytes + 1, .end = value->bytes + value->len};
    double number = value->number;
    int64_t time;

    if (value->kind == VALUE_NUMBER) {
        if (fabs(number) >= MILLISECONDS)
            number /= 1000;
        if (!(number >= TIME_MIN && number <= TIME_MAX))
            return false;
        *ret_time = (int64_t)floor(number);
        return true;
    }
    if (value->kind != VALUE_TEXT_SHORT || !take_date(&it, &time))
        return false;
    if (it.at < it.end) {
        if (!take(&it, 'T') && !take(&it, 't') && !take(&it, ' '))
            return false;
        if (!take_clock(&it, &time) || !take_zone(&it, &time))
            return false;
    }
    *ret_time = time;
    return true;
}

/* ---- buckets ---- */

int64_t bucket_begin(const struct bucket *bucket, int64_t time)
{
    int64_t from = bucket->seconds % WEEK == 0 ? MONDAY : 0, rest;
    struct tm tm;

    if (bucket->months > 0) {
        show(time, &tm);
        return days_of(tm.tm_year + 1900, bucket->months == 1 ? tm.tm_mon + 1 : 1, 1) * DAY;
    }
    rest = (time - from) % bucket->seconds;
    return time - (rest < 0 ? rest + bucket->seconds : rest);
}

void bucket_put(char bytes[8], int64_t time)
{
    bytes_put_ordered(bytes, (uint64_t)time ^ UINT64_C(1) << 63, 8);
}

int64_t bucket_get(const char bytes[8])
{
    return (int64_t)(bytes_get_ordered(bytes, 8) ^ UINT64_C(1) << 63);
}

void bucket_show(int64_t time, tr_text *out)
{
    struct tm tm;

    show(time, &tm);
    tr_text_addf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
