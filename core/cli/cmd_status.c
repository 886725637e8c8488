/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tailrace status: how the running daemon is, once. `tailrace top` goes on looking.
 */
#include "cli/print.h"
#include "cli/site.h"
#include "cli/status_ask.h"
#include "cli/status_table.h"

#include <stdio.h>
#include <sysexits.h>

static int look(const struct args *args, const char *dir, void *ctx)
{
    struct buf document = {0};
    struct error error;
    bool stopped;
    int rc = status_ask(dir, -1, &document, &stopped, &error);

    (void)ctx;
    if (rc == 0 && args->json)
        print_str(buf_str(&document)); /* with its line end */
    else if (rc == 0)
        rc = status_print(buf_str(&document), &error);
    buf_fini(&document);
    return rc < 0 ? print_failure(&error) : EX_OK;
}

static int run(struct args *args)
{
    return site_with_dir(args, look, NULL);
}

const struct command command_status = {
    .name = "status",
    .summary = "Show how the running daemon is: sources, rules, what is in trouble",
    .text =
        "LAG is the age of the oldest change that was read and is not settled, ROWS what is\n"
        "known to wait: read and not settled, or told by the server to come. SENT are batches\n"
        "that a plugin has, RETRYING are sequences of changes that wait after a failure.\n"
        "HOT databases have a feed of their own; others are read when they change. What runs\n"
        "is asked over a socket in the state directory; the exit code is 69 when nothing\n"
        "does. \"tailrace top\" shows it again and again.",
    .examples = "tailrace status\n"
                "tailrace status --json | jq '.rules[] | select(.lag_s > 60) | .name'",
    .run = run,
};
