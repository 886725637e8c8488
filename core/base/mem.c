/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap memory that is there or the process ends. Called from everywhere, on any thread.
 */
#include "base/mem.h"

#include <malloc.h>
#include <sysexits.h>
#include <unistd.h>

/* No stdio and no atexit handlers here: both may want the memory that is not there. */
_Noreturn void mem_exhausted(void)
{
    static const char text[] =
        "tailrace: out of memory; exiting. Lower the windows in the configuration or give "
        "the service more memory; nothing is lost, a new start resumes.\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)ignored;
    _exit(EX_OSERR);
}

/* Rows come and go by half megabytes. Left to itself the heap gives each of these back to the
 * kernel, which has to clear every page of it for the next one. */
void mem_keep_freed(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

void *mem_alloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);

    if (!ptr)
        mem_exhausted();
    return ptr;
}

void *mem_zero(size_t count, size_t size)
{
    void *ptr = calloc(count ? count : 1, size ? size : 1);

    if (!ptr)
        mem_exhausted();
    return ptr;
}

void *mem_resize(void *old, size_t size)
{
    void *ptr = realloc(old, size ? size : 1);

    if (!ptr)
        mem_exhausted();
    return ptr;
}
