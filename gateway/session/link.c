#include "gateway/session/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"

struct link {
    const struct link_ops *ops;
    void *arg;
    const char *context;
    uint32_t generation;
    struct bedrock_stream *stream;
    struct sonic_decoder *decoder;
    struct sonic_audio_input *audio;
    char prompt_name[UUID_TEXT_BYTES];
    char audio_name[UUID_TEXT_BYTES];
    struct sonic_batch outbox;
    size_t outbox_next;
    bool finishing, finished;
    bool decoding; /* the decoder is on the stack: it must not be freed */
    bool freed;    /* to be freed when it is not */
};

static void
stream_opened(void *arg)
{
    struct link *l = arg;
    l->ops->on_open(l->arg, l);
}

static void
stream_answered(void *arg, const char *request_id)
{
    struct link *l = arg;
    l->ops->on_answer(l->arg, l, request_id);
}

static void
trace_received(const struct link *l, const char *json, size_t bytes)
{
    /* Audio dominates by size; everything else is short. */
    static const char mark[] = "\"audioOutput\"";
    if (memmem(json, bytes < 64 ? bytes : 64, mark, sizeof mark - 1))
        log_trace(wire, l->context, "<- audioOutput, %zu bytes", bytes);
    else
        log_trace(wire, l->context, "<- %.*s",
                  (int)(bytes > 2000 ? 2000 : bytes), json);
}

static void
stream_event(void *arg, const char *json, size_t bytes)
{
    struct link *l = arg;
    if (log_enabled(LOG_wire, LOG_TRACE))
        trace_received(l, json, bytes);
    l->decoding = true;
    enum vr_status status = sonic_decode(l->decoder, json, bytes);
    l->decoding = false;
    if (status != VR_OK)
        log_warn(sonic, l->context, "an event of %zu bytes was passed over: %s",
                 bytes, vr_status_text(status));
    if (l->freed)
        link_free(&l);
}

static void
stream_writable(void *arg)
{
    struct link *l = arg;
    l->ops->on_writable(l->arg, l);
}

static void
stream_exception(void *arg, const struct bedrock_end *end)
{
    struct link *l = arg;
    l->ops->on_exception(l->arg, l, end);
}

static void
stream_ended(void *arg, const struct bedrock_end *end)
{
    struct link *l = arg;
    l->ops->on_end(l->arg, l, end);
}

static void
decoded(void *arg, const struct sonic_event *event)
{
    struct link *l = arg;
    if (!l->freed)
        l->ops->on_event(l->arg, l, event);
}

static void
decode_problem(void *arg, const struct sonic_problem *problem)
{
    const struct link *l = arg;
    if (problem->kind == SONIC_PROBLEM_WRONG_TYPE ||
        problem->kind == SONIC_PROBLEM_MALFORMED)
        log_warn(sonic, l->context, "%s is not %s; it is passed over",
                 problem->path,
                 problem->expected[0] ? problem->expected : "an event");
    else
        log_info(sonic, l->context, "%s is not known here; it is ignored",
                 problem->path);
}

static const struct bedrock_stream_ops stream_ops = {
    .on_open = stream_opened,
    .on_response = stream_answered,
    .on_event = stream_event,
    .on_exception = stream_exception,
    .on_writable = stream_writable,
    .on_end = stream_ended,
};

static const struct sonic_decoder_ops decoder_ops = {
    .on_event = decoded,
    .on_problem = decode_problem,
};

struct link *
link_open(const struct link_config *config, const struct link_ops *ops,
          void *arg, char *problem, size_t problem_size)
{
    struct link *l = calloc(1, sizeof *l);
    snprintf(problem, problem_size, "%s", vr_status_text(VR_NO_MEMORY));
    if (!l)
        return NULL;
    l->ops = ops;
    l->arg = arg;
    l->context = config->context;
    l->generation = config->generation;
    uuid_make(l->prompt_name);
    uuid_make(l->audio_name);
    sonic_batch_init(&l->outbox);
    l->decoder = sonic_decoder_new(&decoder_ops, l);
    l->audio = sonic_audio_input_new(l->prompt_name, l->audio_name,
                                     config->chunk_samples_max);
    if (l->decoder && l->audio)
        l->stream = bedrock_stream_open(config->client, config->target,
                                        config->credentials, &stream_ops, l,
                                        problem, problem_size);
    if (!l->stream)
        link_free(&l);
    return l;
}

void
link_free(struct link **link)
{
    struct link *l = *link;
    if (!l)
        return;
    *link = NULL;
    bedrock_stream_close(&l->stream);
    l->freed = true;
    if (l->decoding)
        return;
    sonic_decoder_free(&l->decoder);
    sonic_audio_input_free(&l->audio);
    sonic_batch_fini(&l->outbox);
    free(l);
}

uint32_t
link_generation(const struct link *l)
{
    return l->generation;
}

const char *
link_prompt_name(const struct link *l)
{
    return l->prompt_name;
}

const char *
link_audio_name(const struct link *l)
{
    return l->audio_name;
}

struct sonic_batch *
link_outbox(struct link *l)
{
    return &l->outbox;
}

bool
link_clear(const struct link *l)
{
    return l->outbox_next == sonic_batch_count(&l->outbox);
}

bool
link_fits(const struct link *l, size_t first)
{
    for (size_t i = first; i < sonic_batch_count(&l->outbox); i++) {
        size_t bytes;
        sonic_batch_event(&l->outbox, i, &bytes);
        if (bytes > BEDROCK_EVENT_BYTES_MAX)
            return false;
    }
    return true;
}

enum vr_status
link_flush(struct link *l)
{
    while (!link_clear(l)) {
        size_t bytes;
        const char *json =
            sonic_batch_event(&l->outbox, l->outbox_next, &bytes);
        enum vr_status status =
            bedrock_stream_send(l->stream, json, bytes, true);
        if (status == VR_AGAIN)
            return l->outbox.text_bytes > LINK_OUTBOX_BYTES_MAX ? VR_LIMIT
                                                                : VR_OK;
        if (status != VR_OK)
            return status;
        log_trace(wire, l->context, "-> %.*s",
                  (int)(bytes > 2000 ? 2000 : bytes), json);
        l->outbox_next++;
    }
    sonic_batch_clear(&l->outbox);
    l->outbox_next = 0;
    if (l->finishing && !l->finished) {
        l->finished = true;
        bedrock_stream_finish(l->stream);
    }
    return VR_OK;
}

enum vr_status
link_send_audio(struct link *l, const int16_t *samples, size_t count,
                uint64_t *leaves_at)
{
    if (!link_clear(l))
        return VR_AGAIN;
    size_t bytes;
    const char *json =
        sonic_audio_input_write(l->audio, samples, count, &bytes);
    if (!json)
        return VR_INVALID;
    enum vr_status status = bedrock_stream_send(l->stream, json, bytes, false);
    if (status != VR_OK)
        return status;
    *leaves_at = bedrock_stream_queued_bytes(l->stream);
    log_trace(wire, l->context, "-> audioInput, %zu bytes", bytes);
    return VR_OK;
}

uint64_t
link_sent_bytes(const struct link *l)
{
    return bedrock_stream_sent_bytes(l->stream);
}

void
link_finish(struct link *l)
{
    l->finishing = true;
    enum vr_status status = link_flush(l);
    if (status != VR_OK)
        log_debug(session, l->context, "the end could not be sent: %s",
                  vr_status_text(status));
}

bool
link_finishing(const struct link *l)
{
    return l->finishing;
}

const struct sonic_counters *
link_counters(const struct link *l)
{
    return sonic_decoder_counters(l->decoder);
}
