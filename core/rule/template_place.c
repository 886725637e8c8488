/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of templates: what the text may hold there and how bytes are encoded. Pure; checks
 * run when a template is compiled, the encoding on any thread.
 */
#include "rule/template_part.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

static void write_percent(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";

    buf_add(out, (const char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
}

void write_percent_encoded(struct buf *out, tr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_unreserved(c))
            buf_add_char(out, (char)c);
        else
            write_percent(out, c);
    }
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A whole %XX at the begin of `text`. */
static bool is_percent_code(tr_str text)
{
    return text.len >= 3 && text.ptr[0] == '%' && is_hex(text.ptr[1]) && is_hex(text.ptr[2]);
}

/* How many bytes of `text` are one dot: 1 for ".", 3 for "%2e", 0 for anything else. */
static size_t dot_len(tr_str text)
{
    if (str_starts(text, STR(".")))
        return 1;
    return str_starts(text, STR("%2e")) || str_starts(text, STR("%2E")) ? 3 : 0;
}

static bool is_dot_segment(tr_str segment)
{
    size_t first = dot_len(segment);
    tr_str rest = str_from(segment, first);

    return first > 0 && (rest.len == 0 || dot_len(rest) == rest.len);
}

bool url_has_dot_segment(tr_str url, size_t path_at)
{
    tr_str path = str_from(url, path_at);
    size_t end = 0;

    while (end < path.len && path.ptr[end] != '?' && path.ptr[end] != '#')
        end++;
    path.len = end;
    while (path.len > 0) {
        tr_str segment = str_cut(path, '/', &path);
        if (is_dot_segment(segment))
            return true;
    }
    return false;
}

/* Where the authority of an http URL ends, or 0: not an http URL, or without a host. */
static size_t authority_end(tr_str url)
{
    size_t at = 0, end;

    if (strncasecmp(url.ptr, "https://", 8) == 0)
        at = 8;
    else if (strncasecmp(url.ptr, "http://", 7) == 0)
        at = 7;
    end = at;
    while (end < url.len && !strchr("/?#", url.ptr[end]))
        end++;
    return at > 0 && end > at ? end : 0;
}

/* Each variable being some letter: a dot segment that no value could save. */
static bool has_own_dot_segment(const tr_template *tmpl, size_t path_at)
{
    struct buf url = {0};
    bool has;

    for (size_t i = 0; i < tmpl->count; i++)
        buf_add_str(&url, tmpl->parts[i].kind == PART_TEXT ? tmpl->parts[i].text : STR("x"));
    has = url_has_dot_segment(buf_str(&url), path_at);
    buf_fini(&url);
    return has;
}

static int check_url_text(tr_str text, struct error *error)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c == 0x7f)
            return error_set(error, ERR_CONFIG,
                             "the URL holds the byte 0x%02x; write %%%02X instead", c, c);
        if (c == '%' && !is_percent_code(str_from(text, i)))
            return error_set(error, ERR_CONFIG,
                             "the URL holds a %% that is not the begin of a code such as %%20; "
                             "write %%25 instead");
    }
    return 0;
}

static int check_url(tr_template *tmpl, struct error *error)
{
    tr_str first = tmpl->count > 0 ? tmpl->parts[0].text : STR("");
    size_t end;
    int rc;

    if (tmpl->count > 0 && tmpl->parts[0].kind != PART_TEXT)
        return error_set(error, ERR_CONFIG,
                         "the URL begins with the variable " STR_FMT
                         "; write scheme, user, host and port themselves, only what follows "
                         "them may vary",
                         STR_ARG(first));
    end = authority_end(first);
    if (end == 0)
        return error_set(
            error, ERR_CONFIG,
            "the URL is not absolute; begin it with https:// or http:// and a host, "
            "neither of them in a variable");
    if (end == first.len && tmpl->count > 1)
        return error_set(error, ERR_CONFIG,
                         "the URL has the variable " STR_FMT
                         " in its user, host or port; write those themselves, and a / in front "
                         "of the first variable",
                         STR_ARG(tmpl->parts[1].text));
    for (size_t i = 0; i < end; i++)
        if (strchr("{}\\", first.ptr[i]) && first.ptr[i] != '\0')
            return error_set(error, ERR_CONFIG,
                             "the URL has a '%c' in its user, host or port; only what follows "
                             "them may hold variables",
                             first.ptr[i]);
    for (size_t i = 0; i < tmpl->count; i++) {
        bool is_text = tmpl->parts[i].kind == PART_TEXT;
        rc = is_text ? check_url_text(tmpl->parts[i].text, error) : 0;
        if (rc != 0)
            return rc;
    }
    if (has_own_dot_segment(tmpl, end))
        return error_set(error, ERR_CONFIG,
                         "the URL has a path segment \".\" or \"..\"; write the path as it is "
                         "meant");
    tmpl->path_at = end;
    return 0;
}

static int check_header(tr_template *tmpl, struct error *error)
{
    for (size_t i = 0; i < tmpl->count; i++)
        if (str_has_control(tmpl->parts[i].text))
            return error_set(error, ERR_CONFIG,
                             "a header cannot hold a line end or another control byte; remove "
                             "it");
    return 0;
}

/* Replaces the text between the variables by what `write` makes of it. */
static void rewrite_text(tr_template *tmpl, void (*write)(struct buf *out, tr_str text))
{
    struct buf out = {0};

    for (size_t i = 0; i < tmpl->count; i++) {
        struct part *part = &tmpl->parts[i];
        if (part->kind != PART_TEXT)
            continue;
        buf_clear(&out);
        write(&out, part->text);
        part->text = arena_str(&tmpl->arena, buf_str(&out));
    }
    buf_fini(&out);
}

/* The text between is mostly syntax, but it may be a plain value with spaces in it. */
static void write_query(struct buf *out, tr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' ||
            (c == '%' && !is_percent_code(str_from(text, i))))
            write_percent(out, c);
        else
            buf_add_char(out, (char)c);
    }
}

int template_check_place(tr_template *tmpl, struct error *error)
{
    switch (tmpl->place) {
    case TR_PLACE_TEXT: return 0;
    case TR_PLACE_URL: return check_url(tmpl, error);
    case TR_PLACE_QUERY: rewrite_text(tmpl, write_query); return 0;
    case TR_PLACE_HEADER: return check_header(tmpl, error);
    case TR_PLACE_JSON: rewrite_text(tmpl, json_write_escaped); return 0;
    default:
        return error_set(error, ERR_CONFIG, "there is no template place %d; use a TR_PLACE_…",
                         (int)tmpl->place);
    }
}
