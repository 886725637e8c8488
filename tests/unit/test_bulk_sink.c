/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure parts of the plugin bulk-sink: documents without some of their members, and what is
 * sent of a document that a transform has changed.
 */
#include "../../plugins/bulk-sink/plan.c"
#include "../../plugins/bulk-sink/splice.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Text in memory of its very length, so that a step beyond is seen. */
static tr_str exact(const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, text, len);
    return tr_str_n(copy, len);
}

static void release(tr_str text)
{
    free((char *)(uintptr_t)text.ptr);
}

/* ---- splicing ---- */

static void assert_copy(const char *doc, unsigned without, const char *wanted)
{
    tr_str text = exact(doc);
    char *out = malloc(text.len + 1);
    struct splice splice;

    assert_non_null(out);
    assert_true(splice_read(text, &splice));
    out[splice_copy(&splice, without, out)] = '\0';
    assert_string_equal(out, wanted);
    free(out);
    release(text);
}

static void what_is_kept_is_kept_byte_for_byte(void **state)
{
    (void)state;
    assert_copy("{\"_id\":\"a\",\"_rev\":\"1-b\",\"v\": 1.0,\"w\":\"\\u00e4,\"}", 0,
                "\"_id\":\"a\",\"_rev\":\"1-b\",\"v\": 1.0,\"w\":\"\\u00e4,\"");
    assert_copy("{}", SPLICE_REV, "");
}

static void a_member_goes_with_its_comma(void **state)
{
    (void)state;
    assert_copy("{\"_rev\":\"1-b\",\"v\":1}", SPLICE_REV, "\"v\":1");
    assert_copy("{\"_id\":\"a\",\"_rev\":\"1-b\",\"v\":1}", SPLICE_REV,
                "\"_id\":\"a\",\"v\":1");
    assert_copy("{\"v\":1 , \"_rev\" : \"1-b\" }", SPLICE_REV, "\"v\":1");
    assert_copy("{\"_rev\":\"1-b\"}", SPLICE_REV, "");
    assert_copy("{\"_id\":\"a\",\"_rev\":\"1-b\",\"_attachments\":{\"_rev\":{}}}",
                SPLICE_REV | SPLICE_ATTACHMENTS, "\"_id\":\"a\"");
    assert_copy("{\"_rev\":1,\"_rev\":2,\"a\":\",\",\"_rev\":3}", SPLICE_REV, "\"a\":\",\"");
}

static void only_members_at_the_top_are_meant(void **state)
{
    (void)state;
    assert_copy("{\"a\":{\"_rev\":1},\"_rev\":2}", SPLICE_REV, "\"a\":{\"_rev\":1}");
    assert_copy("{\"rev\":1,\"__rev\":2,\"_revx\":3}", SPLICE_REV,
                "\"rev\":1,\"__rev\":2,\"_revx\":3");
}

static void the_members_of_couchdb_are_noticed(void **state)
{
    struct splice splice;

    (void)state;
    assert_true(
        splice_read(TR_STR("{\"_id\":\"a\",\"_deleted\":true,\"_revisions\":{}}"), &splice));
    assert_int_equal(splice.has, SPLICE_ID | SPLICE_DELETED | SPLICE_REVISIONS);
    assert_true(tr_str_eq(splice.id, TR_STR("\"a\"")));
    assert_true(tr_scan_is_true(splice.deleted));
}

static void what_is_no_document_is_refused(void **state)
{
    static const char *const texts[] = {"",      "null", "[]", "{", "{\"_id\":\"a\"",
                                        "{} {}", "\"x\""};
    struct splice splice;
    char many[600] = "{";

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        tr_str text = exact(texts[i]);
        assert_false(splice_read(text, &splice));
        release(text);
    }
    for (int i = 0; i <= SPLICE_CUTS; i++)
        strcat(many, i ? ",\"_rev\":1" : "\"_rev\":1");
    strcat(many, "}");
    assert_false(splice_read(tr_str_c(many), &splice));
}

static void stubs_are_told_from_attachments(void **state)
{
    static const char *const stubs[] = {
        "{\"_attachments\":{\"a\":{\"data\":\"\"},\"b\":{\"length\":1,\"stub\":true}}}",
        "{\"_attachments\":{\"a\":{\"follows\":true}}}",
    };
    static const char *const none[] = {
        "{\"_attachments\":{\"a\":{\"data\":\"eA==\",\"stub\":false}}}",
        "{\"_attachments\":{}}",
        "{\"a\":{\"stub\":true}}",
        "{\"_attachments\":3}",
    };
    struct splice splice;

    (void)state;
    for (size_t i = 0; i < sizeof(stubs) / sizeof(stubs[0]); i++) {
        assert_true(splice_read(tr_str_c(stubs[i]), &splice));
        assert_true(splice_has_stubs(&splice));
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_true(splice_read(tr_str_c(none[i]), &splice));
        assert_false(splice_has_stubs(&splice));
    }
}

/* ---- transformed documents ---- */

static void assert_sent(const char *doc, uint32_t flags, int32_t attachments, const char *copy,
                        const char *wanted)
{
    tr_change change = {.doc = tr_str_c(doc), .flags = flags | TR_CHANGE_HAS_DOC};
    tr_batch batch = {.changes = &change, .count = 1, .stride = sizeof(change)};
    tr_self self = {.options.attachments = attachments};
    struct job job = {.self = &self, .batch = &batch};
    tr_text out = {0};
    struct splice splice;

    assert_true(splice_read(tr_str_c(copy), &splice));
    assert_int_equal(plan_add_transformed(&job, &out, 0, &splice), wanted != NULL);
    if (wanted) {
        tr_text_add(&out, tr_str_n("", 1));
        assert_string_equal(out.ptr, wanted);
    }
    tr_text_fini(&out);
}

#define HISTORY "\"_revisions\":{\"start\":2,\"ids\":[\"b\",\"a\"]}"

static void a_transformed_document_goes_with_the_history_of_its_revision(void **state)
{
    static const char copy[] = "{\"_id\":\"x\",\"_rev\":\"2-b\",\"secret\":1," HISTORY "}";

    (void)state;
    assert_sent("{\"_id\":\"x\",\"_rev\":\"2-b\",\"v\":1}", 0, ATTACHMENTS_REJECT, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY ",\"v\":1}");
    assert_sent("{\"v\": 1 }", 0, ATTACHMENTS_REJECT, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY ",\"v\": 1}");
    assert_sent("{}", 0, ATTACHMENTS_REJECT, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY "}");
    assert_sent("{\"why\":1}", TR_CHANGE_DELETED, ATTACHMENTS_REJECT, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY ",\"_deleted\":true,\"why\":1}");
    assert_sent("{\"v\":1}", 0, ATTACHMENTS_REJECT, "{\"_id\":\"x\",\"_rev\":\"2-b\"}", NULL);
}

static void a_transformed_document_has_the_attachments_that_it_names(void **state)
{
    static const char copy[] = "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY
                               ",\"_attachments\":{\"a\":{\"data\":\"eA==\"},"
                               "\"b\":{\"data\":\"eQ==\"}}}";
    static const char stub[] = "{\"_attachments\":{\"b\":{\"stub\":true}},\"v\":1}";

    (void)state;
    assert_sent(stub, 0, ATTACHMENTS_REJECT, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY
                ",\"_attachments\":{\"b\":{\"data\":\"eQ==\"}},\"v\":1}");
    assert_sent(stub, 0, ATTACHMENTS_DROP, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY ",\"v\":1}");
    assert_sent("{\"v\":1}", 0, ATTACHMENTS_REJECT, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY ",\"v\":1}");
    assert_sent("{\"_attachments\":{\"c\":{\"data\":\"eg==\"}}}", 0, ATTACHMENTS_REJECT, copy,
                "{\"_id\":\"x\",\"_rev\":\"2-b\"," HISTORY
                ",\"_attachments\":{\"c\":{\"data\":\"eg==\"}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_kept_byte_for_byte),
        cmocka_unit_test(a_member_goes_with_its_comma),
        cmocka_unit_test(only_members_at_the_top_are_meant),
        cmocka_unit_test(the_members_of_couchdb_are_noticed),
        cmocka_unit_test(what_is_no_document_is_refused),
        cmocka_unit_test(stubs_are_told_from_attachments),
        cmocka_unit_test(a_transformed_document_goes_with_the_history_of_its_revision),
        cmocka_unit_test(a_transformed_document_has_the_attachments_that_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
