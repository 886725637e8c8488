/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules out of documents: the JSON of one document of a database into the group that a file
 * would have under `rules`, or into the reason why it is none.
 *
 *     on_change    Spiegel's: a rule of the plugin http-webhook
 *     replicator   Spiegel's: a rule of the plugin replicator
 *     rule         tailrace's own: the members of a rule in a file, as JSON
 *
 * Documents of any other type, deleted ones and those with "enabled": false are no rules, and
 * nothing is wrong with them. What is said here is only the form; core/engine judges the group
 * as it judges one of a file, and what a document may not say at all. Pure: no input, no
 * output, no state. Any thread; called by engine/document_rules.c and by the import of the cli.
 */
#ifndef DOCUMENT_DOCUMENT_H
#define DOCUMENT_DOCUMENT_H

#include "config/diag.h"

enum document_kind {
    DOCUMENT_NONE,   /* no rule                                                            */
    DOCUMENT_RULE,   /* *ret_rule is one                                                   */
    DOCUMENT_INVALID /* it wants to be one: `diags` has what is wrong                      */
};

/* Where the documents are, and what they need not say. */
struct document_options {
    tr_str group;    /* the first half of the rule's name, GROUP/ID                        */
    tr_str source;   /* the source of rules that name none                                 */
    tr_str database; /* in which the documents are: no pattern of Spiegel's sees it        */
    tr_str server;   /* the URL of that source, which is to run replications; or empty     */
    tr_str since;    /* where rules begin that have no checkpoint and do not say; or empty */
    const struct config_node *defaults; /* members that a rule gets where its document does
                                           not say otherwise; NULL: none                   */
};

/*
 * `id` and `doc` are of a row that is not deleted. Nodes and texts of *ret_rule are in `arena`
 * (those of the defaults are shared); its name is GROUP/ID, and its nodes stand at their JSON
 * pointers in the file `id`. *ret_rule is untouched on other results than DOCUMENT_RULE.
 */
enum document_kind document_rule(const struct document_options *options, tr_str id, tr_str doc,
                                 struct arena *arena, struct diags *diags,
                                 struct config_node **ret_rule);

/* "GROUP/ID"; into the arena. */
tr_str document_rule_name(tr_str group, tr_str id, struct arena *arena);

/* The errors of `diags` as one line, "/url: is not …; /method: …", for logs, status and the
 * document itself. Appended to `out`. */
void document_reason(const struct diags *diags, struct buf *out);

#endif
