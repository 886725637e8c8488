/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to "does it match?", with three values, since "I could not find out" is neither.
 *
 * Whoever takes an error for "no match" loses changes: a checkpoint would pass a row that
 * nobody has judged. So there is no way to write `if (test())` and mean it; compare with a
 * value.
 */
#ifndef RULE_VERDICT_H
#define RULE_VERDICT_H

enum verdict {
    VERDICT_NO_MATCH = 1,
    VERDICT_MATCH = 2,
    VERDICT_ERROR = 3 /* a limit was reached or the data makes no sense; a text says which */
};

#endif
