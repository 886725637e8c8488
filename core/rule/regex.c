/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions by PCRE2. Compiled with the configuration, matched on the loop thread for
 * rules and on any thread for templates of plugins.
 *
 * Each thread has a JIT stack of its own, made on its first match. What does not fit into it is
 * matched again by the interpreter, whose memory is the heap.
 */
#include "rule/regex.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdint.h>

struct regex {
    pcre2_code *code;
    char *text;
    size_t len;
    bool jit;
};

/* What one thread needs to match. */
struct scratch {
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
};

static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;

static void free_scratch(void *pointer)
{
    struct scratch *scratch = pointer;

    if (!scratch)
        return;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    free(scratch);
}

static void make_key(void)
{
    if (pthread_key_create(&scratch_key, free_scratch) != 0)
        abort(); /* 1,024 keys a process, and we take this one */
}

/* This thread's scratch, or NULL when the system has no memory for it. */
static struct scratch *get_scratch(void)
{
    struct scratch *scratch;

    pthread_once(&scratch_once, make_key);
    scratch = pthread_getspecific(scratch_key);
    if (scratch)
        return scratch;
    scratch = mem_new(struct scratch);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->data = pcre2_match_data_create(1, NULL);
    if (!scratch->context || !scratch->data || pthread_setspecific(scratch_key, scratch) != 0) {
        free_scratch(scratch);
        return NULL;
    }
    pcre2_set_match_limit(scratch->context, REGEX_MATCH_LIMIT);
    pcre2_set_depth_limit(scratch->context, REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(scratch->context, REGEX_HEAP_LIMIT_KB);
    /* Without it the machine stack serves, and the interpreter comes in sooner. */
    scratch->stack = pcre2_jit_stack_create(32 * 1024, REGEX_JIT_STACK, NULL);
    if (scratch->stack)
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    return scratch;
}

static int compile_error(tr_str pattern, int code, size_t offset, struct error *error)
{
    char why[160];
    tr_str rest = str_from(pattern, offset);

    if (pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why)) < 0)
        why[0] = '\0';
    if (rest.len > 20)
        rest.len = 20;
    return error_set(error, ERR_CONFIG,
                     "the regular expression \"%.*s\" is wrong at byte %zu (%s%.*s%s): %s; "
                     "correct it there, and note that a configuration file wants each "
                     "backslash twice",
                     (int)(pattern.len < 120 ? pattern.len : 120), pattern.ptr, offset,
                     rest.len ? "before \"" : "its end", STR_ARG(rest), rest.len ? "\"" : "",
                     why);
}

static pcre2_code *compile_code(tr_str pattern, struct error *error)
{
    pcre2_code *code;
    PCRE2_SIZE offset = 0;
    int number = 0;

    if (pattern.len > REGEX_PATTERN_MAX) {
        error_set(error, ERR_CONFIG,
                  "a regular expression of %zu bytes is over the limit of %d; shorten it, or "
                  "give a list of names",
                  pattern.len, REGEX_PATTERN_MAX);
        return NULL;
    }
    /* \C could stop within a character, where no later match could begin. */
    code = pcre2_compile((PCRE2_SPTR)(pattern.len ? pattern.ptr : ""), pattern.len,
                         PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
                             PCRE2_DOLLAR_ENDONLY,
                         &number, &offset, NULL);
    if (!code)
        compile_error(pattern, number, offset, error);
    return code;
}

int regex_new(tr_str pattern, struct regex **ret_regex, struct error *error)
{
    pcre2_code *code = compile_code(pattern, error);
    struct regex *regex;

    if (!code)
        return ERR_CONFIG;
    regex = mem_new(struct regex);
    regex->code = code;
    regex->text = str_dup(pattern);
    regex->len = pattern.len;
    regex->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
    *ret_regex = regex;
    return 0;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    free(regex->text);
    free(regex);
}

tr_str regex_text(const struct regex *regex)
{
    return str_n(regex->text, regex->len);
}

bool regex_is_jit(const struct regex *regex)
{
    return regex->jit;
}

/* Its match data holds the frames of the deepest match, so it does not outlive the call. */
static int interpret(const struct regex *regex, tr_str text, struct scratch *scratch)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int result = PCRE2_ERROR_NOMEMORY;

    if (data)
        result = pcre2_match(regex->code, (PCRE2_SPTR)text.ptr, text.len, 0, PCRE2_NO_JIT, data,
                             scratch->context);
    pcre2_match_data_free(data);
    return result;
}

enum verdict regex_match(const struct regex *regex, tr_str text, struct error *error)
{
    struct scratch *scratch = get_scratch();
    int result = PCRE2_ERROR_NOMEMORY;
    char why[160] = "";

    if (!text.ptr)
        text = STR("");
    if (scratch && regex->jit)
        result = pcre2_match(regex->code, (PCRE2_SPTR)text.ptr, text.len, 0, 0, scratch->data,
                             scratch->context);
    if (scratch && (!regex->jit || result == PCRE2_ERROR_JIT_STACKLIMIT))
        result = interpret(regex, text, scratch);
    if (result >= 0)
        return VERDICT_MATCH;
    if (result == PCRE2_ERROR_NOMATCH)
        return VERDICT_NO_MATCH;
    pcre2_get_error_message(result, (PCRE2_UCHAR *)why, sizeof(why));
    error_set(error, ERR_DATA,
              "the regular expression \"%.120s\" gave up on a value of %zu bytes: %s; make it "
              "simpler, repeats within repeats such as (a+)+ are the usual cause",
              regex->text, text.len, why);
    return VERDICT_ERROR;
}
