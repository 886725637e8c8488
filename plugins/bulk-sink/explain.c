/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.explain/1: the requests that a batch would lead to. [control], on an
 * instance that is configured and not started: nobody is asked, so what the target or the
 * source would say is left open.
 */
#include "bulk.h"

#include <tailrace/ext/explain.h>

struct printer {
    void (*line)(void *user, tr_str text);
    void *user;
    tr_text text;
};

static void end_line(struct printer *printer)
{
    printer->line(printer->user, tr_text_str(&printer->text));
    printer->text.len = 0;
}

static void print_request(struct printer *printer, const tr_text *database, const char *path)
{
    tr_text_add_c(&printer->text, "POST ");
    tr_text_add(&printer->text, tr_text_str(database));
    tr_text_add_c(&printer->text, path);
    end_line(printer);
}

static void print_settled(struct printer *printer, const struct job *job)
{
    for (uint32_t i = 0; i < job->batch->count; i++) {
        tr_str why = tr_bulk_reason(&job->bulk, i);

        if (tr_bulk_is_open(&job->bulk, i))
            continue;
        tr_text_add(&printer->text, tr_batch_at(job->batch, i)->id);
        tr_text_add_c(&printer->text, why.len == 0 ? ": skipped" : ": rejected: ");
        tr_text_add(&printer->text, why);
        end_line(printer);
    }
}

/* The target's revisions are not known here; their place is shown. */
static void assume_looked(struct job *job)
{
    tr_text_part open = {.at = job->notes.len};

    tr_text_add_c(&job->notes, "(the target's)");
    open.len = job->notes.len - open.at;
    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        struct item *item = &job->items[job->bulk.group[k]];

        item->knows = item->must_look;
        item->rev = open;
    }
}

static void print_posts(struct printer *printer, struct job *job)
{
    if (look_is_needed(job)) {
        print_request(printer, &job->target, "/_all_docs?include_docs=true");
        look_add_body(job, &printer->text);
        end_line(printer);
        assume_looked(job);
    }
    print_request(printer, &job->target, "/_bulk_docs");
    tr_text_add_c(&printer->text, "{\"docs\":[");
    for (uint32_t k = 0; k < job->bulk.group_count; k++) {
        tr_text_add_c(&printer->text, k > 0 ? "," : "");
        plan_add_doc(job, &printer->text, job->bulk.group[k]);
    }
    tr_text_add_c(&printer->text, "]}");
    end_line(printer);
}

static void print_questions(struct printer *printer, struct job *job)
{
    tr_text path = {0};

    fetch_add_path(job, &path);
    tr_text_reserve(&path, 1);
    if (!path.failed)
        path.ptr[path.len] = '\0';
    print_request(printer, &job->source, path.failed ? "" : path.ptr);
    tr_text_fini(&path);
    fetch_add_body(job, &printer->text);
    end_line(printer);
}

static void print_copies(struct printer *printer, struct job *job)
{
    bool asks = fetch_is_needed(job);

    if (asks)
        print_questions(printer, job);
    print_request(printer, &job->target, "/_bulk_docs");
    tr_text_add_c(&printer->text, "{\"new_edits\":false,\"docs\":[");
    fetch_add_firsts(job, &printer->text);
    if (asks)
        tr_text_add_c(&printer->text, " (what the source answers)");
    tr_text_add_c(&printer->text, "]}");
    end_line(printer);
}

static tr_status explain(tr_self *self, const tr_batch *batch,
                         void (*line)(void *user, tr_str text), void *user)
{
    struct printer printer = {.line = line, .user = user};
    struct job *job = job_new(self, batch);
    char why[MESSAGE_MAX];
    tr_status status;

    if (!job)
        return TR_EAGAIN;
    status = address_make(job, why);
    if (status == TR_OK) {
        print_settled(&printer, job);
        if (job_pick(job) && self->options.new_edits)
            print_posts(&printer, job);
        else if (job->bulk.group_count > 0)
            print_copies(&printer, job);
    } else if (status == TR_REJECT) {
        tr_text_add_c(&printer.text, "rejected: ");
        tr_text_add_c(&printer.text, why);
        end_line(&printer);
        status = TR_OK;
    }
    tr_text_fini(&printer.text);
    job_free(job);
    return status == TR_OK ? TR_OK : TR_EAGAIN;
}

const void *explain_table(void)
{
    static const tr_explain table = {.size = sizeof(table), .explain = explain};

    return &table;
}
