/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the bundled transforms: documents sent through transforms that are written
 * as in a rule, by the code that a daemon runs.
 */
#ifndef TEST_TRANSFORM_LIB_H
#define TEST_TRANSFORM_LIB_H

#include "plugin/chain.h"
#include "plugin/passage.h"
#include "test_plugin_lib.h"
#include "json/row.h"

enum { LINKS_MAX = 4 };

struct road {
    struct diags diags;
    struct config *config;
    struct config_values *options[LINKS_MAX];
    struct transform_setup setups[LINKS_MAX];
    uint32_t count;
    struct chain *chain;
    struct buf said; /* what came out, or why not                                          */
};

static inline int road_add(struct road *road, const struct config_node *entry)
{
    tr_str name = config_member(entry, STR("plugin"))->text;
    struct transform_setup *setup = &road->setups[road->count];
    struct error error;
    int rc;

    place_add(name.ptr);
    if (place_load(name.ptr, &setup->plugin, &error) < 0)
        fail_msg("%s", error.text);
    rc = config_check(entry, "options", setup->plugin->options, setup->plugin->options_count, 0,
                      &road->diags, &road->options[road->count]);
    setup->options = road->options[road->count++];
    return rc;
}

/* The transforms `( … )`, checked. False: they are refused, road->said says why. */
static inline bool road_check(struct road *road, const char *transforms)
{
    struct instance_setup setup = {.rule = "rule", .transforms = road->setups};
    struct buf text = {0};
    struct error error;
    int rc = 0;

    *road = (struct road){0};
    diags_init(&road->diags);
    buf_addf(&text, "transforms = %s;", transforms);
    assert_int_equal(config_load_text("test", buf_str(&text), &road->diags, &road->config), 0);
    buf_fini(&text);
    config_each (entry, config_member(road->config->root, STR("transforms")))
        if (road_add(road, entry) < 0)
            rc = -1;
    diags_print(&road->diags, &road->said);
    if (rc == 0) {
        setup.transforms_count = road->count;
        road->chain = chain_new(&setup);
        rc = chain_check(road->chain, &error);
        if (rc < 0)
            buf_add_c(&road->said, error.text);
    }
    buf_add_char(&road->said, '\0');
    return rc == 0;
}

static inline void road_begin(struct road *road, const char *transforms)
{
    struct error error;

    if (!road_check(road, transforms))
        fail_msg("%s", road->said.ptr);
    if (chain_open(road->chain, NULL, &error) < 0)
        fail_msg("%s", error.text);
}

static inline void road_end(struct road *road)
{
    chain_close(road->chain, 0);
    chain_free(road->chain);
    for (uint32_t i = 0; i < road->count; i++)
        config_values_free(road->options[i]);
    config_free(road->config);
    diags_fini(&road->diags);
    buf_fini(&road->said);
}

/* Sends one row through: its document, "none", "skip", or "refused: " and the reason. */
static inline const char *road_send(struct road *road, const char *row)
{
    struct job job = {.batch = {.size = sizeof(tr_batch), .db = STR("orders"), .count = 1}};
    tr_outcome outcome = {.size = sizeof(outcome)};
    struct json_closing closing;
    struct arena arena;
    tr_change change;
    size_t used;

    arena_init(&arena, 1024);
    if (json_row_scan(str_c(row), &arena, &change, &closing, &used) != JSON_ROW)
        fail_msg("no row: %s", row);
    job.batch.changes = &change;
    job.batch.stride = sizeof(change);
    assert_int_equal(chain_run(road->chain, &job, &outcome), TR_OK);
    buf_clear(&road->said);
    if (job_seen(&job)->count == 1) {
        tr_str doc = tr_batch_at(job_seen(&job), 0)->doc;
        buf_add_str(&road->said, doc.len > 0 ? doc : STR("none"));
    } else if (job.passage->settled[0] == TR_SKIP) {
        buf_add_c(&road->said, "skip");
    } else {
        buf_addf(&road->said, "refused: %s", job.passage->reasons[0]);
    }
    buf_add_char(&road->said, '\0');
    job_fini(&job);
    arena_fini(&arena);
    return road->said.ptr;
}

#define ROW(rev_, rest_)                                                                       \
    "{\"seq\":\"7-x\",\"id\":\"o1\",\"changes\":[{\"rev\":\"" rev_ "\"}]" rest_ "}"

/* What becomes of the document of an update. */
static inline const char *road_doc(struct road *road, const char *doc)
{
    struct buf row = {0};
    const char *said;

    buf_addf(&row, ROW("2-b", ",\"doc\":%s") "%c", doc, 0);
    said = road_send(road, row.ptr);
    buf_fini(&row);
    return said;
}

static inline void assert_becomes(const char *transforms, const char *doc, const char *wanted)
{
    struct road road;

    road_begin(&road, transforms);
    assert_string_equal(road_doc(&road, doc), wanted);
    road_end(&road);
}

/* The options are refused, and this is part of what is said. */
static inline void assert_mistake(const char *transforms, const char *part)
{
    struct road road;

    if (road_check(&road, transforms))
        fail_msg("accepted: %s", transforms);
    if (!strstr(road.said.ptr, part))
        fail_msg("\"%s\" is not in \"%s\"", part, road.said.ptr);
    road_end(&road);
}

/* "( { plugin = …; options: { … }; } )" */
#define ONE(plugin_, options_) "( { plugin = \"" plugin_ "\"; options: { " options_ " }; } )"

#endif
