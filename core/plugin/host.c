/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tr_host of an instance: what a plugin may call, and by which name it finds an extension.
 * Called by plugins, on any thread.
 */
#include "observe/log.h"
#include "plugin/private.h"

#include <tailrace/ext/doc.h>
#include <tailrace/ext/http.h>
#include <tailrace/ext/json.h>
#include <tailrace/ext/metrics.h>
#include <tailrace/ext/position.h>
#include <tailrace/ext/secrets.h>
#include <tailrace/ext/state.h>
#include <tailrace/ext/template.h>
#include <tailrace/ext/timer.h>

static void host_log(const tr_host *host, int32_t level, tr_str message)
{
    const struct instance *instance = instance_of(host);
    char text[1024];

    message = str_clip(message, sizeof(text) - 1);
    if (level < TR_LOG_ERROR)
        level = TR_LOG_ERROR;
    if (level > (int32_t)log_get_level())
        return;
    if (message.len > 0)
        memcpy(text, message.ptr, message.len);
    text[message.len] = '\0';
    log_at((enum log_level)level, text, LOG_C("rule", instance->setup.rule),
           LOG_C("plugin", instance->setup.plugin->descriptor.name));
}

static int32_t host_log_level(const tr_host *host)
{
    (void)host;
    return (int32_t)log_get_level();
}

static tr_status host_complete(const tr_host *host, tr_ticket ticket, const tr_outcome *outcome)
{
    struct instance *instance = instance_of(host);
    struct job *ready;
    tr_status status = tickets_complete(&instance->tickets, ticket, outcome, &ready);

    if (status == TR_OK && outcome->status == TR_FATAL)
        atomic_store(&instance->broken, true);
    if (ready)
        instance_tell_loop(instance, &ready->task);
    if (status != TR_OK)
        log_warn(status == TR_ESTALE ? "plugin gave an outcome for a ticket that is not open"
                                     : "plugin gave an outcome that its batch does not allow",
                 LOG_C("rule", instance->setup.rule),
                 LOG_C("plugin", instance->setup.plugin->descriptor.name),
                 LOG_I("ticket", ticket));
    return status;
}

static tr_status host_config_get(const tr_config *config, const char *path, uint32_t idx,
                                 tr_value *ret_value)
{
    if (!config || !config->values || !path || !ret_value)
        return TR_EINVAL;
    return config_values_get(config->values, path, idx, ret_value);
}

static const void *host_get_ext(const tr_host *host, const char *id)
{
    static const struct {
        const char *id;
        const void *(*table)(void);
    } extensions[] = {
        {TR_EXT_HTTP, ext_http_table},         {TR_EXT_JSON, ext_json_table},
        {TR_EXT_SECRETS, ext_secrets_table},   {TR_EXT_TIMER, ext_timer_table},
        {TR_EXT_TEMPLATE, ext_template_table}, {TR_EXT_DOC, ext_doc_table},
        {TR_EXT_POSITION, ext_position_table}, {TR_EXT_METRICS, ext_metrics_table},
        {TR_EXT_STATE, ext_state_table},
    };

    if (id && strcmp(id, TR_EXT_STATE) == 0)
        ext_state_ask(instance_of(host));
    for (size_t i = 0; id && i < sizeof(extensions) / sizeof(extensions[0]); i++)
        if (strcmp(extensions[i].id, id) == 0)
            return extensions[i].table();
    return NULL;
}

bool host_on_worker(const struct instance *instance, const char *function)
{
    if (instance->worker && worker_is_current(instance->worker))
        return true;
    log_error("plugin called a function on a thread that is not its worker: nothing was done",
              LOG_C("rule", instance->setup.rule),
              LOG_C("plugin", instance->setup.plugin->descriptor.name),
              LOG_C("function", function));
    return false;
}

void host_init(struct instance *instance)
{
    instance->host = (tr_host){
        .size = sizeof(tr_host),
        .abi_minor = TR_ABI_MINOR,
        .name = "tailrace",
        .version = TAILRACE_VERSION,
        .log = host_log,
        .log_level = host_log_level,
        .complete = host_complete,
        .config_get = host_config_get,
        .get_ext = host_get_ext,
    };
}
