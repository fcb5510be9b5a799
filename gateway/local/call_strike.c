/* How faults strike one call. */
#include <string.h>

#include "gateway/local/call_state.h"
#include "gateway/local/envelope.h"
#include "gateway/local/harm.h"

/* Strikes at one moment; more wait for the next. */
#define STRIKES_AT_ONCE 16

#define MESSAGE_EXPIRED "The security token included in the request is expired"
#define MESSAGE_THROTTLED "Too many requests, please wait before trying again."

static const char *
text_or(const char *text, const char *otherwise)
{
    return text[0] != '\0' ? text : otherwise;
}

/* What AWS calls an error of that status, and says with it. */
static const struct {
    int64_t status;
    const char *errortype;
    const char *message;
} usual[] = {
    {400, "ValidationException",
     "Invalid input request, please fix your input and try again."},
    {403, "AccessDeniedException",
     "You don't have access to the model with the specified model ID."},
    {404, "ResourceNotFoundException",
     "Could not resolve the foundation model from the provided model "
     "identifier."},
    {408, "ModelTimeoutException",
     "Model has timed out in processing the request. Try your request again."},
    {424, "ModelStreamErrorException",
     "The system encountered an unexpected error during processing. Try your "
     "request again."},
    {429, "ThrottlingException", MESSAGE_THROTTLED},
    {500, "InternalServerException",
     "The system encountered an unexpected error during processing. Try your "
     "request again."},
    {503, "ServiceUnavailableException",
     "Bedrock is unable to process your request."}};

static void
strike_refuse(struct call *call, const struct fault *f)
{
    const char *errortype = "InternalServerException";
    const char *message = "The request was refused.";
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (usual[i].status == f->status) {
            errortype = usual[i].errortype;
            message = usual[i].message;
        }
    }
    call_refuse(call, (int)f->status, text_or(f->errortype, errortype),
                text_or(f->message, message), (long)f->retry_after);
}

static void
strike_expire(struct call *call, const struct fault *f)
{
    const char *message = text_or(f->message, MESSAGE_EXPIRED);
    if (call->site.answered)
        call_except(call, "validationException", message);
    else
        call_refuse(call, 403, "ExpiredTokenException", message, 0);
}

/* The end of the response, after what is on its way. */
static void
finish(struct call *call, const struct fault *f)
{
    call_ended(call, "fault %u: %s", f->id, fault_kind_name(f->kind));
    call->state = CALL_FINISHING;
    call->ops->wake(call->arg);
}

/* What only adds bytes to the response. */
static bool
add_bytes(struct call *call, const struct fault *f)
{
    switch (f->kind) {
    case FAULT_exception_stay:
        envelope_seal_exception(&call->unread, f->name, f->message);
        break;
    case FAULT_error_frame:
        harm_error(&call->unread, f->error_code, f->message);
        break;
    case FAULT_bad_crc:
        harm_crc(&call->unread);
        break;
    case FAULT_bad_prelude:
        harm_prelude(&call->unread);
        break;
    case FAULT_garbage_json:
        harm_garbage(&call->unread);
        break;
    case FAULT_unknown_event:
        harm_unknown(&call->unread);
        break;
    case FAULT_cut:
        if (call->site.answered)
            harm_half(&call->unread);
        break;
    default:
        return false;
    }
    call->ops->wake(call->arg);
    return true;
}

/* What changes how the stream behaves from now on. */
static void
change(struct call *call, const struct fault *f)
{
    struct faults *faults = call->config->faults;
    double scale = faults->time_scale > 0 ? faults->time_scale : 1;
    if (f->kind == FAULT_no_answer)
        call->state = CALL_MUTE;
    else if (f->kind == FAULT_stall_send)
        call->stalled = true;
    else if (f->kind == FAULT_split)
        call->split_bytes = (size_t)f->bytes;
    else if (f->kind == FAULT_deaf && call->conversation != NULL)
        conversation_deafen(call->conversation);
    else if (f->kind == FAULT_repeat_tool_use && call->conversation != NULL)
        conversation_repeat_tool_use(call->conversation);
    else if (f->kind == FAULT_refuse_connections &&
             faults->refuse_connections != NULL)
        faults->refuse_connections(faults->arg,
                                   (uint64_t)((double)f->ms / scale));
}

static bool
is_connections_own(enum fault_kind kind)
{
    return kind == FAULT_fin || kind == FAULT_cut || kind == FAULT_tls_alert ||
           kind == FAULT_rst || kind == FAULT_goaway ||
           kind == FAULT_black_hole || kind == FAULT_slow_reader;
}

static bool
leaves_stream(enum fault_kind kind)
{
    return kind == FAULT_goaway || kind == FAULT_slow_reader;
}

static void
strike(struct call *call, const struct fault *f)
{
    add_bytes(call, f);
    switch (f->kind) {
    case FAULT_refuse:
        strike_refuse(call, f);
        break;
    case FAULT_throttle:
        call_refuse(call, 429, "ThrottlingException", MESSAGE_THROTTLED, 0);
        break;
    case FAULT_expire_token:
        strike_expire(call, f);
        break;
    case FAULT_exception:
        call_except(call, f->name, f->message);
        break;
    case FAULT_error_frame:
    case FAULT_end_stream:
        finish(call, f);
        break;
    default:
        change(call, f);
    }
    if (!is_connections_own(f->kind))
        return;
    if (!leaves_stream(f->kind))
        call_ended(call, "fault %u: %s", f->id, fault_kind_name(f->kind));
    call->ops->strike(call->arg, f);
}

/* ---- phases ---- */

/* The phase to name in the log. */
static const char *
phase_now(const struct call *call)
{
    static const enum fault_phase order[] = {
        PHASE_tool,      PHASE_speaking, PHASE_user_speaking, PHASE_thinking,
        PHASE_listening, PHASE_setup,    PHASE_request};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (call->site.since_ms[order[i]] != UINT64_MAX)
            return fault_phase_name(order[i]);
    }
    return "ended";
}

static void
update_phases(struct call *call)
{
    static const struct {
        enum fault_phase phase;
        unsigned flag;
    } map[] = {{PHASE_setup, CONVERSATION_SETUP},
               {PHASE_listening, CONVERSATION_LISTENING},
               {PHASE_user_speaking, CONVERSATION_USER_SPEAKING},
               {PHASE_thinking, CONVERSATION_THINKING},
               {PHASE_speaking, CONVERSATION_SPEAKING},
               {PHASE_tool, CONVERSATION_TOOL}};
    bool talking = call->state == CALL_TALKING && call->conversation != NULL;
    unsigned phases = talking ? conversation_phases(call->conversation) : 0;
    bool waiting = call->state == CALL_VERIFIED || call->state == CALL_MUTE;
    uint64_t now_ms = call->now.mono_ms;
    call->site.answered |= talking;
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        faults_site_set(&call->site, map[i].phase, (phases & map[i].flag) != 0,
                        now_ms);
    faults_site_set(&call->site, PHASE_request, waiting && !call->site.answered,
                    now_ms);
    faults_site_set(&call->site, PHASE_any, talking || waiting, now_ms);
}

static void
tell(struct call *call, const struct fault *f)
{
    struct ledger_stream *entry =
        call->config->ledger == NULL
            ? NULL
            : ledger_find(call->config->ledger, call->site.stream);
    if (entry != NULL)
        entry->faults++;
    jsonlog_note(call->config->log, call->place, "fault",
                 "%u %s strikes stream %u in phase %s", f->id,
                 fault_kind_name(f->kind), call->site.stream, phase_now(call));
}

/* ---- entries ---- */

void
call_strike_open(struct call *call)
{
    struct ledger *ledger = call->config->ledger;
    struct faults *faults = call->config->faults;
    struct fault fault;
    unsigned number =
        ledger == NULL ? 0 : ledger_request(ledger, call->now.mono_ms);
    faults_site_init(&call->site, number, call->model_id);
    faults_site_set(&call->site, PHASE_request, true, call->now.mono_ms);
    faults_site_set(&call->site, PHASE_any, true, call->now.mono_ms);
    if (faults == NULL)
        return;
    call->site.open_count = ledger == NULL ? 0 : ledger->open;
    call->wall_offset_ms = faults->wall_offset_ms;
    if (faults_strike_clock(faults, &call->site, &fault)) {
        call->wall_offset_ms += fault.ms;
        tell(call, &fault);
    }
    call->now.wall_ms += call->wall_offset_ms;
}

void
call_strike_request(struct call *call)
{
    struct faults *faults = call->config->faults;
    struct ledger *ledger = call->config->ledger;
    if (ledger != NULL)
        ledger_open(ledger, call->site.stream, call->model_id);
    /* What comes meanwhile must bring no 200. */
    if (faults != NULL && faults_wait(faults, &call->site, PHASE_request))
        call->state = CALL_MUTE;
}

void
call_strike(struct call *call)
{
    struct faults *faults = call->config->faults;
    struct fault fault;
    if (faults == NULL)
        return;
    for (int i = 0; i < STRIKES_AT_ONCE; i++) {
        update_phases(call);
        if (faults->count == 0 ||
            !faults_strike(faults, &call->site, call->now.mono_ms, &fault))
            return;
        tell(call, &fault);
        strike(call, &fault);
    }
}

uint64_t
call_strike_deadline_ms(const struct call *call)
{
    const struct faults *faults = call->config->faults;
    if (faults == NULL || faults->count == 0)
        return UINT64_MAX;
    return faults_deadline_ms(faults, &call->site);
}
