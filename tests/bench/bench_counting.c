/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counting costs a change: what the loop adds up on the road for metrics, whether anybody
 * asks for them or not, by the same functions, on a rule that does nothing else.
 *
 *     bench_counting [changes]
 *
 * The rows come 100 at a time and are settled in batches of as many, which is few: what is done
 * once a batch weighs most then. CPU time, the least of ten rounds. The last line is JSON.
 */
#include "dispatch/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 10, BATCH = 100 };

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Or else many additions would become one. */
static void as_on_the_road(void)
{
    __asm__ volatile("" ::: "memory");
}

static void count_one(struct binding *binding, uint64_t bytes[2], int64_t read_ms)
{
    bytes[0]++; /* the source's rows and their bytes                                        */
    bytes[1] += 1000;
    as_on_the_road();
    binding->stats.ok++;
    count_settled(binding, read_ms);
    as_on_the_road();
}

static double measure(struct binding *binding, uint64_t bytes[2], unsigned batches)
{
    int64_t now_ms = loop_now(binding->setup.loop);
    double began = now_ns();

    for (unsigned i = 0; i < batches; i++) {
        binding->stats.received += BATCH;
        binding->stats.batches++;
        for (unsigned k = 0; k < BATCH; k++)
            count_one(binding, bytes, now_ms - i % 50);
        count_batch(binding, now_ms - i % 20);
        count_end(binding);
    }
    return (now_ns() - began) / batches / BATCH;
}

int main(int argc, char **argv)
{
    unsigned changes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    struct binding binding = {.rows = 0};
    uint64_t bytes[2] = {0};
    struct error error;
    double best = 1e18;

    if (changes < BATCH || argc > 2) {
        fprintf(stderr, "usage: bench_counting [changes], at least %d\n", BATCH);
        return 64;
    }
    if (loop_new(&binding.setup.loop, &error) < 0) {
        fprintf(stderr, "bench: %s\n", error.text);
        return 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double ns = measure(&binding, bytes, changes / BATCH);
        if (ns < best)
            best = ns;
    }
    printf("{\"bench\":\"counting\",\"changes\":%ju,\"ns_a_change\":%.2f}\n",
           (uintmax_t)binding.stats.ok / ROUNDS, best);
    loop_free(binding.setup.loop);
    return 0;
}
