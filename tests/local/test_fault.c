/* Faults without a stream: reading, matching, counting; and the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/local/faults.h"
#include "gateway/local/ledger.h"

#define NOVA2 "amazon.nova-2-sonic-v1:0"

static bool
parse(struct fault *fault, const char *text, char *problem)
{
    cJSON *object = cJSON_Parse(text);
    bool good = fault_parse(fault, object, problem);
    cJSON_Delete(object);
    return good;
}

static void
add(struct faults *faults, const char *text)
{
    char problem[FAULT_PROBLEM_BYTES];
    struct fault fault;
    if (!parse(&fault, text, problem))
        fail_msg("%s: %s", text, problem);
    assert_true(faults_add(faults, &fault) > 0);
}

/* ---- reading ---- */

static void
test_mistakes_are_told(void **state)
{
    static const struct {
        const char *text;
        const char *problem;
    } mistakes[] = {
        {"[]", "a fault is an object such as {\"fault\": \"cut\""},
        {"{}", "\"fault\" must be one of refuse, "},
        {"{\"fault\":7}", "\"fault\" must be one of refuse, "},
        {"{\"fault\":\"refuse\"}", "refuse needs \"status\""},
        {"{\"fault\":\"refuse\",\"status\":299}",
         "\"status\" must be an integer within 300..599"},
        {"{\"fault\":\"refuse\",\"status\":429.5}", "\"status\" must be an"},
        {"{\"fault\":\"refuse\",\"status\":429,\"phase\":\"tool\"}",
         "\"phase\" of refuse must be request"},
        {"{\"fault\":\"deaf\",\"phase\":\"request\"}",
         "\"phase\" of deaf cannot be request"},
        {"{\"fault\":\"deaf\",\"phase\":\"later\"}",
         "\"phase\" must be one of request, setup, listening, user_speaking, "
         "thinking, speaking, tool, any"},
        {"{\"fault\":\"deaf\",\"code\":1}",
         "\"code\" is no member of deaf; it has fault, phase, after_ms, "
         "stream, model, count, probability_percent"},
        {"{\"fault\":\"rst\",\"color\":1}", "probability_percent, code"},
        {"{\"fault\":\"rst\",\"code\":\"8\"}", "\"code\" must be an integer"},
        {"{\"fault\":\"error_frame\",\"code\":8}", "\"code\" must be a text"},
        {"{\"fault\":\"exception\"}", "exception needs \"name\""},
        {"{\"fault\":\"cut\",\"how\":\"x\"}", "\"how\" must be \"rst\" or"},
        {"{\"fault\":\"goaway\",\"last_stream\":\"x\"}",
         "\"last_stream\" must"},
        {"{\"fault\":\"refuse_connections\",\"ms\":-1}", "\"ms\" must be"},
        {"{\"fault\":\"fin\",\"probability_percent\":101}", "within 0..100"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char problem[FAULT_PROBLEM_BYTES];
        struct fault fault;
        if (parse(&fault, mistakes[i].text, problem) ||
            strstr(problem, mistakes[i].problem) == NULL)
            fail_msg("%s\n  gave: %s\n  not:  %s", mistakes[i].text, problem,
                     mistakes[i].problem);
    }
}

/* What is described can be read again, but for what the endpoint adds. */
static void
test_descriptions(void **state)
{
    char problem[FAULT_PROBLEM_BYTES];
    struct fault fault, again;
    (void)state;
    assert_true(parse(&fault,
                      "{\"fault\":\"refuse\",\"status\":400,\"after_ms\":5,"
                      "\"stream\":2,\"model\":\"m\",\"count\":3,\"message\":"
                      "\"no\",\"probability_percent\":50}",
                      problem));
    cJSON *object = fault_describe(&fault);
    cJSON_DeleteItemFromObject(object, "id");
    cJSON_DeleteItemFromObject(object, "struck");
    assert_true(fault_parse(&again, object, problem));
    assert_memory_equal(&fault, &again, sizeof(fault));
    cJSON_Delete(object);
}

/* ---- matching ---- */

struct place {
    struct faults faults;
    struct fault_site site;
    struct fault fault;
};

static struct place *
place_new(double time_scale, unsigned stream)
{
    struct place *p = calloc(1, sizeof(*p));
    p->faults.time_scale = time_scale;
    faults_site_init(&p->site, stream, NOVA2);
    p->site.answered = true;
    return p;
}

static void
test_time_since_the_phase_began(void **state)
{
    struct place *p = place_new(10, 1);
    (void)state;
    add(&p->faults, "{\"fault\":\"fin\",\"phase\":\"tool\",\"after_ms\":500}");
    assert_true(faults_deadline_ms(&p->faults, &p->site) == UINT64_MAX);
    faults_site_set(&p->site, PHASE_tool, true, 1000);
    faults_site_set(&p->site, PHASE_tool, true, 1040);
    assert_true(faults_deadline_ms(&p->faults, &p->site) == 1050);
    assert_false(faults_strike(&p->faults, &p->site, 1049, &p->fault));
    /* Left and entered again, its time begins anew. */
    faults_site_set(&p->site, PHASE_tool, false, 1049);
    assert_false(faults_strike(&p->faults, &p->site, 2000, &p->fault));
    faults_site_set(&p->site, PHASE_tool, true, 2000);
    assert_false(faults_strike(&p->faults, &p->site, 2049, &p->fault));
    assert_true(faults_strike(&p->faults, &p->site, 2050, &p->fault));
    assert_int_equal(p->fault.kind, FAULT_fin);
    assert_int_equal(p->fault.struck, 1);
    assert_true(faults_deadline_ms(&p->faults, &p->site) == UINT64_MAX);
    free(p);
}

static void
test_once_a_stream_and_count_in_all(void **state)
{
    struct place *p = place_new(1, 1);
    (void)state;
    add(&p->faults, "{\"fault\":\"fin\",\"count\":2}");
    for (unsigned stream = 1; stream <= 3; stream++) {
        faults_site_init(&p->site, stream, NOVA2);
        faults_site_set(&p->site, PHASE_any, true, 0);
        assert_int_equal(faults_strike(&p->faults, &p->site, 0, &p->fault),
                         stream <= 2);
        assert_false(faults_strike(&p->faults, &p->site, 0, &p->fault));
    }
    free(p);
}

static void
test_always_is_for_every_stream(void **state)
{
    struct place *p = place_new(1, 1);
    (void)state;
    add(&p->faults, "{\"fault\":\"fin\",\"count\":0}");
    for (unsigned stream = 1; stream <= 200; stream++) {
        faults_site_init(&p->site, stream, NOVA2);
        faults_site_set(&p->site, PHASE_any, true, 0);
        assert_true(faults_strike(&p->faults, &p->site, 0, &p->fault));
    }
    free(p);
}

static void
test_model_stream_and_place(void **state)
{
    static const char *const others[] = {
        "{\"fault\":\"fin\",\"model\":\"amazon.nova-2-5-sonic\"}",
        "{\"fault\":\"fin\",\"stream\":6}", "{\"fault\":\"no_answer\"}",
        "{\"fault\":\"fin\",\"phase\":\"setup\"}"};
    struct place *p = place_new(1, 7);
    (void)state;
    faults_site_set(&p->site, PHASE_any, true, 0);
    for (size_t i = 0; i < 4; i++)
        add(&p->faults, others[i]);
    assert_false(faults_strike(&p->faults, &p->site, 9000, &p->fault));
    add(&p->faults, "{\"fault\":\"fin\",\"stream\":7,\"model\":\"" NOVA2 "\"}");
    assert_true(faults_strike(&p->faults, &p->site, 9000, &p->fault));
    assert_int_equal(p->fault.id, 5);
    free(p);
}

static void
test_throttle_counts_the_others(void **state)
{
    struct place *p = place_new(1, 7);
    (void)state;
    p->site.answered = false;
    faults_site_set(&p->site, PHASE_request, true, 0);
    add(&p->faults, "{\"fault\":\"throttle\",\"streams\":2}");
    p->site.open_count = 1;
    assert_false(faults_wait(&p->faults, &p->site, PHASE_request));
    p->site.open_count = 2;
    assert_true(faults_wait(&p->faults, &p->site, PHASE_request));
    assert_true(faults_strike(&p->faults, &p->site, 0, &p->fault));
    free(p);
}

/* About as often as asked for, and the same when asked again. */
static void
test_probability(void **state)
{
    struct place *p = place_new(1, 1);
    unsigned struck = 0;
    (void)state;
    add(&p->faults,
        "{\"fault\":\"fin\",\"count\":0,\"probability_percent\":30}");
    for (unsigned stream = 1; stream <= 1000; stream++) {
        struct fault_site *site = &p->site;
        faults_site_init(site, stream, NOVA2);
        faults_site_set(site, PHASE_any, true, 0);
        bool may = faults_wait(&p->faults, site, PHASE_any);
        assert_int_equal(faults_wait(&p->faults, site, PHASE_any), may);
        struck += faults_strike(&p->faults, site, 0, &p->fault);
    }
    assert_in_range(struck, 230, 370);
    assert_int_equal(p->faults.struck, struck);
    free(p);
}

static void
test_the_list_has_an_end(void **state)
{
    struct place *p = place_new(1, 1);
    (void)state;
    for (int i = 0; i < FAULTS_MAX; i++)
        add(&p->faults, "{\"fault\":\"fin\"}");
    assert_int_equal(faults_add(&p->faults, &p->faults.list[0]), 0);
    assert_true(faults_remove(&p->faults, 5));
    assert_false(faults_remove(&p->faults, 5));
    assert_int_equal(faults_add(&p->faults, &p->faults.list[0]),
                     FAULTS_MAX + 1);
    faults_clear(&p->faults);
    assert_int_equal(p->faults.count, 0);
    free(p);
}

/* ---- the ledger ---- */

static void
test_ledger(void **state)
{
    struct ledger ledger;
    (void)state;
    assert_true(ledger_init(&ledger));
    for (unsigned i = 1; i <= LEDGER_STREAMS_MAX + 10; i++) {
        assert_int_equal(ledger_request(&ledger, i), i);
        ledger_open(&ledger, i, NOVA2);
        ledger_answer(&ledger);
        if (i > 3)
            ledger_end(&ledger, i - 3, i, "over");
    }
    assert_int_equal(ledger.open, 3);
    assert_int_equal(ledger.highest, 4);
    assert_null(ledger_find(&ledger, 10));
    assert_non_null(ledger_find(&ledger, 11));
    /* What is forgotten ends without a trace, and only once. */
    ledger_end(&ledger, 1, 0, "over");
    ledger_end(&ledger, LEDGER_STREAMS_MAX, 0, "over");
    assert_int_equal(ledger.open, 3);
    cJSON *object = ledger_describe(&ledger, 5000);
    const cJSON *streams = cJSON_GetObjectItem(object, "streams");
    assert_int_equal(cJSON_GetArraySize(streams), LEDGER_STREAMS_MAX);
    assert_int_equal(
        cJSON_GetObjectItem(cJSON_GetArrayItem(streams, 0), "stream")->valueint,
        11);
    cJSON_Delete(object);
    ledger_fini(&ledger);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_told),
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_time_since_the_phase_began),
        cmocka_unit_test(test_once_a_stream_and_count_in_all),
        cmocka_unit_test(test_always_is_for_every_stream),
        cmocka_unit_test(test_model_stream_and_place),
        cmocka_unit_test(test_throttle_counts_the_others),
        cmocka_unit_test(test_probability),
        cmocka_unit_test(test_the_list_has_an_end),
        cmocka_unit_test(test_ledger),
    };
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
