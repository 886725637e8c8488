/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tr.metrics/1: figures of an instance (observe/metrics.h). It has an owner there from its
 * first declaration on. Where the host shows no metrics at all, in `check`, `explain` and
 * `try`, declarations are judged by nobody and figures go nowhere.
 */
#include "observe/metrics.h"
#include "plugin/private.h"

static tr_status metrics_ext_declare(const tr_host *host, const tr_metric *metric,
                                     uint32_t *ret_metric)
{
    struct instance *instance = instance_of(host);
    const struct instance_setup *setup = &instance->setup;

    if (instance->worker && !host_on_worker(instance, "tr_metrics.declare"))
        return TR_EINVAL;
    if (!metric || !ret_metric)
        return TR_EINVAL;
    if (!setup->metrics) {
        *ret_metric = 1;
        return TR_OK;
    }
    if (!instance->figures)
        instance->figures = metrics_owner_new(setup->metrics, setup->plugin->descriptor.name,
                                              setup->rule, setup->transform);
    return metrics_declare(instance->figures, metric, ret_metric);
}

/* The owner for a figure; NULL: nothing is to be done, but to answer *ret_status. */
static struct metrics_owner *owner_of(const tr_host *host, const char *function,
                                      tr_status *ret_status)
{
    struct instance *instance = instance_of(host);

    *ret_status = TR_OK;
    if (!instance->setup.metrics)
        return NULL;
    *ret_status = TR_EINVAL;
    return instance->figures && host_on_worker(instance, function) ? instance->figures : NULL;
}

static tr_status metrics_ext_set(const tr_host *host, uint32_t metric, const tr_str *values,
                                 double value)
{
    tr_status status;
    struct metrics_owner *owner = owner_of(host, "tr_metrics.set", &status);

    return owner ? metrics_set(owner, metric, values, value) : status;
}

static tr_status metrics_ext_add(const tr_host *host, uint32_t metric, const tr_str *values,
                                 double more)
{
    tr_status status;
    struct metrics_owner *owner = owner_of(host, "tr_metrics.add", &status);

    return owner ? metrics_add(owner, metric, values, more) : status;
}

static tr_status metrics_ext_observe(const tr_host *host, uint32_t metric, const tr_str *values,
                                     double value)
{
    tr_status status;
    struct metrics_owner *owner = owner_of(host, "tr_metrics.observe", &status);

    return owner ? metrics_observe(owner, metric, values, value) : status;
}

static tr_status metrics_ext_forget(const tr_host *host, uint32_t metric, const tr_str *values)
{
    tr_status status;
    struct metrics_owner *owner = owner_of(host, "tr_metrics.forget", &status);

    return owner ? metrics_forget(owner, metric, values) : status;
}

const void *ext_metrics_table(void)
{
    static const tr_metrics table = {
        .size = sizeof(table),
        .declare = metrics_ext_declare,
        .set = metrics_ext_set,
        .add = metrics_ext_add,
        .observe = metrics_ext_observe,
        .forget = metrics_ext_forget,
    };

    return &table;
}
