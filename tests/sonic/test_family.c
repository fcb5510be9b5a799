/* The families of models as the protocol's tables list them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/sonic/family.h"

static void
assert_family(const char *model_id, const char *name, bool known)
{
    bool is_known = !known;
    assert_string_equal(sonic_family_of_model(model_id, &is_known)->name, name);
    assert_int_equal(is_known, known);
}

static void
test_families_of_models(void **state)
{
    (void)state;
    assert_family("amazon.nova-sonic-v1:0", "v1", true);
    assert_family("amazon.nova-2-sonic-v1:0", "nova2", true);
    assert_family("amazon.nova-2-5-sonic", "nova2.5", true);
    assert_family("us.amazon.nova-2-sonic-v1:0", "nova2", true);
    assert_family("global.amazon.nova-2-5-sonic", "nova2.5", true);
    assert_family("amazon.nova-2.5-sonic-v1:0", "nova2", false);
    assert_family("usamazon.nova-sonic-v1:0", "nova2", false);
    assert_family("", "nova2", false);
    assert_string_equal(sonic_family_of_model("x", NULL)->name, "nova2");
}

static void
test_families_by_name(void **state)
{
    (void)state;
    assert_int_equal(sonic_family_named("v1")->id, SONIC_V1);
    assert_int_equal(sonic_family_named("nova2.5")->id, SONIC_NOVA2_5);
    assert_null(sonic_family_named("nova3"));
    assert_null(sonic_family_at(SONIC_FAMILY_COUNT));
    for (size_t i = 0; i < SONIC_FAMILY_COUNT; i++)
        assert_int_equal(sonic_family_at(i)->id, i);
}

static void
test_features(void **state)
{
    (void)state;
    const struct sonic_family *v1 = sonic_family_named("v1");
    const struct sonic_family *nova2 = sonic_family_named("nova2");
    assert_false(v1->features.endpointing_sensitivity);
    assert_false(v1->features.interactive_text);
    assert_false(v1->features.async_tools);
    assert_true(v1->features.interim_results);
    assert_false(v1->features.speech_events);
    assert_true(nova2->features.endpointing_sensitivity);
    assert_true(nova2->features.interactive_text);
    assert_true(nova2->features.tool_choice);
    assert_true(nova2->features.async_tools);
    assert_true(nova2->features.speech_events);
    assert_false(nova2->features.interim_results);
    assert_false(sonic_family_named("nova2.5")->features.interim_results);
    assert_true(sonic_family_has_rate(v1, 8000));
    assert_true(sonic_family_has_rate(nova2, 24000));
    assert_false(sonic_family_has_rate(nova2, 48000));
    assert_true(sonic_family_has_region(nova2, "us-west-2"));
    assert_false(sonic_family_has_region(v1, "us-west-2"));
}

static size_t
count_voices(const struct sonic_family *family)
{
    size_t count = 0;
    while (sonic_family_voice_at(family, count))
        count++;
    return count;
}

static void
test_voices(void **state)
{
    (void)state;
    const struct sonic_family *v1 = sonic_family_named("v1");
    const struct sonic_family *nova2 = sonic_family_named("nova2");
    const struct sonic_family *nova2_5 = sonic_family_named("nova2.5");
    assert_int_equal(count_voices(v1), 11);
    assert_int_equal(count_voices(nova2), 16);
    assert_int_equal(count_voices(nova2_5), 16);
    assert_true(sonic_family_voice(nova2, "matthew")->polyglot);
    assert_false(sonic_family_voice(v1, "matthew")->polyglot);
    assert_string_equal(sonic_family_voice(nova2_5, "tina")->locales, "de-DE");
    assert_null(sonic_family_voice(nova2, "greta"));
    assert_null(sonic_family_voice(nova2, "Matthew"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_of_models),
        cmocka_unit_test(test_families_by_name),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_voices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
