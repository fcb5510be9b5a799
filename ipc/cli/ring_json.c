#include "ipc/cli/ring_json.h"

#include <math.h>
#include <stdio.h>

#include "ipc/cli/ring_level.h"
#include "ipc/cli/ring_text.h"

static void
add_u64(cJSON *object, const char *member, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    cJSON_AddStringToObject(object, member, text);
}

static void
add_gap(cJSON *object, const char *member, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    cJSON_AddStringToObject(object, member, text);
}

/* Microseconds and tenths of dB are what is worth showing. */
static void
add_number(cJSON *object, const char *member, double value, double unit)
{
    cJSON_AddNumberToObject(object, member, round(value / unit) * unit);
}

static cJSON *
begin(const struct ring_view_name *name)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", name->object);
    cJSON_AddStringToObject(json, "instance", name->instance);
    cJSON_AddStringToObject(json, "session", name->session);
    cJSON_AddStringToObject(json, "ring", ring_text_side(name->ring));
    return json;
}

static void
add_wrong(void *arg, const char *what)
{
    cJSON_AddItemToArray(arg, cJSON_CreateString(what));
}

static void
add_holder(cJSON *json, const char *member,
           const struct ring_view_holder *holder)
{
    if (!holder->known) {
        cJSON_AddNullToObject(json, member);
        return;
    }
    cJSON *object = cJSON_AddObjectToObject(json, member);
    cJSON_AddStringToObject(object, "name", holder->card.name);
    cJSON_AddNumberToObject(object, "pid", holder->card.pid);
    cJSON_AddBoolToObject(object, "held", holder->held);
    cJSON_AddBoolToObject(object, "stopped",
                          holder->held && holder->card.stopped);
}

static void
add_lag(cJSON *json, const struct ring_view *view)
{
    int64_t lag;
    if (!ring_view_lag(view, &lag))
        return;
    add_gap(json, "lag_frames", lag);
    if (view->status == VR_OK)
        add_number(json, "lag_ms", ring_text_ms(view, lag), 0.001);
}

static void
add_words(cJSON *json, const struct ring_view *view)
{
    const struct ring_layout *words = &view->words;
    cJSON *format = cJSON_AddObjectToObject(json, "format");
    cJSON_AddNumberToObject(format, "rate_hz", words->rate_hz);
    cJSON_AddNumberToObject(format, "channels", words->channels);
    add_u64(json, "capacity_frames", words->capacity_frames);
    add_u64(json, "head_frame", view->head);
    if (view->ring == VR_RING_IN)
        add_u64(json, "read_frame", words->read_position);
    else
        add_u64(json, "played_frame", words->played);
    add_lag(json, view);
    add_holder(json, ring_text_lease(view->ring), ring_text_leased(view));
    cJSON_AddNumberToObject(json, "readers", ring_view_readers(view));
    add_u64(json, "lost_frames", ring_view_lost(view));
}

/* ---- stat ---- */

static void
add_file(cJSON *json, const struct ring_view *view)
{
    char text[16], folder[RING_DIR_BYTES];
    cJSON *object = cJSON_AddObjectToObject(json, "object");
    snprintf(text, sizeof text, "%04o", (unsigned)view->mode & 07777u);
    add_u64(object, "bytes", view->bytes);
    cJSON_AddStringToObject(object, "mode", text);
    cJSON_AddNumberToObject(object, "owner_uid", view->owner);
    ring_text_folder(view, folder);
    if (*folder)
        cJSON_AddStringToObject(json, "runtime_dir", folder);
}

static void
add_layout(cJSON *json, const struct ring_layout *words)
{
    cJSON *layout = cJSON_AddObjectToObject(json, "layout");
    cJSON_AddNumberToObject(layout, "version", words->abi);
    cJSON_AddNumberToObject(layout, "oldest_version", words->abi_oldest);
    cJSON_AddNumberToObject(layout, "header_bytes", words->header_bytes);
    cJSON_AddNumberToObject(layout, "slots", words->slot_count);
    cJSON_AddNumberToObject(layout, "slot_bytes", words->slot_bytes);
    add_u64(json, "epoch", words->epoch);
    cJSON_AddNumberToObject(json, "recreated", words->recreated);
}

static void
add_marks(cJSON *json, const struct ring_view *view)
{
    const struct ring_layout *words = &view->words;
    add_u64(json, "first_frame", words->first_position);
    add_u64(json, "intent_frame", view->intent);
    if (view->ring == VR_RING_IN && words->bell_at != RING_NEVER)
        add_u64(json, "bell_at_frame", words->bell_at);
    if (view->ring == VR_RING_IN && words->space_at != RING_NEVER)
        add_u64(json, "space_at_frame", words->space_at);
    if (!view->flushed)
        return;
    cJSON *flush = cJSON_AddObjectToObject(json, "flush");
    add_u64(flush, "to_frame", view->flush_to);
    add_u64(flush, "turn", view->flush_turn);
    add_u64(flush, "count", words->flush_count);
}

static void
add_stamps(cJSON *json, const struct ring_view *view)
{
    uint64_t now_ns = vr_now_ns();
    cJSON *commit;
    if (!view->stamped)
        return;
    commit = cJSON_AddObjectToObject(json, "newest_commit");
    add_u64(commit, "to_frame", view->words.stamp_head);
    add_number(commit, "age_seconds",
               (double)(int64_t)(now_ns - view->words.commit_ns) / 1e9, 1e-6);
    if (view->words.captured_ns)
        add_number(commit, "captured_age_seconds",
                   (double)(int64_t)(now_ns - view->words.captured_ns) / 1e9,
                   1e-6);
}

static void
add_losses(cJSON *json, const struct ring_view *view)
{
    if (view->ring == VR_RING_OUT)
        return;
    add_u64(json, "gateway_lost_frames", view->words.lost_frames);
    add_u64(json, "producer_lost_frames", view->producer.lost_frames);
    cJSON_AddNumberToObject(json, "producers_so_far",
                            view->words.holder.lease_count);
}

static void
add_db(cJSON *level, const char *member, double part)
{
    if (part > 0)
        add_number(level, member, ring_level_db(part), 0.1);
    else
        cJSON_AddNullToObject(level, member);
}

static void
add_level(cJSON *levels, const struct ring_view *view, uint64_t frames)
{
    struct ring_level found;
    ring_level_read(view, frames, &found);
    if (!found.frames)
        return;
    cJSON *level = cJSON_CreateObject();
    add_u64(level, "frames", found.frames);
    add_db(level, "peak_dbfs", found.peak);
    add_db(level, "rms_dbfs", found.rms);
    cJSON_AddItemToArray(levels, level);
}

static void
add_slots(cJSON *json, const struct ring_view *view)
{
    cJSON *slots = cJSON_AddArrayToObject(json, "slots");
    for (unsigned i = 0; i < view->slot_count; i++) {
        const struct ring_view_holder *holder = &view->slots[i];
        if (!holder->held)
            continue;
        cJSON *slot = cJSON_CreateObject();
        int64_t lag = ring_text_behind(view, holder->position);
        cJSON_AddNumberToObject(slot, "slot", i);
        cJSON_AddStringToObject(slot, "name", holder->card.name);
        cJSON_AddNumberToObject(slot, "pid", holder->card.pid);
        cJSON_AddBoolToObject(slot, "stopped", holder->card.stopped);
        cJSON_AddStringToObject(slot, "role",
                                holder->role == VR_PLAYER ? "player" : "other");
        add_u64(slot, "frame", holder->position);
        add_gap(slot, "lag_frames", lag);
        if (view->status == VR_OK)
            add_number(slot, "lag_ms", ring_text_ms(view, lag), 0.001);
        add_u64(slot, "lost_frames", holder->lost_frames);
        cJSON_AddItemToArray(slots, slot);
    }
}

static void
add_whole(cJSON *json, const struct ring_view *view)
{
    add_file(json, view);
    if (!view->has_words)
        return;
    add_layout(json, &view->words);
    add_marks(json, view);
    add_stamps(json, view);
    add_losses(json, view);
    if (view->status == VR_OK) {
        cJSON *levels = cJSON_AddArrayToObject(json, "levels");
        add_level(levels, view, view->header.format.rate_hz / 10);
        add_level(levels, view, view->header.format.rate_hz);
    }
    add_slots(json, view);
}

cJSON *
ring_json(const struct ring_view *view, const struct ring_view_name *name,
          bool whole)
{
    cJSON *json = begin(name), *gateway, *wrong;
    gateway = cJSON_AddObjectToObject(json, "gateway");
    cJSON_AddStringToObject(gateway, "state", ring_text_gateway(view));
    if (view->has_words) {
        cJSON_AddNumberToObject(gateway, "pid", view->words.gateway_pid);
        add_words(json, view);
    }
    if (whole)
        add_whole(json, view);
    wrong = cJSON_AddArrayToObject(json, "wrong");
    ring_text_wrong(view, add_wrong, wrong);
    return json;
}

cJSON *
ring_json_closed(const struct ring_view *view,
                 const struct ring_view_name *name)
{
    char text[VR_ERROR_BYTES];
    cJSON *json = begin(name), *wrong = cJSON_AddArrayToObject(json, "wrong");
    ring_text_closed(view, name, text, sizeof text);
    add_wrong(wrong, text);
    return json;
}
