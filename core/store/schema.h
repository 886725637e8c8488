/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables of a store look like, version by version, and whether a file is such a store.
 * Inside store/ only; on the thread that opens.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/sqlite.h"

#include <stdbool.h>

/* Marks the file as ours: "tail". */
#define SCHEMA_APPLICATION_ID 0x7461696c

/* Step n brings a store from version n to n + 1; a fresh file has version 0. */
extern const char *const schema_steps[];
extern const int schema_steps_count;

/* Runs the steps that are missing, each in a transaction with its new version number. ERR_DATA:
 * the store is of a version above `count`. */
int schema_migrate(struct sq *sq, const char *const *steps, int count, struct error *error);

/* Refuses what is foreign, newer or visibly damaged. `thorough`: also reads all that decides
 * where streams resume, and small stores as a whole. */
int schema_probe(struct sq *sq, bool thorough, struct error *error);

/* ERR_TEMP unless the version is exactly ours: for those who must not migrate. */
int schema_check_version(struct sq *sq, struct error *error);

#endif
