/* SPDX-License-Identifier: Apache-2.0 */
/* http/secrets.h: what the passwords file may be, and what references stand for. */
#include "http/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/tailrace-secrets-XXXXXX";
static char path[64];

static void write_file(const char *text, size_t len, mode_t mode)
{
    FILE *file;

    unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    fwrite(text, 1, len, file);
    fclose(file);
    chmod(path, mode);
}

static void write_text(const char *text)
{
    write_file(text, strlen(text), 0600);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/p", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void assert_password(struct secrets *secrets, const char *host, const char *user,
                            const char *want)
{
    struct secret secret = {0};

    assert_true(secrets_password(secrets, str_c(host), str_c(user), &secret));
    assert_string_equal(secret.ptr, want);
    secret_fini(&secret);
    assert_null(secret.ptr);
}

static void passwords_are_found_by_host_and_user(void **state)
{
    struct secrets *secrets = secrets_new();
    struct secret none;

    (void)state;
    write_text("{\"Couch.example.com\": {\"a\": \"x\\u00e9\\n\", \"b\": \"\"}, \"h2\": {}}\n");
    assert_int_equal(secrets_load(secrets, path, NULL), 0);
    assert_password(secrets, "couch.EXAMPLE.com", "a", "x\xc3\xa9\n");
    assert_password(secrets, "couch.example.com", "b", "");
    assert_false(secrets_password(secrets, STR("couch.example.com"), STR("A"), &none));
    assert_false(secrets_password(secrets, STR("h2"), STR("a"), &none));
    assert_false(secrets_password(NULL, STR("h2"), STR("a"), &none));
    secrets_free(secrets);
}

static void a_load_replaces_all_and_a_failed_one_nothing(void **state)
{
    struct secrets *secrets = secrets_new();
    uint64_t before;
    struct secret none;

    (void)state;
    write_text("{\"h\":{\"a\":\"1\"}}");
    assert_int_equal(secrets_load(secrets, path, NULL), 0);
    before = secrets_generation(secrets);
    write_text("{\"h\":{\"a\":\"2\",\"b\":7}}");
    assert_int_equal(secrets_load(secrets, path, NULL), -3);
    assert_password(secrets, "h", "a", "1");
    assert_true(secrets_generation(secrets) == before);
    write_text("{\"h\":{\"c\":\"3\"}}");
    assert_int_equal(secrets_load(secrets, path, NULL), 0);
    assert_false(secrets_password(secrets, STR("h"), STR("a"), &none));
    assert_true(secrets_generation(secrets) != before);
    secrets_free(secrets);
}

static void several_files_are_read_as_one_if_they_agree(void **state)
{
    struct secrets *secrets = secrets_new();
    char other[sizeof(path) + 8];
    const char *paths[] = {path, other, NULL};
    struct secret none;
    struct error error;

    (void)state;
    write_text("{\"h\":{\"a\":\"1\",\"b\":\"canary\"}}");
    snprintf(other, sizeof(other), "%s.other", path);
    assert_int_equal(rename(path, other), 0);
    write_text("{\"h\":{\"a\":\"1\"},\"i\":{\"c\":\"3\"}}");
    assert_int_equal(secrets_load_all(secrets, paths, NULL), 0);
    assert_password(secrets, "h", "a", "1");
    assert_password(secrets, "h", "b", "canary");
    assert_password(secrets, "i", "c", "3");
    write_text("{\"h\":{\"b\":\"another\"}}");
    assert_int_equal(secrets_load_all(secrets, paths, &error), -3);
    assert_non_null(strstr(error.text, other));
    assert_non_null(strstr(error.text, "\"b\" at \"h\""));
    assert_null(strstr(error.text, "canary"));
    assert_password(secrets, "i", "c", "3");
    assert_int_equal(secrets_load_all(secrets, paths + 2, NULL), 0);
    assert_false(secrets_password(secrets, STR("h"), STR("a"), &none));
    unlink(other);
    secrets_free(secrets);
}

static void malformed_files_are_refused_and_their_secrets_not_shown(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{\"h\":{\"a\":\"canary\"}",
                                      "{\"h\":{\"a\":\"canary\"}} x",
                                      "{\"h\":\"canary\"}",
                                      "{\"h\":{\"a\":\"canary\",}}",
                                      "{\"h\":{\"a\":[\"canary\"]}}",
                                      "{\"h\":{\"a\":\"canary\\u0000\"}}",
                                      "h: canary"};
    struct secrets *secrets = secrets_new();
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_text(bad[i]);
        assert_int_equal(secrets_load(secrets, path, &error), -3);
        assert_null(strstr(error.text, "canary"));
        assert_non_null(strstr(error.text, path));
    }
    secrets_free(secrets);
}

static void a_file_open_to_others_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0666};
    struct secrets *secrets = secrets_new();
    struct secret none;
    struct error error;
    char reference[80];

    (void)state;
    snprintf(reference, sizeof(reference), "file:%s", path);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_file("{}", 2, modes[i]);
        assert_int_equal(secrets_load(secrets, path, &error), -11);
        assert_non_null(strstr(error.text, "chmod 600"));
        assert_int_equal(secret_resolve(str_c(reference), &none, &error), -11);
    }
    assert_int_equal(secrets_load(secrets, folder, &error), -4);
    assert_int_equal(secrets_load(secrets, "/nowhere/at/all", &error), -4);
    secrets_free(secrets);
}

static void assert_resolves(const char *reference, const char *want)
{
    struct secret secret = {0};

    assert_int_equal(secret_resolve(str_c(reference), &secret, NULL), 0);
    assert_string_equal(secret.ptr, want);
    assert_int_equal(secret.len, strlen(want));
    secret_fini(&secret);
}

static void references_give_file_environment_and_credential(void **state)
{
    char reference[80];

    (void)state;
    snprintf(reference, sizeof(reference), "file:%s", path);
    write_text("se cret \n");
    assert_resolves(reference, "se cret ");
    write_text("a\n\n");
    assert_resolves(reference, "a\n");
    write_text("a\r\n");
    assert_resolves(reference, "a");
    setenv("TAILRACE_TEST_SECRET", "from env", 1);
    assert_resolves("env:TAILRACE_TEST_SECRET", "from env");
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    write_file("cred", 4, 0440);
    assert_resolves("cred:p", "cred");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void bad_references_are_refused_and_not_shown(void **state)
{
    static const char *const bad[] = {"canary", "canary:x", "file:canary", "file:", "env:", ""};
    struct secret none;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(secret_resolve(str_c(bad[i]), &none, &error), -2);
        assert_null(strstr(error.text, "canary"));
    }
    assert_int_equal(secret_resolve(STR("env:TAILRACE_TEST_NONE"), &none, &error), -4);
    assert_int_equal(secret_resolve(STR("cred:x"), &none, &error), -4);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    assert_int_equal(secret_resolve(STR("cred:../p"), &none, &error), -2);
    assert_int_equal(secret_resolve(STR("cred:.."), &none, &error), -2);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_true(secret_is_reference(STR("env:A")));
    assert_false(secret_is_reference(STR("hunter2")));
}

static void the_passwords_file_may_be_a_credential(void **state)
{
    struct secrets *secrets = secrets_new();

    (void)state;
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    write_file("{\"h\":{\"a\":\"1\"}}", 15, 0440);
    assert_int_equal(secrets_load(secrets, "cred:p", NULL), 0);
    assert_password(secrets, "h", "a", "1");
    unsetenv("CREDENTIALS_DIRECTORY");
    secrets_free(secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_found_by_host_and_user),
        cmocka_unit_test(a_load_replaces_all_and_a_failed_one_nothing),
        cmocka_unit_test(several_files_are_read_as_one_if_they_agree),
        cmocka_unit_test(malformed_files_are_refused_and_their_secrets_not_shown),
        cmocka_unit_test(a_file_open_to_others_is_refused),
        cmocka_unit_test(references_give_file_environment_and_credential),
        cmocka_unit_test(bad_references_are_refused_and_not_shown),
        cmocka_unit_test(the_passwords_file_may_be_a_credential),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
