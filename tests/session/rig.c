#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base64.h"
#include "gateway/jsonx.h"
#include "tests/session/rig.h"
#include "tests/shared/starve.h"

/* ---- making it ---- */

static void
on_state(void *arg, struct session *session)
{
    struct rig *rig = arg;
    (void)session;
    rig->states++;
}

const struct session_ops rig_session_ops = {.on_state = on_state};

static void
on_answer(void *arg, const struct rpc_peer *peer, const char *text,
          size_t text_bytes)
{
    struct rig *rig = arg;
    size_t used = strlen(rig->answers);
    (void)peer;
    assert_true(used + text_bytes + 2 < sizeof rig->answers);
    snprintf(rig->answers + used, sizeof rig->answers - used, "%.*s\n",
             (int)text_bytes, text);
}

static void
on_text(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct rig *rig = arg;
    session_text(rig->session, jsonx_text(params, "text", ""),
                 strcmp(jsonx_text(params, "wait", ""), "response") == 0,
                 (uint32_t)jsonx_int(params, "timeout_ms", 30000), call);
}

static void
on_update(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct rig *rig = arg;
    session_update(rig->session, cJSON_GetObjectItem(params, "config"), call);
}

static const char *bedrock;

void
rig_bedrock(const char *json)
{
    bedrock = json;
}

/* Settings from a file, because they come in no other way. */
static void
load_config(struct rig *rig)
{
    char path[sizeof rig->dir + 16], *problems = NULL;
    snprintf(path, sizeof path, "%s/config.json", rig->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "{\"bedrock\":%s}",
            bedrock ? bedrock : "{\"retry_base_ms\":4,\"retry_cap_ms\":16}");
    fclose(file);
    if (config_load(path, &rig->config, &problems) != VR_OK)
        fail_msg("%s", problems);
    assert_int_equal(unlink(path), 0);
    bedrock = NULL;
}

static void
make_settings(struct rig *rig, const char *text)
{
    char *problems = NULL;
    cJSON *object = text ? cJSON_Parse(text) : NULL;
    assert_true(!text || object);
    load_config(rig);
    if (config_session_parse(rig->config, "robot", object, "test",
                             &rig->settings, &problems) != VR_OK)
        fail_msg("%s", problems);
    cJSON_Delete(object);
}

static void
make_services(struct rig *rig)
{
    uv_loop_init(&rig->loop);
    uv_timer_init(&rig->loop, &rig->tick);
    snprintf(rig->credentials.access_key_id,
             sizeof rig->credentials.access_key_id, "AKIATEST");
    rig->services = (struct services){.loop = &rig->loop,
                                      .config = rig->config,
                                      .runtime_dir = rig->dir,
                                      .credentials = &rig->credentials,
                                      .clock_offset_ms = &rig->clock_offset_ms};
    rig->services.slots =
        slots_new(rig->config->bedrock.max_streams,
                  rig->config->bedrock.max_concurrent_handovers);
    assert_non_null(rig->services.slots);
}

void
rig_attach(struct rig *rig)
{
    char why[VR_ERROR_BYTES] = "";
    struct vr_options options = {.runtime_dir = rig->dir, .ring = VR_RING_OUT};
    if (vr_writer_open(&rig->mic, "robot", &options, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    if (vr_reader_open(&rig->player, "robot", &options, why, sizeof why) !=
        VR_OK)
        fail_msg("%s", why);
}

void
rig_prepare(struct rig *rig, const char *settings)
{
    memset(rig, 0, sizeof *rig);
    fake_stream_reset();
    fake_bus_reset();
    fake_broker_reset();
    snprintf(rig->dir, sizeof rig->dir, "/tmp/voxring-test-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    make_settings(rig, settings);
    make_services(rig);
    rig->rpc = rpc_new(on_answer, rig);
    assert_int_equal(
        rpc_register(rig->rpc, "update", "config:object!", on_update, rig),
        VR_OK);
    assert_int_equal(
        rpc_register(rig->rpc, "text",
                     "text:text! wait:accepted|response timeout_ms:uint",
                     on_text, rig),
        VR_OK);
}

bool
rig_make_session(struct rig *rig, bool by_control)
{
    struct session_begin begin = {.by_control = by_control};
    char problem[512] = "";
    rig->session = session_new(&rig->services, rig->settings, &begin,
                               &rig_session_ops, rig, problem, sizeof problem);
    assert_true(rig->session || problem[0]);
    return rig->session;
}

void
rig_open(struct rig *rig, const char *settings)
{
    rig_prepare(rig, settings);
    assert_true(rig_make_session(rig, false));
    rig_attach(rig);
}

void
rig_open_by_control(struct rig *rig, const char *settings, bool clients)
{
    rig_prepare(rig, settings);
    assert_true(rig_make_session(rig, true));
    if (clients)
        rig_attach(rig);
}

void
rig_close(struct rig *rig)
{
    vr_writer_close(&rig->mic);
    vr_reader_close(&rig->player);
    session_free(&rig->session);
    fake_broker_deliver_cancelled();
    rpc_free(&rig->rpc);
    uv_close((uv_handle_t *)&rig->tick, NULL);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    assert_int_equal(slots_open(rig->services.slots), 0);
    assert_int_equal(slots_waiting(rig->services.slots), 0);
    slots_free(&rig->services.slots);
    config_session_free(&rig->settings);
    config_free(&rig->config);
    assert_int_equal(rmdir(rig->dir), 0);
    assert_int_equal(fake_endpoint.open_now, 0);
    assert_int_equal(fake_endpoint.opened, fake_endpoint.closed);
    assert_in_range(fake_endpoint.open_most, 0, FAKE_OPEN_MAX);
    fake_stream_reset();
    fake_bus_reset();
}

void
rig_start(struct rig *rig)
{
    assert_true(session_open(rig->session));
    rig_accept();
    assert_int_equal(session_state(rig->session), SESSION_streaming);
    fake_stream_forget();
    fake_bus_reset();
}

void
rig_accept(void)
{
    const struct fake_wire *f = &fake_stream;
    fake_stream_connect();
    if (f == &fake_stream)
        fake_stream_answer();
}

/* ---- time ---- */

static void
on_tick(uv_timer_t *timer)
{
    (void)timer;
}

void
rig_step(struct rig *rig)
{
    uv_timer_start(&rig->tick, on_tick, 1, 0);
    uv_run(&rig->loop, UV_RUN_ONCE);
}

void
rig_run(struct rig *rig, unsigned ms)
{
    uint64_t end = uv_hrtime() / 1000000 + ms;
    bool over;
    do {
        over = uv_hrtime() / 1000000 >= end;
        rig_step(rig);
    } while (!over);
}

/* ---- people and programs ---- */

static void
call(struct rig *rig, int id, const char *method, const char *params)
{
    struct rpc_peer peer = {.bytes = "me", .byte_count = 2};
    char *text;
    starve_pause();
    assert_true(asprintf(&text,
                         "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\","
                         "\"params\":%s}",
                         id, method, params) > 0);
    starve_resume();
    rpc_receive(rig->rpc, &peer, text, strlen(text));
    free(text);
}

void
rig_ask(struct rig *rig, int id, const char *params)
{
    call(rig, id, "text", params);
}

void
rig_update(struct rig *rig, int id, const char *config)
{
    char params[1024];
    snprintf(params, sizeof params, "{\"config\":%s}", config);
    call(rig, id, "update", params);
}

uint64_t
rig_written(struct rig *rig)
{
    struct vr_writer_stats stats = {0};
    vr_writer_stats(rig->mic, &stats, sizeof stats);
    return stats.position;
}

#define WRITTEN_MAX (1u << 21)
static int16_t written[WRITTEN_MAX];

int16_t
rig_sample(uint64_t frame)
{
    assert_true(frame < WRITTEN_MAX);
    return written[frame];
}

static int16_t
even(uint64_t frame)
{
    return (int16_t)(frame % 30011 + 1);
}

static int16_t
loud(uint64_t frame)
{
    int16_t size = (int16_t)(frame % 20011 + 1001);
    return frame % 4 < 2 ? size : (int16_t)-size;
}

static void
write_frames(struct rig *rig, size_t frames, int16_t (*sample)(uint64_t))
{
    static int16_t block[160];
    uint64_t position = rig_written(rig);
    while (frames > 0) {
        size_t n = frames < 160 ? frames : 160;
        assert_true(position + n <= WRITTEN_MAX);
        for (size_t i = 0; i < n; i++)
            written[position + i] = block[i] = sample(position + i);
        assert_int_equal(vr_write(rig->mic, block, n, 0), VR_OK);
        position += n;
        frames -= n;
    }
}

void
rig_mic(struct rig *rig, size_t frames)
{
    write_frames(rig, frames, even);
}

void
rig_talk(struct rig *rig, size_t frames)
{
    write_frames(rig, frames, loud);
}

size_t
rig_heard(unsigned number)
{
    const struct fake_wire *f = fake_stream_at(number);
    size_t count = 0;
    for (size_t i = 0; i < f->sample_count; i++)
        count += f->samples[i] != 0;
    return count;
}

void
rig_assert_heard(unsigned number, uint64_t from, uint64_t to)
{
    const struct fake_wire *f = fake_stream_at(number);
    uint64_t at = from;
    for (size_t i = 0; i < f->sample_count; i++) {
        if (f->samples[i] == 0)
            continue;
        if (at >= to || f->samples[i] != rig_sample(at))
            fail_msg("stream %u: sample %zu is not frame %llu of [%llu, %llu)",
                     number, i, (unsigned long long)at,
                     (unsigned long long)from, (unsigned long long)to);
        at++;
    }
    assert_int_equal(at, to);
}

uint64_t
rig_frames(struct rig *rig, const char *side, const char *member)
{
    starve_pause();
    cJSON *stats = session_stats(rig->session);
    const cJSON *account = cJSON_GetObjectItem(stats, side);
    uint64_t value = (uint64_t)jsonx_number(account, member, -1);
    cJSON_Delete(stats);
    starve_resume();
    return value;
}

static void
assert_sum(const cJSON *account, const char *all, const char *const parts[4])
{
    double sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += jsonx_number(account, parts[i], 0);
    if (sum != jsonx_number(account, all, -1))
        fail_msg("%s: %s", all, cJSON_Print(account));
}

void
rig_assert_balanced(struct rig *rig)
{
    static const char *const in[4] = {"sent", "gated", "lost", "pending"};
    static const char *const out[4] = {"played", "flushed", "lost", "pending"};
    starve_pause();
    cJSON *stats = session_stats(rig->session);
    assert_sum(cJSON_GetObjectItem(stats, "input_frames"), "produced", in);
    assert_sum(cJSON_GetObjectItem(stats, "output_frames"), "received", out);
    cJSON_Delete(stats);
    starve_resume();
}

/* ---- the model ---- */

#define IDS "\"sessionId\":\"s\",\"promptName\":\"p\",\"completionId\":\"c\","

static uint64_t
content_begins(struct rig *rig, const char *type, const char *role,
               const char *stage)
{
    char fields[80] = "";
    uint64_t id = ++rig->contents;
    if (stage)
        snprintf(fields, sizeof fields,
                 "\"additionalModelFields\":\"{\\\"generationStage\\\":"
                 "\\\"%s\\\"}\",",
                 stage);
    fake_stream_say("{\"event\":{\"contentStart\":{" IDS
                    "%s\"contentId\":\"k%llu\",\"type\":\"%s\","
                    "\"role\":\"%s\"}}}",
                    fields, (unsigned long long)id, type, role);
    return id;
}

void
rig_content_ends(uint64_t content, const char *type, const char *stop_reason)
{
    fake_stream_say("{\"event\":{\"contentEnd\":{" IDS
                    "\"contentId\":\"k%llu\",\"type\":\"%s\","
                    "\"stopReason\":\"%s\"}}}",
                    (unsigned long long)content, type, stop_reason);
}

static uint64_t
text(struct rig *rig, const char *role, const char *stage, const char *content,
     const char *stop_reason)
{
    uint64_t id = content_begins(rig, "TEXT", role, stage);
    starve_pause();
    cJSON *quoted = cJSON_CreateString(content);
    char *json = cJSON_PrintUnformatted(quoted);
    starve_resume();
    fake_stream_say("{\"event\":{\"textOutput\":{" IDS
                    "\"contentId\":\"k%llu\",\"content\":%s}}}",
                    (unsigned long long)id, json);
    cJSON_free(json);
    cJSON_Delete(quoted);
    rig_content_ends(id, "TEXT", stop_reason);
    return id;
}

uint64_t
rig_user_says(struct rig *rig, const char *words)
{
    return text(rig, "USER", "FINAL", words, "PARTIAL_TURN");
}

uint64_t
rig_plans(struct rig *rig, const char *words)
{
    return text(rig, "ASSISTANT", "SPECULATIVE", words, "PARTIAL_TURN");
}

uint64_t
rig_said(struct rig *rig, const char *words, const char *stop_reason)
{
    return text(rig, "ASSISTANT", "FINAL", words, stop_reason);
}

void
rig_marker(struct rig *rig)
{
    text(rig, "ASSISTANT", "FINAL", "{ \"interrupted\" : true }",
         "PARTIAL_TURN");
}

uint64_t
rig_audio_begins(struct rig *rig)
{
    return content_begins(rig, "AUDIO", "ASSISTANT", NULL);
}

void
rig_audio(uint64_t content, unsigned ms)
{
    enum { MS = 24, BLOCK_MS = 200 };
    static int16_t samples[MS * BLOCK_MS];
    static char base64[sizeof samples * 4 / 3 + 4];
    while (ms > 0) {
        unsigned now = ms < BLOCK_MS ? ms : BLOCK_MS;
        for (unsigned i = 0; i < now * MS; i++)
            samples[i] = (int16_t)(1000 + i);
        size_t chars =
            base64_encode((const uint8_t *)samples, now * MS * 2, base64);
        fake_stream_say("{\"event\":{\"audioOutput\":{" IDS
                        "\"contentId\":\"k%llu\",\"content\":\"%.*s\"}}}",
                        (unsigned long long)content, (int)chars, base64);
        ms -= now;
    }
}

void
rig_speech(bool started)
{
    fake_stream_say("{\"event\":{\"%s\":{" IDS "\"inputAudioOffsetMs\":0}}}",
                    started ? "userSpeechStart" : "userSpeechEnd");
}

void
rig_tool_use(const char *id, const char *name, const char *arguments)
{
    starve_pause();
    cJSON *quoted = cJSON_CreateString(arguments);
    char *json = cJSON_PrintUnformatted(quoted);
    starve_resume();
    fake_stream_say("{\"event\":{\"toolUse\":{" IDS
                    "\"contentId\":\"t-%s\",\"content\":%s,"
                    "\"toolName\":\"%s\",\"toolUseId\":\"%s\"}}}",
                    id, json, name, id);
    cJSON_free(json);
    cJSON_Delete(quoted);
}
