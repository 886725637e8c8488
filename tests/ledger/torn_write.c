/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failpoints in file-sink's write(): before it, after half of it, after all of it. Linked into
 * the plugin by --wrap=write where TAILRACE_FAILPOINTS is on, with a copy of the failpoints of
 * its own, since a plugin sees nothing of the core. Worker.
 */
#include "../../core/base/failpoint.c"

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    ssize_t half, rest;

    FAILPOINT("file-sink.write");
    half = __real_write(fd, bytes, size / 2);
    if (half < 0)
        return half;
    FAILPOINT("file-sink.write.half");
    rest = __real_write(fd, (const char *)bytes + half, size - (size_t)half);
    FAILPOINT("file-sink.write.done");
    /* No short write: what of the rest is in the file after an error is not known. */
    return rest < 0 ? rest : half + rest;
}
