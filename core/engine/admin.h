/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's side of the admin endpoint (observe/admin.h): where it listens by the settings,
 * and what the loop answers it. Loop thread.
 */
#ifndef ENGINE_ADMIN_H
#define ENGINE_ADMIN_H

#include "engine/engine.h"

/* Listens if the settings say so. Where that cannot be, all else goes on: the log says why, and
 * it is tried again now and then. */
void engine_admin_start(struct engine *engine);

/* engine->settings is another one now. */
void engine_admin_reload(struct engine *engine);

void engine_admin_stop(struct engine *engine);

#endif
