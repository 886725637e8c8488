/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: one generation of the configuration, checked and compiled.
 *
 * settings_load() reads the files and judges all of it: sources, rules, their conditions, and
 * each rule's options against its plugin's own table. `tailrace check` is this and no more;
 * `run` builds on it. A generation is immutable; what runs on it holds a reference, since after
 * a reload some rules live on the old one. Loop or main thread.
 */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include "config/load.h"
#include "config/schema.h"
#include "dispatch/binding.h"
#include "document/document.h"
#include "feed/feed.h"
#include "http/url.h"
#include "plugin/instance.h"
#include "rule/match.h"

enum source_kind { SOURCE_COUCHDB, SOURCE_FILE };
enum source_auth { AUTH_BASIC, AUTH_COOKIE };

struct source_settings {
    tr_str name;
    const struct config_node *node;
    struct buf canonical; /* to see whether a reload changed it                            */
    int32_t kind;         /* enum source_kind                                              */
    tr_str url_text, path, database, ca_file, proxy;
    struct url url;
    int32_t auth; /* enum source_auth                                                      */
    int32_t insecure, db_updates;
    int64_t connect_timeout_ms, heartbeat_ms, retry_min_ms, retry_max_ms;
    int64_t poll_ms, discover_ms, sweep_ms, hot_idle_ms, session_age_ms;
    int64_t max_connections, max_feeds, request_rate, page_rows, seq_interval, max_row,
        read_size;
};

enum since_kind { SINCE_BEGINNING, SINCE_NOW, SINCE_SEQ };

/* An entry of a rule's `transforms`. */
struct transform_settings {
    const struct plugin *plugin;
    struct config_values *values, *options; /* its own, and its plugin's                   */
};

struct rule_settings {
    tr_str name;
    const struct config_node *node;
    struct buf canonical;      /* of the whole rule                                        */
    struct buf canonical_base; /* and without what its plugin declares LIVE                */
    struct buf query_key;      /* rules of one source with the same share a read           */
    struct source_settings *source;
    struct matcher *matcher;
    const struct plugin *plugin;
    struct config_values *values;  /* the rule's own                                       */
    struct config_values *options; /* its plugin's                                         */
    struct transform_settings *transforms; /* before the plugin, in order                  */
    struct transform_setup *chain;         /* the same as an instance takes them           */
    uint32_t transforms_count;
    struct feed_query query;
    struct binding_options binding;
    enum since_kind since_kind;
    tr_str since; /* raw JSON, of SINCE_SEQ                                                */
    int64_t timeout_ms, grace_ms, state_bytes;
    int32_t enabled, system_databases;
};

enum { DOCUMENTS_SINCE_NOW, DOCUMENTS_SINCE_BEGINNING };

/* A group of rule_documents: a database whose documents are rules. */
struct document_settings {
    tr_str name;
    const struct config_node *node;
    tr_str source_name, database;
    struct source_settings *source;
    tr_str *plugins; /* those that a document may name                                      */
    size_t plugins_count;
    int32_t report; /* write into a document what is wrong with it                          */
    int32_t since;  /* DOCUMENTS_SINCE_…                                                    */
    const struct config_node *defaults; /* of the rules; NULL: none                         */
};

struct settings {
    uint32_t refs;
    struct settings *base; /* a generation of one document stands on that of the files; its
                              sources are the base's. NULL: of files                        */
    struct arena arena;
    struct config *config;
    struct config_values *values;
    tr_str state_dir;
    const char **passwords_files; /* ended by NULL                                         */
    const char **plugin_dirs; /* ended by NULL                                             */
    int64_t drain_ms, letters_count, letters_bytes;
    int32_t log_level, log_format;
    tr_str admin_listen;      /* empty: there is no admin endpoint                         */
    const char **admin_hosts; /* ended by NULL                                             */
    struct source_settings *sources;
    size_t sources_count;
    struct rule_settings *rules; /* enabled and disabled                                   */
    size_t rules_count;
    struct document_settings *documents;
    size_t documents_count;
};

/* What the command line says over the files. */
struct settings_overrides {
    const char *path;       /* of the main file; "-" is stdin                             */
    const char *plugin_dir; /* looked at first; NULL: none                                */
    const char *state_dir;  /* NULL: the file's                                           */
};

/* All mistakes go to `diags`. 0, or the code of config_load(); ERR_CONFIG for what is wrong in
 * the content. On an error *ret_settings is untouched. */
int settings_load(const struct settings_overrides *overrides, struct diags *diags,
                  struct settings **ret_settings);

/* The rule of one document of `group` (of `base`) as a generation of its own, with its secrets
 * filled in. DOCUMENT_INVALID: what is wrong, or what no document may say, is in `diags`.
 * *ret_settings is set for DOCUMENT_RULE only; it has one rule, GROUP/ID, and is the caller's
 * to settings_unref(). */
enum document_kind settings_from_document(struct settings *base,
                                          const struct document_settings *group, tr_str id,
                                          tr_str doc, struct diags *diags,
                                          struct settings **ret_settings);

/* Fills in the secrets of all rules' options. ERR_CONFIG: reasons in `diags`. */
int settings_resolve(struct settings *settings, struct diags *diags);

void settings_ref(struct settings *settings);
void settings_unref(struct settings *settings); /* NULL is fine                            */

struct rule_settings *settings_rule(struct settings *settings, tr_str name);
struct source_settings *settings_source(struct settings *settings, tr_str name);
struct document_settings *settings_documents(struct settings *settings, tr_str name);

/* Plugin, options and transforms of a rule; the rest of the setup is the caller's. */
struct instance_setup settings_instance(const struct rule_settings *rule);

/* The tables, for the man page and `tailrace plugins --core`. */
extern const tr_option settings_main_options[], settings_source_options[],
    settings_rule_options[], settings_transform_options[], settings_documents_options[];
extern const uint32_t settings_main_count, settings_source_count, settings_rule_count,
    settings_transform_count, settings_documents_count;

#endif
