/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command and writes down what it cost:
 *
 *     bench_cost FILE COMMAND [ARGUMENT…]
 *
 * FILE gets {"user":s,"sys":s,"wall":s,"rss_kb":n}, of the command and the children that it
 * waited for, as wait4() tells it. A program of its own, since peak memory is inherited over
 * fork and exec: asked for by a large parent it would be the parent's. SIGTERM is passed on.
 * The exit code is the command's, 128 + N after signal N.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t child;

static void pass_on(int signo)
{
    if (child > 0)
        kill((pid_t)child, signo);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int write_cost(const char *path, const struct rusage *usage, double wall)
{
    FILE *out = fopen(path, "w");

    if (!out) {
        perror(path);
        return -1;
    }
    fprintf(out, "{\"user\":%.6f,\"sys\":%.6f,\"wall\":%.6f,\"rss_kb\":%ld}\n",
            seconds(usage->ru_utime), seconds(usage->ru_stime), wall, usage->ru_maxrss);
    return fclose(out) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    struct rusage usage;
    double start;
    pid_t pid;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: bench_cost FILE COMMAND [ARGUMENT...]\n");
        return 64;
    }
    sigaction(SIGTERM, &action, NULL);
    start = now();
    pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    child = pid;
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
        perror("bench_cost");
        return 71;
    }
    if (write_cost(argv[1], &usage, now() - start) < 0)
        return 73;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
