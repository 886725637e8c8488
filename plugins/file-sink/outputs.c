/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that are open: which one a batch goes to, and what becomes of those whose day is
 * over. The time is an argument. Worker.
 */
#include "sink.h"

static tr_status no_memory(char message[MESSAGE_MAX])
{
    snprintf(message, MESSAGE_MAX, "out of memory");
    return TR_RETRY;
}

tr_status outputs_turn(struct outputs *outputs, time_t now, char message[MESSAGE_MAX])
{
    char *period = path_for(outputs->path, TR_STR(""), now);
    tr_status status = TR_OK;

    if (!period)
        return no_memory(message);
    if (!outputs->period || strcmp(outputs->period, period) != 0) {
        while (outputs->count > 0 && status == TR_OK) {
            status = output_end(&outputs->items[outputs->count - 1], message);
            outputs->count -= status == TR_OK;
        }
        if (status == TR_OK) {
            free(outputs->period);
            outputs->period = period;
            period = NULL;
        }
    }
    free(period);
    return status;
}

/* The output of a path, which becomes the first; the one used longest ago makes room. */
static tr_status find(struct outputs *outputs, const char *path, char message[MESSAGE_MAX])
{
    struct output found;
    uint32_t i = 0;

    while (i < outputs->count && strcmp(outputs->items[i].path, path) != 0)
        i++;
    if (i < outputs->count) {
        found = outputs->items[i];
    } else {
        if (outputs->count == OUTPUTS_MAX) {
            tr_status status = output_end(&outputs->items[OUTPUTS_MAX - 1], message);
            if (status != TR_OK)
                return status;
            outputs->count--;
        }
        if (!output_init(&found, &outputs->settings, path))
            return no_memory(message);
        i = outputs->count++;
    }
    memmove(outputs->items + 1, outputs->items, i * sizeof(found));
    outputs->items[0] = found;
    return TR_OK;
}

tr_status outputs_append(struct outputs *outputs, tr_str db, time_t now,
                         const struct lines *lines, char message[MESSAGE_MAX])
{
    char *path = path_for(outputs->path, db, now);
    tr_status status = path ? outputs_turn(outputs, now, message) : no_memory(message);

    if (status == TR_OK)
        status = find(outputs, path, message);
    if (status == TR_OK)
        status = output_append(&outputs->items[0], lines, message);
    free(path);
    return status;
}

tr_status outputs_sync(struct outputs *outputs, char message[MESSAGE_MAX])
{
    tr_status status = TR_OK;

    for (uint32_t i = 0; i < outputs->count && outputs->settings.fsync != FSYNC_NEVER; i++)
        if (output_sync(&outputs->items[i], message) != TR_OK)
            status = TR_FATAL;
    return status;
}

void outputs_fini(struct outputs *outputs)
{
    while (outputs->count > 0)
        output_fini(&outputs->items[--outputs->count]);
    free(outputs->period);
    outputs->period = NULL;
}
