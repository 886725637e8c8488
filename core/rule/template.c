/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rendering templates, on the worker of the instance that asks or on any other thread.
 */
#include "rule/template.h"

#include "base/mem.h"
#include "rule/lookup.h"
#include "rule/template_part.h"

int template_new(tr_str text, int32_t place, tr_template **ret_template, struct error *error)
{
    tr_template *tmpl = mem_new(struct tr_template);
    int rc;

    arena_init(&tmpl->arena, 512);
    tmpl->place = place;
    template_parse(tmpl, text);
    rc = template_check_place(tmpl, error);
    if (rc != 0) {
        template_free(tmpl);
        return rc;
    }
    *ret_template = tmpl;
    return 0;
}

void template_free(tr_template *tmpl)
{
    if (!tmpl)
        return;
    free(tmpl->parts);
    arena_fini(&tmpl->arena);
    free(tmpl);
}

bool template_is_constant(const tr_template *tmpl)
{
    for (size_t i = 0; i < tmpl->count; i++)
        if (tmpl->parts[i].kind != PART_TEXT)
            return false;
    return true;
}

bool template_is_single_variable(const tr_template *tmpl)
{
    return tmpl->count == 1 && tmpl->parts[0].kind != PART_TEXT;
}

void change_write_document(const tr_change *change, struct buf *out)
{
    if (json_type_of(change->doc) == JSON_OBJECT) {
        buf_add_str(out, change->doc);
        return;
    }
    buf_add_c(out, "{\"_id\":");
    json_write_string(out, change->id);
    if (change->rev.len > 0) {
        buf_add_c(out, ",\"_rev\":");
        json_write_string(out, change->rev);
    }
    buf_add_c(out, change->flags & TR_CHANGE_DELETED ? ",\"_deleted\":true}" : "}");
}

static const char malformed[] = "cannot be read: the document is not well-formed JSON";

/* One rendering under way. */
struct renderer {
    const tr_template *tmpl;
    const tr_batch *batch;
    const tr_change *change;
    struct buf document; /* the document, made when it is first needed and there is none    */
    struct arena arena;  /* decoded strings                                                 */
};

static tr_str get_document(struct renderer *renderer)
{
    if (json_type_of(renderer->change->doc) == JSON_OBJECT)
        return renderer->change->doc;
    if (renderer->document.len == 0)
        change_write_document(renderer->change, &renderer->document);
    return buf_str(&renderer->document);
}

/* A variable's value as raw JSON (then *ret_is_json), else as plain text; empty JSON: absent.
 * False: the document cannot be read. */
static bool get_value(struct renderer *renderer, const struct part *part, tr_str *ret_value,
                      bool *ret_is_json)
{
    *ret_is_json = true;
    switch (part->kind) {
    case PART_CHANGE: *ret_value = get_document(renderer); return true;
    case PART_SEQ: *ret_value = renderer->change->seq; return true;
    case PART_FIELD:
        return lookup_field(get_document(renderer), &part->path, ret_value) != LOOKUP_MALFORMED;
    default: break;
    }
    *ret_is_json = false;
    *ret_value = part->kind == PART_ID    ? renderer->change->id
                 : part->kind == PART_REV ? renderer->change->rev
                                          : renderer->batch->db;
    return true;
}

/* The value as text: strings without their quotes, others as they are. False: malformed. */
static bool get_text(struct renderer *renderer, const struct part *part, tr_str *ret_text)
{
    tr_str value;
    bool is_json;

    if (!get_value(renderer, part, &value, &is_json))
        return false;
    *ret_text = value;
    return !is_json || json_type_of(value) != JSON_STRING ||
           json_decode(value, &renderer->arena, ret_text);
}

static tr_status reject(const struct part *part, struct error *error, const char *why)
{
    error_set(error, ERR_DATA, "the value of " STR_FMT " %s", STR_ARG(part->text), why);
    return TR_REJECT;
}

static tr_status render_whole_json(struct renderer *renderer, struct buf *out,
                                   struct error *error)
{
    const struct part *part = &renderer->tmpl->parts[0];
    tr_str value;
    bool is_json;

    if (!get_value(renderer, part, &value, &is_json))
        return reject(part, error, malformed);
    if (!is_json)
        json_write_string(out, value);
    else
        buf_add_str(out, value.len ? value : STR("null"));
    return TR_OK;
}

static tr_status render_part(struct renderer *renderer, const struct part *part,
                             struct buf *out, struct error *error)
{
    tr_str text;

    if (part->kind == PART_TEXT) {
        buf_add_str(out, part->text);
        return TR_OK;
    }
    if (!get_text(renderer, part, &text))
        return reject(part, error, malformed);
    switch (renderer->tmpl->place) {
    case TR_PLACE_URL:
    case TR_PLACE_QUERY: write_percent_encoded(out, text); return TR_OK;
    case TR_PLACE_JSON: json_write_escaped(out, text); return TR_OK;
    case TR_PLACE_HEADER:
        if (str_has_control(text))
            return reject(part, error,
                          "holds a line end or another control byte, which cannot stand in a "
                          "header");
        break;
    default: break;
    }
    buf_add_str(out, text);
    return TR_OK;
}

static tr_status render_parts(struct renderer *renderer, struct buf *out, struct error *error)
{
    const tr_template *tmpl = renderer->tmpl;
    tr_status status = TR_OK;
    size_t start = out->len;

    if (tmpl->place == TR_PLACE_JSON && template_is_single_variable(tmpl))
        return render_whole_json(renderer, out, error);
    if (tmpl->place == TR_PLACE_JSON)
        buf_add_char(out, '"');
    for (size_t i = 0; i < tmpl->count && status == TR_OK; i++)
        status = render_part(renderer, &tmpl->parts[i], out, error);
    if (tmpl->place == TR_PLACE_JSON)
        buf_add_char(out, '"');
    if (status == TR_OK && tmpl->place == TR_PLACE_URL &&
        url_has_dot_segment(str_from(buf_str(out), start), tmpl->path_at)) {
        error_set(error, ERR_DATA,
                  "a value would make a path segment of the URL \".\" or \"..\", which leads "
                  "to another resource");
        status = TR_REJECT;
    }
    return status;
}

tr_status template_render(const tr_template *tmpl, const tr_batch *batch,
                          const tr_change *change, struct buf *out, struct error *error)
{
    struct renderer renderer = {.tmpl = tmpl, .batch = batch, .change = change};
    size_t start = out->len;
    tr_status status;

    arena_init(&renderer.arena, 1024);
    status = render_parts(&renderer, out, error);
    if (status != TR_OK && out->ptr) {
        out->len = start;
        out->ptr[start] = '\0';
    }
    buf_fini(&renderer.document);
    arena_fini(&renderer.arena);
    return status;
}

static bool is_whole_document(const tr_template *tmpl, const tr_change *change)
{
    return tmpl->place == TR_PLACE_JSON && template_is_single_variable(tmpl) &&
           tmpl->parts[0].kind == PART_CHANGE && json_type_of(change->doc) == JSON_OBJECT;
}

tr_status template_render_into(const tr_template *tmpl, const tr_batch *batch,
                               const tr_change *change, char *buf, size_t cap, size_t *ret_len)
{
    struct buf out = {0};
    tr_status status;

    /* Mostly the document itself: it is copied once. */
    if (is_whole_document(tmpl, change))
        return str_copy_out(change->doc, buf, cap, ret_len);
    status = template_render(tmpl, batch, change, &out, NULL);
    if (status == TR_OK)
        status = str_copy_out(buf_str(&out), buf, cap, ret_len);
    buf_fini(&out);
    return status;
}
