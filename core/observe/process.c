/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time, memory, descriptors and threads of the process, out of /proc; see process.h.
 */
#include "observe/process.h"

#include "observe/prom.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void gauge(struct buf *out, const char *name, double value, const char *help)
{
    prom_head(out, name, PROM_GAUGE, help);
    prom_sample(out, name, STR(""), value);
}

/* The whole small file, ended by NUL. */
static bool read_file(const char *path, char *into, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, into, size - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (n >= 0)
        into[n] = '\0';
    return n > 0;
}

/* Field `number` of /proc/self/stat, from 3 on: the second may hold anything. */
static double stat_field(const char *stat, int number)
{
    const char *at = strrchr(stat, ')');

    for (int i = 2; at && i < number; i++)
        at = strchr(at + 1, ' ');
    return at ? (double)strtoull(at + 1, NULL, 10) : 0;
}

static double boot_time(void)
{
    struct timespec wall, since;

    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &since);
    return (double)(wall.tv_sec - since.tv_sec) + (double)(wall.tv_nsec - since.tv_nsec) / 1e9;
}

static void write_stat(struct buf *out)
{
    enum { THREADS = 20, STARTED = 22, VIRTUAL = 23, RESIDENT = 24 };
    double ticks = (double)sysconf(_SC_CLK_TCK), page = (double)sysconf(_SC_PAGESIZE);
    char stat[1024];

    if (!read_file("/proc/self/stat", stat, sizeof(stat)))
        return;
    gauge(out, "process_threads", stat_field(stat, THREADS), "Threads.");
    gauge(out, "process_start_time_seconds", boot_time() + stat_field(stat, STARTED) / ticks,
          "When the process began, since 1970.");
    gauge(out, "process_virtual_memory_bytes", stat_field(stat, VIRTUAL), "Address space.");
    gauge(out, "process_resident_memory_bytes", stat_field(stat, RESIDENT) * page,
          "Memory that is resident.");
}

static void write_cpu(struct buf *out)
{
    static const char name[] = "process_cpu_seconds_total";
    struct timespec cpu;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) < 0)
        return;
    prom_head(out, name, PROM_COUNTER, "CPU time, in the kernel included.");
    prom_sample(out, name, STR(""), (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
}

static void write_descriptors(struct buf *out)
{
    DIR *dir = opendir("/proc/self/fd");
    struct rlimit limit;
    int count = -1; /* the one of this listing */

    for (const struct dirent *it; dir && (it = readdir(dir)) != NULL;)
        count += it->d_name[0] != '.';
    if (dir) {
        closedir(dir);
        gauge(out, "process_open_fds", count, "Descriptors that are open.");
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        gauge(out, "process_max_fds", (double)limit.rlim_cur, "Descriptors that may be.");
}

void process_write_metrics(struct buf *out)
{
    write_cpu(out);
    write_stat(out);
    write_descriptors(out);
}
