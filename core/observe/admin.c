/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin endpoint's life, and the hand-over between its thread and the loop, see admin.h.
 *
 * The loop is woken by an eventfd and not by a task: a task that waits in the loop could not be
 * taken back when the endpoint ends.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "observe/admin_private.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    MEMORY = 16 << 10 /* of a connection: its request and the head of the answer         */
};

/* ---- the endpoint's thread asks ---- */

static void wake_loop(struct admin *admin)
{
    const uint64_t one = 1;
    ssize_t n;

    if (admin->waiting)
        return;
    admin->waiting = true;
    admin->asked_ms = clock_ms();
    n = write(admin->asked.fd, &one, sizeof(one));
    (void)n;
}

static bool is_fresh(const struct admin *admin, enum admin_document document)
{
    const struct admin_text *text = &admin->texts[document];

    return document != ADMIN_HEALTH && text->number > 0 &&
           clock_ms() - text->made_ms < ADMIN_FRESH_MS;
}

/* The time runs from when the loop was asked first: one that hangs is not waited for anew by
 * each client. */
static bool wait_for(struct admin *admin, enum admin_document document)
{
    const uint64_t before = admin->texts[document].number;
    int64_t due;
    struct timespec until;

    admin->wanted[document] = true;
    wake_loop(admin);
    due = admin->asked_ms + admin->options.deadline_ms;
    until = (struct timespec){.tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000};
    while (admin->texts[document].number == before && !admin->ending)
        if (pthread_cond_clockwait(&admin->made, &admin->lock, CLOCK_MONOTONIC, &until) != 0)
            break;
    return admin->texts[document].number != before;
}

bool admin_ask(struct admin *admin, enum admin_document document, struct buf *ret_text,
               bool *ret_is_good)
{
    bool answered;

    pthread_mutex_lock(&admin->lock);
    answered = is_fresh(admin, document) || wait_for(admin, document);
    if (answered) {
        buf_add_str(ret_text, buf_str(&admin->texts[document].text));
        *ret_is_good = admin->texts[document].is_good;
    }
    pthread_mutex_unlock(&admin->lock);
    return answered;
}

/* ---- the loop answers ---- */

static void make(struct admin *admin, enum admin_document document)
{
    struct admin_text *text = &admin->texts[document];
    struct buf made = {0}, before;
    bool is_good = admin->options.render(admin->options.ctx, document, &made);

    pthread_mutex_lock(&admin->lock);
    before = text->text;
    text->text = made;
    text->is_good = is_good;
    text->number++;
    text->made_ms = clock_ms();
    pthread_mutex_unlock(&admin->lock);
    buf_fini(&before);
}

static void answer(struct watch *watch, uint32_t events)
{
    struct admin *admin = list_entry(watch, struct admin, asked);
    bool wanted[ADMIN_DOCUMENTS];
    uint64_t count;
    ssize_t n = read(watch->fd, &count, sizeof(count));

    (void)events;
    (void)n;
    pthread_mutex_lock(&admin->lock);
    memcpy(wanted, admin->wanted, sizeof(wanted));
    memset(admin->wanted, 0, sizeof(admin->wanted));
    admin->waiting = false; /* what is wanted from here on wakes the loop again             */
    pthread_mutex_unlock(&admin->lock);
    for (int i = 0; i < ADMIN_DOCUMENTS; i++)
        if (wanted[i])
            make(admin, (enum admin_document)i);
    pthread_mutex_lock(&admin->lock);
    pthread_cond_broadcast(&admin->made);
    pthread_mutex_unlock(&admin->lock);
}

/* ---- beginning and end ---- */

/* Signals are for the loop thread. libmicrohttpd closes the socket when it ends. */
static struct MHD_Daemon *start_thread(struct admin *admin, int fd)
{
    struct MHD_Daemon *daemon;
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, admin_answer, admin,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_SILENCE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return daemon;
}

static void remove_path(const struct admin_address *address)
{
    if (address->at.any.sa_family == AF_UNIX)
        unlink(address->at.local.sun_path);
}

static int start(struct admin *admin, struct error *error)
{
    const struct admin_options *options = &admin->options;
    int fd, rc;

    admin->asked = (struct watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                  .ready = answer};
    if (admin->asked.fd < 0)
        return error_set(error, ERR_OS, "eventfd: %s; raise the limit of open files",
                         strerror(errno));
    rc = admin_address_listen(&options->address, &fd, error);
    if (rc < 0)
        goto fail;
    rc = loop_watch(options->loop, &admin->asked, EPOLLIN, error);
    if (rc < 0)
        goto fail_listening;
    admin->daemon = start_thread(admin, fd);
    if (admin->daemon)
        return 0;
    rc = error_set(error, ERR_OS, "its thread cannot start: out of memory or descriptors");
    loop_unwatch(options->loop, &admin->asked);
fail_listening:
    close(fd);
    remove_path(&options->address);
fail:
    close(admin->asked.fd);
    return rc;
}

int admin_new(const struct admin_options *options, struct admin **ret_admin,
              struct error *error)
{
    struct admin *admin = mem_new(struct admin);
    int rc;

    admin->options = *options;
    if (admin->options.deadline_ms == 0)
        admin->options.deadline_ms = ADMIN_DEADLINE_MS;
    pthread_mutex_init(&admin->lock, NULL);
    pthread_cond_init(&admin->made, NULL);
    rc = start(admin, error);
    if (rc == 0)
        *ret_admin = admin;
    else
        free(admin);
    return rc;
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    pthread_mutex_lock(&admin->lock);
    admin->ending = true; /* nobody waits for the loop, which is here                       */
    pthread_cond_broadcast(&admin->made);
    pthread_mutex_unlock(&admin->lock);
    MHD_stop_daemon(admin->daemon);
    remove_path(&admin->options.address);
    loop_unwatch(admin->options.loop, &admin->asked);
    close(admin->asked.fd);
    for (int i = 0; i < ADMIN_DOCUMENTS; i++)
        buf_fini(&admin->texts[i].text);
    pthread_cond_destroy(&admin->made);
    pthread_mutex_destroy(&admin->lock);
    free(admin);
}
