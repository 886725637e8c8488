/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pretty: writes each document into the log, indented, and passes it on as it is. Between two
 * other transforms it shows what the first made of it.
 *
 * A transform: it stands in a rule's list of transforms and sees each change before the rule's
 * plugin does. transform() runs on that plugin's worker.
 */
#include <tailrace/transform.h>

#include <stdbool.h>

enum { LINE_MAX_LEN = 1023 /* what the host takes of a line */ };

struct tr_self {
    const tr_host *host;
    const tr_doc_api *doc;
    int64_t spaces;
};

static const tr_option options[] = {
    {.name = "spaces",
     .type = TR_TYPE_INT,
     .dflt = "2",
     .min = 0,
     .max = 8,
     .offset = offsetof(struct tr_self, spaces),
     .help = "how far each level is indented; 0: all on one line, as it is"},
};

enum { OPTIONS_COUNT = sizeof(options) / sizeof(options[0]) };

/* ---- writing ---- */

/* A line in the making; what is too much for it is cut off. */
struct page {
    const tr_host *host;
    size_t spaces, depth, len;
    char line[LINE_MAX_LEN];
};

static void put(struct page *page, char c)
{
    if (page->len < sizeof(page->line))
        page->line[page->len++] = c;
}

static void end_line(struct page *page)
{
    page->host->log(page->host, TR_LOG_INFO, tr_str_n(page->line, page->len));
    page->len = 0;
    for (size_t i = page->depth * page->spaces; i > 0 && page->len < sizeof(page->line); i--)
        put(page, ' ');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A string from its quote on; where it ends. */
static const char *put_string(struct page *page, const char *at, const char *end)
{
    do {
        if (*at == '\\' && end - at > 1)
            put(page, *at++);
        put(page, *at++);
    } while (at < end && *at != '"');
    if (at < end)
        put(page, *at++);
    return at;
}

/* A bracket that opens, and the next one if it closes: {} stays together. */
static const char *put_open(struct page *page, const char *at, const char *end)
{
    put(page, *at++);
    while (at < end && is_space(*at))
        at++;
    if (at < end && (*at == '}' || *at == ']')) {
        put(page, *at++);
    } else {
        page->depth++;
        end_line(page);
    }
    return at;
}

static void put_close(struct page *page, char bracket)
{
    if (page->depth > 0)
        page->depth--;
    end_line(page);
    put(page, bracket);
}

/* It looks at strings and brackets only, and so ends on any bytes. */
static void write_indented(struct page *page, tr_str json)
{
    const char *at = json.ptr, *end = at + json.len;

    while (at < end) {
        switch (*at) {
        case '"': at = put_string(page, at, end); continue;
        case '{':
        case '[': at = put_open(page, at, end); continue;
        case '}':
        case ']': put_close(page, *at); break;
        case ':':
            put(page, ':');
            put(page, ' ');
            break;
        case ',':
            put(page, ',');
            end_line(page);
            break;
        default:
            if (!is_space(*at))
                put(page, *at);
        }
        at++;
    }
    page->depth = 0;
    end_line(page);
}

/* ---- an instance's life ---- */

static tr_status pretty_open(const tr_host *host, tr_self **ret_self, tr_error *error)
{
    const tr_doc_api *doc = tr_need_ext(host, TR_EXT_DOC, error);
    tr_self *self = doc ? calloc(1, sizeof(*self)) : NULL;

    if (!self)
        return doc ? tr_fail(error, TR_EAGAIN, "out of memory") : TR_ENOSYS;
    self->host = host;
    self->doc = doc;
    *ret_self = self;
    return TR_OK;
}

static tr_status pretty_configure(tr_self *self, const tr_config *config, tr_error *error)
{
    return tr_bind(self->host, config, options, OPTIONS_COUNT, self, error);
}

static tr_status pretty_transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                                  tr_doc *doc, tr_error *error)
{
    const tr_host *host = self->host;
    struct page page = {.host = host, .spaces = (size_t)self->spaces};

    (void)batch, (void)error;
    if (host->log_level(host) < TR_LOG_INFO)
        return TR_OK;
    if (change->doc.len == 0)
        tr_logf(host, TR_LOG_INFO, "%.*s has no document", (int)change->id.len, change->id.ptr);
    else if (self->spaces == 0)
        host->log(host, TR_LOG_INFO, self->doc->text(doc));
    else
        write_indented(&page, self->doc->text(doc));
    return TR_OK;
}

static void pretty_close(tr_self *self)
{
    free(self);
}

static const tr_plugin pretty = {
    TR_DESCRIPTOR("pretty", "1.0.0", "writes documents into the log, indented"),
    .license = "Apache-2.0",
    .caps = TR_CAP_NEVER_BLOCKS | TR_CAP_CONCURRENT | TR_CAP_NEEDS_DOC,
    TR_OPTIONS(options),
    .open = pretty_open,
    .configure = pretty_configure,
    .transform = pretty_transform,
    .close = pretty_close,
};

TR_PLUGIN(pretty)
