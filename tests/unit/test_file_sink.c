/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the plugin file-sink: which one a batch goes to, by database and by day, and
 * what becomes of those of a day that is over. The time is an argument there, so no test waits.
 */
#include "../../plugins/file-sink/console.c"
#include "../../plugins/file-sink/explain.c"
#include "../../plugins/file-sink/file-sink.c"
#include "../../plugins/file-sink/line.c"
#include "../../plugins/file-sink/output.c"
#include "../../plugins/file-sink/outputs.c"
#include "../../plugins/file-sink/path.c"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { AN_HOUR = 3600, A_DAY = 24 * AN_HOUR };

static const time_t NOON = 983448000; /* 2001-03-01T12:00:00Z */
static const time_t LAST = 983491199; /* 2001-03-01T23:59:59Z */

/* ---- a folder, and a log that nobody reads ---- */

struct place {
    char dir[64], text[256];
    struct tr_self self;
};

static int32_t no_level(const tr_host *host)
{
    (void)host;
    return TR_LOG_ERROR - 1;
}

static const tr_host host = {.size = sizeof(host), .log_level = no_level};

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *walk)
{
    (void)file;
    (void)type;
    (void)walk;
    return remove(path);
}

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    snprintf(place->dir, sizeof(place->dir), "/tmp/tailrace-file-sink-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    place->self.outputs.settings = (struct output_settings){
        .host = &host, .mode = 0640, .fsync = FSYNC_BATCH, .rotate_keep = 5};
    place->self.host = &host;
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;

    outputs_fini(&place->self.outputs);
    assert_int_equal(nftw(place->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(place);
    return 0;
}

static const char *in(const struct place *place, const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", place->dir, name);
    return path;
}

static void use(struct place *place, const char *name)
{
    snprintf(place->text, sizeof(place->text), "%s", in(place, name));
    place->self.options.path = place->text;
    place->self.outputs.path = place->text;
    place->self.outputs.settings.fixed = path_fixed(place->text);
}

static tr_status append_at(struct place *place, const char *db, time_t now, const char *text)
{
    char copy[64];
    struct lines lines = {.ptr = copy, .len = strlen(text)};

    snprintf(copy, sizeof(copy), "%s", text);
    return outputs_append(&place->self.outputs, tr_str_c(db), now, &lines, place->self.message);
}

static void assert_holds(const struct place *place, const char *name, const char *wanted)
{
    char text[256] = "";
    int fd = open(in(place, name), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd < 0)
        fail_msg("%s is not there", name);
    close(fd);
    assert_true(n >= 0);
    assert_string_equal(text, wanted);
}

static bool is_there(const struct place *place, const char *name)
{
    return access(in(place, name), F_OK) == 0;
}

static mode_t mode_of(const struct place *place, const char *name)
{
    struct stat file;

    assert_int_equal(stat(in(place, name), &file), 0);
    return file.st_mode & 07777;
}

/* ---- paths ---- */

static void assert_path(const char *text, const char *db, time_t now, const char *wanted)
{
    char *path = path_for(text, tr_str_c(db), now);

    assert_non_null(path);
    assert_string_equal(path, wanted);
    free(path);
}

static void a_path_has_the_database_and_the_time_in_utc(void **state)
{
    (void)state;
    assert_path("/a/${db_name}-${date}.json", "b", NOON, "/a/b-2001-03-01.json");
    assert_path("file:///a/$year/$month/$day/$hour", "b", NOON, "/a/2001/03/01/12");
    assert_path("/${hour}${day}$db_names", "b", LAST, "/2301bs");
    assert_path("/${date}/${hour}", "b", LAST + 1, "/2001-03-02/00");
    assert_path("/a", "b", NOON, "/a");
}

static void no_database_leads_elsewhere(void **state)
{
    (void)state;
    assert_path("/a/${db_name}/x", "..", NOON, "/a/%2E./x");
    assert_path("/a/${db_name}/x", ".", NOON, "/a/%2E/x");
    assert_path("/a/${db_name}/x", "../../etc", NOON, "/a/%2E.%2F..%2Fetc/x");
    assert_path("/a/${db_name}", "${date}", NOON, "/a/%24%7Bdate%7D");
}

static void only_known_variables_are_taken(void **state)
{
    static const char *const good[] = {
        "-",      "stdout://",
        "/a",     "/a/${db_name}",
        "/$date", "file:///a/${year}/${month}/${day}/${hour}.json"};
    static const char *const bad[] = {"a",          "/",          "/a/",      "/${minute}",
                                      "/${date",    "/${db_name", "/$ {day}", "/cost$",
                                      "${date}/a/", "/${}",       "/$$",      "file://a"};
    char text[256];
    tr_error error = {.size = sizeof(error), .cap = sizeof(text), .buf = text};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(path_check(good[i], &error), TR_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(path_check(bad[i], &error), TR_EINVAL);
}

static void what_has_to_be_there_ends_before_the_first_variable(void **state)
{
    (void)state;
    assert_int_equal(path_fixed("/a/b/${date}/c"), 4);
    assert_int_equal(path_fixed("/a/b/x-${date}/c/d"), 4);
    assert_int_equal(path_fixed("file:///a/b/${date}.json"), 4);
    assert_int_equal(path_fixed("/a/b/c"), 4);
    assert_int_equal(path_fixed("/${date}/a"), 0);
    assert_int_equal(path_fixed("-"), 0);
    assert_true(path_has_time("/a/$hour"));
    assert_false(path_has_time("/a/${db_name}"));
}

/* ---- the turn of the day ---- */

static void each_day_has_its_file(void **state)
{
    struct place *place = *state;

    use(place, "${date}.json");
    assert_int_equal(append_at(place, "d", LAST, "{1}\n"), TR_OK);
    assert_int_equal(append_at(place, "d", LAST, "{2}\n"), TR_OK);
    assert_int_equal(append_at(place, "d", LAST + 1, "{3}\n"), TR_OK);
    assert_holds(place, "2001-03-01.json", "{1}\n{2}\n");
    assert_holds(place, "2001-03-02.json", "{3}\n");
}

static void a_clock_that_is_set_back_goes_on_with_the_old_file(void **state)
{
    struct place *place = *state;

    use(place, "${date}.json");
    assert_int_equal(append_at(place, "d", LAST + 1, "{1}\n"), TR_OK);
    assert_int_equal(append_at(place, "d", LAST, "{2}\n"), TR_OK);
    assert_int_equal(append_at(place, "d", LAST + 1, "{3}\n"), TR_OK);
    assert_holds(place, "2001-03-01.json", "{2}\n");
    assert_holds(place, "2001-03-02.json", "{1}\n{3}\n");
}

/* Others may lock a file as soon as nobody writes to it. */
static bool is_locked(const struct place *place, const char *name)
{
    int fd = open(in(place, name), O_RDONLY);
    bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0;

    assert_true(fd >= 0);
    close(fd);
    return locked;
}

static void the_turn_of_the_day_closes_the_files_of_all_databases(void **state)
{
    struct place *place = *state;

    use(place, "${db_name}-${date}");
    assert_int_equal(append_at(place, "a", LAST, "{1}\n"), TR_OK);
    assert_int_equal(append_at(place, "b", LAST, "{2}\n"), TR_OK);
    assert_int_equal(outputs_turn(&place->self.outputs, LAST, place->self.message), TR_OK);
    assert_true(is_locked(place, "a-2001-03-01"));
    assert_int_equal(append_at(place, "a", LAST + 1, "{3}\n"), TR_OK);
    assert_false(is_locked(place, "a-2001-03-01"));
    assert_false(is_locked(place, "b-2001-03-01"));
    assert_true(is_locked(place, "a-2001-03-02"));
    assert_int_equal(outputs_turn(&place->self.outputs, LAST + 1 + A_DAY, place->self.message),
                     TR_OK);
    assert_false(is_locked(place, "a-2001-03-02"));
    assert_int_equal(place->self.outputs.count, 0);
}

static void a_period_is_as_long_as_the_shortest_variable(void **state)
{
    struct place *place = *state;

    use(place, "${year}-${month}");
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_OK);
    assert_int_equal(outputs_turn(&place->self.outputs, NOON + 2 * A_DAY, place->self.message),
                     TR_OK);
    assert_true(is_locked(place, "2001-03"));
    assert_int_equal(outputs_turn(&place->self.outputs, NOON + 31 * A_DAY, place->self.message),
                     TR_OK);
    assert_false(is_locked(place, "2001-03"));
    use(place, "${date}-${hour}");
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_OK);
    assert_int_equal(append_at(place, "a", NOON + AN_HOUR - 1, "{2}\n"), TR_OK);
    assert_int_equal(append_at(place, "a", NOON + AN_HOUR, "{3}\n"), TR_OK);
    assert_holds(place, "2001-03-01-12", "{1}\n{2}\n");
    assert_holds(place, "2001-03-01-13", "{3}\n");
}

static void what_a_failed_batch_left_is_cut_off_before_the_next_day(void **state)
{
    struct place *place = *state;

    use(place, "${date}");
    assert_int_equal(append_at(place, "a", LAST, "{1}\n"), TR_OK);
    assert_int_equal(append_at(place, "a", LAST, "{2}\n"), TR_OK);
    place->self.outputs.items[0].cut_to = 4; /* as if the second had failed and stayed */
    assert_int_equal(append_at(place, "a", LAST + 1, "{2}\n"), TR_OK);
    assert_holds(place, "2001-03-01", "{1}\n");
    assert_holds(place, "2001-03-02", "{2}\n");
}

static void a_day_that_is_not_on_the_disk_is_never_over(void **state)
{
    struct place *place = *state;

    use(place, "${date}");
    place->self.outputs.settings.fsync = FSYNC_INTERVAL;
    place->self.outputs.settings.fsync_interval_ms = INT32_MAX;
    assert_int_equal(append_at(place, "a", LAST, "{1}\n"), TR_OK);
    place->self.outputs.items[0].lost = EIO;
    place->self.outputs.items[0].dirty = true;
    assert_int_equal(outputs_turn(&place->self.outputs, LAST + 1, place->self.message),
                     TR_FATAL);
    assert_int_equal(append_at(place, "a", LAST + 1, "{2}\n"), TR_FATAL);
    assert_non_null(strstr(place->self.message, "cannot be made durable"));
    assert_false(is_there(place, "2001-03-02"));
}

static void more_databases_than_files_may_be_open(void **state)
{
    struct place *place = *state;
    char db[16];

    use(place, "${db_name}");
    for (int round = 1; round <= 2; round++)
        for (int i = 0; i < OUTPUTS_MAX + 10; i++) {
            snprintf(db, sizeof(db), "d%d", i);
            assert_int_equal(append_at(place, db, NOON, round == 1 ? "{1}\n" : "{2}\n"), TR_OK);
        }
    assert_int_equal(place->self.outputs.count, OUTPUTS_MAX);
    for (int i = 0; i < OUTPUTS_MAX + 10; i++) {
        snprintf(db, sizeof(db), "d%d", i);
        assert_holds(place, db, "{1}\n{2}\n");
    }
}

static void rotation_by_size_goes_on_within_a_day(void **state)
{
    struct place *place = *state;

    use(place, "${date}/x");
    place->self.outputs.settings.rotate_size = 8;
    for (int i = 0; i < 3; i++)
        assert_int_equal(append_at(place, "a", LAST, "{1}\n"), TR_OK);
    assert_int_equal(append_at(place, "a", LAST + 1, "{2}\n"), TR_OK);
    assert_holds(place, "2001-03-01/x.1", "{1}\n{1}\n");
    assert_holds(place, "2001-03-01/x", "{1}\n");
    assert_holds(place, "2001-03-02/x", "{2}\n");
    assert_false(is_there(place, "2001-03-02/x.1"));
}

/* ---- a day without a batch after it ---- */

static uint32_t timer_after_ms; /* 0: no timer is set                                        */

static tr_status set_timer(const tr_host *the_host, uint32_t after_ms, void (*fire)(void *user),
                           void *user, uint64_t *ret_id)
{
    (void)the_host;
    (void)user;
    assert_ptr_equal(fire, on_turn);
    assert_int_equal(timer_after_ms, 0);
    timer_after_ms = after_ms;
    *ret_id = 1;
    return TR_OK;
}

static void a_timer_closes_what_no_batch_does(void **state)
{
    static const tr_timer timer = {.size = sizeof(timer), .set = set_timer};
    struct place *place = *state;

    timer_after_ms = 0;
    place->self.timer = &timer;
    use(place, "${date}");
    set_turn(&place->self);
    assert_int_equal(timer_after_ms, 0); /* nothing is open                                  */
    assert_int_equal(append_at(place, "a", LAST, "{1}\n"), TR_OK);
    set_turn(&place->self);
    set_turn(&place->self);
    assert_in_range(timer_after_ms, 1, AN_HOUR * 1000);
    timer_after_ms = 0;
    on_turn(&place->self);
    assert_false(is_locked(place, "2001-03-01"));
    assert_int_equal(timer_after_ms, 0);
}

static void without_a_time_in_the_path_no_timer_is_set(void **state)
{
    struct place *place = *state;

    use(place, "${db_name}");
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_OK);
    set_turn(&place->self); /* there is none                                                 */
}

/* ---- folders ---- */

static void folders_with_variables_are_made_and_those_below(void **state)
{
    struct place *place = *state;

    use(place, "${db_name}/${year}/of/${day}.json");
    assert_int_equal(append_at(place, "a/b", NOON, "{1}\n"), TR_OK);
    assert_holds(place, "a%2Fb/2001/of/01.json", "{1}\n");
    assert_int_equal(mode_of(place, "a%2Fb"), 0750);
    assert_int_equal(mode_of(place, "a%2Fb/2001/of"), 0750);
    assert_int_equal(mode_of(place, "a%2Fb/2001/of/01.json"), 0640);
}

static void who_may_read_the_files_may_look_into_the_folders(void **state)
{
    (void)state;
    assert_int_equal(folder_mode(0640), 0750);
    assert_int_equal(folder_mode(0644), 0755);
    assert_int_equal(folder_mode(0600), 0700);
    assert_int_equal(folder_mode(0660), 0770);
    assert_int_equal(folder_mode(0200), 0700);
}

static void folders_without_variables_are_not_made(void **state)
{
    struct place *place = *state;

    use(place, "missing/${date}/x");
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_RETRY);
    assert_non_null(strstr(place->self.message, "missing/2001-03-01 cannot be made"));
    assert_false(is_there(place, "missing"));
    use(place, "missing/${date}.json");
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_RETRY);
    assert_non_null(strstr(place->self.message, "make its folder"));
    assert_int_equal(mkdir(in(place, "missing"), 0700), 0);
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_OK);
    assert_holds(place, "missing/2001-03-01.json", "{1}\n");
}

static void folders_that_were_removed_are_made_again(void **state)
{
    struct place *place = *state;

    use(place, "${date}/x");
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_OK);
    assert_int_equal(unlink(in(place, "2001-03-01/x")), 0);
    assert_int_equal(rmdir(in(place, "2001-03-01")), 0);
    assert_int_equal(append_at(place, "a", NOON, "{2}\n"), TR_OK);
    assert_holds(place, "2001-03-01/x", "{2}\n");
}

static void a_file_in_the_place_of_a_folder_is_left_alone(void **state)
{
    struct place *place = *state;
    int fd = open(in(place, "2001-03-01"), O_WRONLY | O_CREAT, 0600);

    assert_true(fd >= 0);
    close(fd);
    use(place, "${date}/x");
    assert_int_equal(append_at(place, "a", NOON, "{1}\n"), TR_RETRY);
    assert_holds(place, "2001-03-01", "");
}

#define WITH_PLACE(test_) cmocka_unit_test_setup_teardown(test_, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_has_the_database_and_the_time_in_utc),
        cmocka_unit_test(no_database_leads_elsewhere),
        cmocka_unit_test(only_known_variables_are_taken),
        cmocka_unit_test(what_has_to_be_there_ends_before_the_first_variable),
        WITH_PLACE(each_day_has_its_file),
        WITH_PLACE(a_clock_that_is_set_back_goes_on_with_the_old_file),
        WITH_PLACE(the_turn_of_the_day_closes_the_files_of_all_databases),
        WITH_PLACE(a_period_is_as_long_as_the_shortest_variable),
        WITH_PLACE(what_a_failed_batch_left_is_cut_off_before_the_next_day),
        WITH_PLACE(a_day_that_is_not_on_the_disk_is_never_over),
        WITH_PLACE(more_databases_than_files_may_be_open),
        WITH_PLACE(rotation_by_size_goes_on_within_a_day),
        WITH_PLACE(a_timer_closes_what_no_batch_does),
        WITH_PLACE(without_a_time_in_the_path_no_timer_is_set),
        WITH_PLACE(folders_with_variables_are_made_and_those_below),
        cmocka_unit_test(who_may_read_the_files_may_look_into_the_folders),
        WITH_PLACE(folders_without_variables_are_not_made),
        WITH_PLACE(folders_that_were_removed_are_made_again),
        WITH_PLACE(a_file_in_the_place_of_a_folder_is_left_alone),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
