/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner: tokens, a stack of open groups and lists, and the names seen in each group.
 * Called by the parser for every file. Any thread.
 */
#include "config/scan.h"

#include "base/map.h"
#include "config/scan_text.h"

#include <stdio.h>

struct level {
    char close; /* '}', ']' or ')'                                                         */
    int line;
    size_t scope; /* a number for each group of the file, to tell equal names apart        */
};

struct scanner {
    tr_str text;
    size_t at;
    int line;
    const char *file;
    struct diags *diags;
    struct buf *out;
    struct level levels[CONFIG_DEPTH_MAX + 1];
    size_t depth, scopes;
    struct map names; /* "scope.name" to the line of its first use                         */
    tr_str name;      /* the last name, until its '='                                       */
    int name_line;
    char last; /* the kind of the last token: a punctuation, 'n'ame, 's'tring, 'v'alue     */
    bool failed, stopped;
};

#define complain(scanner, line_, ...)                                                          \
    ((scanner)->failed = true,                                                                 \
     diag_add((scanner)->diags, DIAG_ERROR, (scanner)->file, (line_), NULL, __VA_ARGS__))

static struct level *top(struct scanner *scanner)
{
    return &scanner->levels[scanner->depth];
}

static char peek(const struct scanner *scanner, size_t ahead)
{
    size_t at = scanner->at + ahead;

    return at < scanner->text.len ? scanner->text.ptr[at] : '\0';
}

/* Steps over `len` bytes; only their line ends reach libconfig. */
static void skip(struct scanner *scanner, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (peek(scanner, i) != '\n')
            continue;
        buf_add_char(scanner->out, '\n');
        scanner->line++;
    }
    buf_add_char(scanner->out, ' ');
    scanner->at += len;
}

/* Takes `len` bytes as they are. */
static void take(struct scanner *scanner, size_t len)
{
    tr_str part = str_n(scanner->text.ptr + scanner->at, len);

    for (size_t i = 0; i < len; i++)
        scanner->line += part.ptr[i] == '\n';
    buf_add_str(scanner->out, part);
    scanner->at += len;
}

static bool in_list(struct scanner *scanner)
{
    return top(scanner)->close != '}';
}

static bool wants_value(struct scanner *scanner)
{
    return scanner->last == '=' || in_list(scanner);
}

/* How far the comment at `at` goes; 0: there is none. */
static size_t comment_len(struct scanner *scanner)
{
    tr_str rest = str_from(scanner->text, scanner->at);
    const char *end;

    if (peek(scanner, 0) == '#' || str_starts(rest, STR("//")))
        return str_find(rest, '\n');
    if (!str_starts(rest, STR("/*")))
        return 0;
    end = rest.len > 2 ? memmem(rest.ptr + 2, rest.len - 2, "*/", 2) : NULL;
    if (end)
        return (size_t)(end - rest.ptr) + 2;
    complain(scanner, scanner->line, "a comment begins here with /* and never ends");
    scanner->stopped = true;
    return rest.len;
}

/* Something that cannot follow a name follows one. */
static bool lacks_assignment(struct scanner *scanner)
{
    if (scanner->last != 'n')
        return false;
    complain(scanner, scanner->name_line, "a \"=\" is missing behind \"" STR_FMT "\"",
             STR_ARG(scanner->name));
    return true;
}

/* An item begins in a list behind another one. libconfig would notice too, and would leave a
 * text that it holds behind. */
static void want_comma(struct scanner *scanner)
{
    if (in_list(scanner) && strchr("vs]})", scanner->last))
        complain(scanner, scanner->line, "a comma is missing between two items of a list");
}

/* Complains of a text without its closing quote, and of what cannot stand in one. */
static size_t string_len(struct scanner *scanner)
{
    struct diag *diag;
    size_t len = 1;

    for (; scanner->at + len < scanner->text.len && peek(scanner, len) != '"'; len++) {
        if (peek(scanner, len) != '\\')
            continue;
        if (peek(scanner, len + 1) == '"' || peek(scanner, len + 1) == '\\')
            len++;
        else if (str_starts(str_from(scanner->text, scanner->at + len), STR("\\x00")))
            complain(scanner, scanner->line, "a text cannot hold \\x00");
    }
    if (scanner->at + len < scanner->text.len)
        return len + 1;
    diag = complain(scanner, scanner->line,
                    "a text begins here and its closing quote is missing");
    diag_remedy(scanner->diags, diag, "end it with \"");
    scanner->stopped = true;
    return scanner->text.len - scanner->at;
}

static void scan_string(struct scanner *scanner)
{
    int line = scanner->line;
    size_t len = string_len(scanner);
    struct diag *diag;

    if (!lacks_assignment(scanner) && !wants_value(scanner) && scanner->last != 's') {
        diag = complain(scanner, line, "a text stands where a name is wanted");
        diag_remedy(scanner->diags, diag, "write names without quotes: name = value;");
    }
    if (scanner->last != 's') /* two texts are one */
        want_comma(scanner);
    take(scanner, len);
    scanner->last = 's';
}

static void open_level(struct scanner *scanner, char close)
{
    struct diag *diag;

    if (scanner->depth == CONFIG_DEPTH_MAX) {
        diag = complain(scanner, scanner->line,
                        "more than %d groups and lists stand within each other",
                        CONFIG_DEPTH_MAX);
        diag_remedy(scanner->diags, diag, "nest less deeply");
        scanner->stopped = true;
        return;
    }
    scanner->depth++;
    *top(scanner) = (struct level){close, scanner->line, ++scanner->scopes};
}

static void close_level(struct scanner *scanner, char close)
{
    struct diag *diag;

    if (scanner->depth == 0) {
        diag = complain(scanner, scanner->line, "\"%c\" closes nothing", close);
        diag_remedy(scanner->diags, diag, "take it out");
    } else if (top(scanner)->close != close) {
        diag = complain(scanner, scanner->line,
                        "\"%c\" stands where \"%c\" is wanted, for what line %d opened", close,
                        top(scanner)->close, top(scanner)->line);
        diag_remedy(scanner->diags, diag, "close what was opened last first");
    } else {
        if (scanner->last == ',' && close != '}')
            complain(scanner, scanner->line, "a comma stands before the \"%c\"; take it out",
                     close);
        scanner->depth--;
        return;
    }
    /* What follows would only be misread. */
    scanner->stopped = true;
}

/* The '=' behind a name: the name is taken in its group from now on. */
static void claim_name(struct scanner *scanner)
{
    char scope[32];
    struct buf key = {0};
    struct diag *diag;
    uintptr_t first;

    if (scanner->last != 'n')
        return;
    snprintf(scope, sizeof(scope), "%zu.", top(scanner)->scope);
    buf_add_c(&key, scope);
    buf_add_str(&key, scanner->name);
    first = (uintptr_t)map_get(&scanner->names, buf_str(&key));
    if (first) {
        diag = complain(scanner, scanner->name_line,
                        "\"" STR_FMT "\" is given a second time; the first is in line %d",
                        STR_ARG(scanner->name), (int)first);
        diag_remedy(scanner->diags, diag, "keep one of them");
    } else {
        map_set(&scanner->names, buf_str(&key), (void *)(uintptr_t)scanner->name_line);
    }
    buf_fini(&key);
}

static void scan_punctuation(struct scanner *scanner)
{
    char c = peek(scanner, 0);

    if (c != '=' && c != ':')
        (void)lacks_assignment(scanner);
    if (scanner->last == '=' && strchr("=:;,})]", c))
        complain(scanner, scanner->line, "a value is missing behind the \"=\"");
    if (in_list(scanner) && strchr("=:;", c))
        complain(scanner, scanner->line, "\"%c\" cannot stand in a list", c);
    if (strchr("{[(", c))
        want_comma(scanner);
    switch (c) {
    case '=':
    case ':':
        claim_name(scanner);
        c = '=';
        break;
    case '{': open_level(scanner, '}'); break;
    case '[': open_level(scanner, ']'); break;
    case '(': open_level(scanner, ')'); break;
    case '}':
    case ']':
    case ')': close_level(scanner, c); break;
    default: break; /* libconfig judges what is left */
    }
    take(scanner, 1);
    scanner->last = c;
}

static void scan_at_sign(struct scanner *scanner)
{
    struct diag *diag;

    if (str_starts(str_from(scanner->text, scanner->at), STR("@include"))) {
        diag = complain(scanner, scanner->line, "@include is not allowed");
        diag_remedy(scanner->diags, diag,
                    "put the file into the conf.d directory, where all *.conf files are read");
    } else {
        complain(scanner, scanner->line, "\"@\" cannot stand here");
    }
    skip(scanner, str_find(str_from(scanner->text, scanner->at), '\n'));
}

/* A bare word or a number where a value is wanted. The word itself is not shown: it may be a
 * password that lacks its quotes. */
static void judge_value(struct scanner *scanner, tr_str word)
{
    struct diag *diag;

    switch (scan_word_kind(word)) {
    case SCAN_INT:
        take(scanner, word.len);
        if (word.ptr[word.len - 1] != 'L')
            buf_add_char(scanner->out, 'L');
        return;
    case SCAN_OTHER_NUMBER:
    case SCAN_BOOL: take(scanner, word.len); return;
    case SCAN_TOO_LARGE:
        complain(scanner, scanner->line, "a number is too large; 64 bits are the most");
        break;
    case SCAN_NOT_A_VALUE:
        diag = complain(scanner, scanner->line,
                        "a value is neither a number nor true or false nor a text in quotes");
        diag_remedy(scanner->diags, diag, "write texts, also such as \"5s\", in quotes");
        break;
    }
    take(scanner, word.len);
}

static void scan_word(struct scanner *scanner)
{
    tr_str word = scan_take_word(str_from(scanner->text, scanner->at));
    struct diag *diag;

    if (wants_value(scanner)) {
        want_comma(scanner);
        judge_value(scanner, word);
        scanner->last = 'v';
        return;
    }
    (void)lacks_assignment(scanner);
    if (!scan_is_name(word)) {
        diag = complain(scanner, scanner->line, "\"" STR_FMT "\" cannot be a name",
                        STR_ARG(word));
        diag_remedy(scanner->diags, diag,
                    "begin with a letter; then letters, digits, \"-\" and \"_\"");
    }
    scanner->name = word;
    scanner->name_line = scanner->line;
    take(scanner, word.len);
    scanner->last = 'n';
}

static void scan_token(struct scanner *scanner)
{
    size_t comment = comment_len(scanner);
    char c = peek(scanner, 0);

    if (comment > 0)
        skip(scanner, comment);
    else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f')
        take(scanner, 1);
    else if (c == '"')
        scan_string(scanner);
    else if (c == '@')
        scan_at_sign(scanner);
    else if (scan_take_word(str_from(scanner->text, scanner->at)).len > 0)
        scan_word(scanner);
    else
        scan_punctuation(scanner);
}

int config_scan(tr_str text, const char *file, struct diags *diags, struct buf *out)
{
    struct scanner scanner = {
        .text = text, .line = 1, .file = file, .diags = diags, .out = out};

    scanner.levels[0].close = '}';
    scanner.last = ';';
    if (scan_check_bytes(text, file, diags) < 0)
        return ERR_CONFIG;
    if (str_starts(text, STR("\xef\xbb\xbf")))
        scanner.at = 3;
    while (scanner.at < text.len && !scanner.stopped)
        scan_token(&scanner);
    if (scanner.depth > 0 && !scanner.stopped)
        complain(&scanner, top(&scanner)->line,
                 "what is opened here is never closed; a \"%c\" is missing",
                 top(&scanner)->close);
    map_fini(&scanner.names);
    return scanner.failed ? ERR_CONFIG : 0;
}
