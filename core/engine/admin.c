/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin endpoint of an engine, see admin.h. Nothing that matters to the changes depends on
 * it: an address that is taken is a line in the log.
 */
#include "engine/admin.h"

#include "engine/metrics.h"
#include "engine/private.h"
#include "engine/status.h"
#include "engine/tally.h"
#include "observe/admin.h"
#include "observe/log.h"

enum { RETRY_MS = 10000 };

/* ---- what it answers ---- */

static void list_unreached(const struct engine *engine, struct buf *out)
{
    list_each (it, &engine->sources) {
        const struct source *source = list_entry(it, struct source, link);
        const char *why = tally_unreached(source);
        if (why)
            buf_addf(out, "source " STR_FMT ": %s\n", STR_ARG(source->settings->name), why);
    }
}

/* Whether changes can be followed and settled now. */
static bool render_ready(const struct engine *engine, struct buf *out)
{
    struct store_health health;

    if (engine->stopping)
        buf_add_c(out, "stopping\n");
    store_health(engine->store, &health);
    if (health.stalled)
        buf_addf(out, "store: stalled: %s\n", health.error);
    list_unreached(engine, out);
    if (out->len > 0)
        return false;
    buf_add_c(out, "ready\n");
    return true;
}

static bool render(void *ctx, enum admin_document document, struct buf *out)
{
    struct engine *engine = ctx;

    switch (document) {
    case ADMIN_READY: return render_ready(engine, out);
    case ADMIN_STATUS: status_write(engine, out); break;
    case ADMIN_METRICS: engine_metrics_write(engine, out); break;
    default: buf_add_c(out, "ok\n"); break; /* that this was called is all there is to say */
    }
    return true;
}

/* ---- listening ---- */

static void try_again(struct timer *timer)
{
    engine_admin_start(list_entry(timer, struct engine, admin_timer));
}

void engine_admin_start(struct engine *engine)
{
    const struct settings *settings = engine->settings;
    struct admin_options options = {.loop = engine->loop, .render = render, .ctx = engine};
    struct error error;

    if (settings->admin_listen.len == 0 || engine->options.mode == ENGINE_REPLAY)
        return;
    options.hosts = (const char *const *)settings->admin_hosts;
    if (admin_address_parse(settings->admin_listen, &options.address, &error) == 0 &&
        admin_new(&options, &engine->admin, &error) == 0) {
        settings_ref(engine->settings);
        engine->admin_generation = engine->settings;
        engine->admin_failed = false;
        log_notice("admin endpoint listens", LOG_S("address", settings->admin_listen));
        return;
    }
    if (!engine->admin_failed)
        log_error("the admin endpoint cannot listen; all else goes on, and it is tried again",
                  LOG_S("address", settings->admin_listen), LOG_C("reason", error.text));
    engine->admin_failed = true;
    engine->admin_timer.fire = try_again;
    loop_set_timer(engine->loop, &engine->admin_timer, RETRY_MS);
}

static bool is_same(const struct settings *a, const struct settings *b)
{
    size_t i = 0;

    while (a->admin_hosts[i] && b->admin_hosts[i] &&
           strcmp(a->admin_hosts[i], b->admin_hosts[i]) == 0)
        i++;
    return str_eq(a->admin_listen, b->admin_listen) && !a->admin_hosts[i] && !b->admin_hosts[i];
}

void engine_admin_reload(struct engine *engine)
{
    if (engine->admin && is_same(engine->admin_generation, engine->settings))
        return;
    engine_admin_stop(engine);
    engine_admin_start(engine);
}

void engine_admin_stop(struct engine *engine)
{
    loop_clear_timer(engine->loop, &engine->admin_timer);
    admin_free(engine->admin);
    settings_unref(engine->admin_generation);
    engine->admin = NULL;
    engine->admin_generation = NULL;
    engine->admin_failed = false;
}
