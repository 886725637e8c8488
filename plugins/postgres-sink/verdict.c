/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an error means, by its SQLSTATE: whether a document is to blame, which then is looked
 * for by halves, or the server, the configuration or the moment, which all the others share.
 * What is not known is the moment's. Worker.
 */
#include "pg.h"

bool verdict_is_state(const PGresult *result, const char *sqlstate)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    return state && strncmp(state, sqlstate, strlen(sqlstate)) == 0;
}

static bool is_for_a_document(const PGresult *result)
{
    static const char *const classes[] = {
        "21", /* cardinality                                                                */
        "22", /* data: \u0000 in a string, a number out of range                            */
        "23", /* constraints                                                                */
        "27", /* a trigger changed what it must not                                         */
        "38", "39", /* functions of others                                                  */
        "44", /* WITH CHECK OPTION                                                          */
        "54", /* larger than the server can                                                 */
        "P0", /* RAISE of a trigger                                                         */
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (verdict_is_state(result, classes[i]))
            return true;
    return false;
}

static void take_words(tr_self *self, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

    if (!message)
        message = PQresultErrorMessage(result);
    snprintf(self->words, sizeof(self->words), "%s%s%s%s%s", state ? state : "",
             state ? ": " : "", message[0] ? message : "no answer", detail ? ": " : "",
             detail ? detail : "");
}

enum verdict verdict_of(tr_self *self, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result); /* of NULL: PGRES_FATAL_ERROR            */
    enum verdict verdict = VERDICT_LATER;

    if (result && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK))
        verdict = VERDICT_DONE;
    else if (verdict_is_state(result, "42P01") || verdict_is_state(result, "3F000"))
        verdict = VERDICT_MISSING;
    else if (is_for_a_document(result))
        verdict = VERDICT_REFUSED;
    if (result && verdict != VERDICT_DONE)
        take_words(self, result);
    self->late |= verdict_is_state(result, "57014"); /* statement_timeout                   */
    /* Only another connection finds out that it may write again, or finds the server that may.
     */
    if (verdict_is_state(result, "25006"))
        session_close(self);
    PQclear(result);
    return verdict;
}
