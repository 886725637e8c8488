/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a copy: XDG_STATE_HOME/tailrace/copy-HASH. It has the checkpoints and the dead
 * letters of the run, and its configuration. The hash is of both ends and of all that decides
 * what is copied, so that the same command finds it again and another one does not.
 *
 * The plugin keeps checkpoints too, in `_local` of both ends: by them a copy that was complete
 * goes on when it is made again, from any machine, and a target that is not what it was gets
 * all of it. But they need to be written by somebody who may, and hold no dead letters. Main
 * thread.
 */
#include "base/map.h"
#include "cli/cmd_copy.h"
#include "cli/folder.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int find_base(struct buf *out, struct error *error)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && state[0] == '/')
        buf_addf(out, "%s/tailrace", state);
    else if (home && home[0] == '/')
        buf_addf(out, "%s/.local/state/tailrace", home);
    else
        return error_set(error, ERR_CANTCREAT,
                         "there is no home to keep the state of the copy in: name a folder by "
                         "--state-dir");
    return 0;
}

/* The rule's name goes into that of its `_local` documents: one for each choice. */
static int name_both(struct copy *copy, uint64_t *ret_hash)
{
    struct buf text = {0};
    int rc = copy_config_choice(copy, &text);

    snprintf(copy->rule, sizeof(copy->rule), "copy-%016" PRIx64,
             hash_stable(text.ptr, text.len));
    for (int i = 0; i < REMOTES; i++) {
        buf_add_char(&text, ' ');
        url_join(&copy->remotes.ends[i].server, buf_str(&copy->remotes.ends[i].db), STR(""),
                 STR(""), &text);
    }
    *ret_hash = hash_stable(text.ptr, text.len);
    buf_fini(&text);
    return rc;
}

int copy_state_open(struct copy *copy, struct error *error)
{
    const char *given = copy->args->overrides.state_dir;
    struct buf path = {0};
    uint64_t hash = 0;
    int rc = 0;

    if (given)
        buf_add_c(&path, given);
    else
        rc = find_base(&path, error);
    if (rc == 0)
        rc = name_both(copy, &hash);
    if (rc == 0 && !given)
        buf_addf(&path, "/copy-%016" PRIx64, hash);
    if (rc == 0)
        rc = folder_make(path.ptr, error);
    if (rc == 0 && !realpath(path.ptr, copy->dir))
        rc = error_set(error, ERR_CANTCREAT, "%s cannot be used", path.ptr);
    buf_fini(&path);
    if (rc < 0)
        return rc;
    copy->dir_is_own = !given;
    snprintf(copy->config, sizeof(copy->config), "%s/copy.conf", copy->dir);
    copy->resumes = access(copy->config, F_OK) == 0;
    return 0;
}

int copy_state_resume(const struct copy *copy, struct error *error)
{
    const struct store_filter everything = {0};
    struct store *store;
    int64_t marked;
    int rc;

    if (!copy->resumes)
        return 0;
    rc = store_open(copy->dir, 0, &store, error);
    if (rc == 0) {
        rc = store_dead_letter_mark(store, &everything, &marked, error);
        store_close(store);
    }
    return rc;
}

void copy_state_remove(const struct copy *copy)
{
    if (copy->dir_is_own)
        folder_remove(copy->dir);
}

void copy_state_discard(const struct copy *copy)
{
    if (!copy->dir_is_own || !copy->dir[0] || copy->resumes)
        return;
    (void)unlink(copy->config);
    (void)rmdir(copy->dir); /* it has no store, unless another process has just made one     */
}
