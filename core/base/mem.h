/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap memory that is there or the process ends.
 *
 * All that can grow is bounded by configuration, so running out of memory means that the
 * machine is out of it. The one safe thing then is to end with one clear line: checkpoints are
 * never ahead of their effects, so a new process goes on where this one was. Any thread; free
 * with free().
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

/* Called once, before all else: what is freed stays with the process, up to some megabytes. */
void mem_keep_freed(void);

/* Ends the process with a line that says why. For libraries that tell of it: what they could
 * not do must not pass for what they would not do. */
_Noreturn void mem_exhausted(void);

void *mem_alloc(size_t size);
void *mem_zero(size_t count, size_t size);
void *mem_resize(void *old, size_t size);

/* A zeroed T on the heap; an array of n of them. */
#define mem_new(T)          ((T *)mem_zero(1, sizeof(T)))
#define mem_new_array(T, n) ((T *)mem_zero((n), sizeof(T)))

#endif
