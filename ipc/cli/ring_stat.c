/* voxring ring stat: all of a ring. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "ipc/cli/control.h"
#include "ipc/cli/ring_json.h"
#include "ipc/cli/ring_level.h"
#include "ipc/cli/ring_pick.h"
#include "ipc/cli/ring_text.h"
#include "ipc/cli/say.h"

typedef unsigned long long ull;

static void
print_wrong(void *arg, const char *what)
{
    (void)arg;
    say_line("  %-15s %s", "! wrong", what);
}

static void
print_file(const struct ring_view *view)
{
    const struct passwd *user = getpwuid(view->owner);
    say_line("  %-15s %llu bytes, mode %04o, of user %s%s%lu%s", "object",
             (ull)view->bytes, (unsigned)view->mode & 07777u,
             user ? user->pw_name : "", user ? " (" : "",
             (unsigned long)view->owner, user ? ")" : "");
}

static void
print_gateway(const struct ring_view *view)
{
    const struct ring_layout *words = &view->words;
    char folder[RING_DIR_BYTES];
    if (!view->has_words) {
        say_line("  %-15s %s", "gateway", ring_text_gateway(view));
        return;
    }
    say_line("  %-15s voxringd pid %lu, %s", "gateway",
             (unsigned long)words->gateway_pid, ring_text_gateway(view));
    ring_text_folder(view, folder);
    if (*folder)
        say_line("  %-15s %s", "runtime folder", folder);
}

static void
print_geometry(const struct ring_view *view)
{
    const struct ring_layout *words = &view->words;
    say_line(
        "  %-15s version %lu, for clients of version %lu and later; "
        "header %lu bytes, %lu slots",
        "layout", (unsigned long)words->abi, (unsigned long)words->abi_oldest,
        (unsigned long)words->header_bytes, (unsigned long)words->slot_count);
    say_line("  %-15s %016llx, made anew %lu times, begins at %llu", "epoch",
             (ull)words->epoch, (unsigned long)words->recreated,
             (ull)words->first_position);
    say_line(
        "  %-15s %lu Hz, %lu channel%s, room for %llu frames (%.1f s)",
        "format", (unsigned long)words->rate_hz, (unsigned long)words->channels,
        words->channels == 1 ? "" : "s", (ull)words->capacity_frames,
        words->rate_hz ? (double)words->capacity_frames / words->rate_hz : 0);
}

static void
print_lag(const struct ring_view *view, const char *what, const char *taken,
          uint64_t position)
{
    int64_t lag;
    if (ring_view_lag(view, &lag))
        say_line("  %-15s %s %llu, lag %lld frames (%.1f ms)", what, taken,
                 (ull)position, (long long)lag, ring_text_ms(view, lag));
    else
        say_line("  %-15s %s %llu", what, taken, (ull)position);
}

static void
print_positions(const struct ring_view *view)
{
    const struct ring_layout *words = &view->words;
    say_line("  %-15s head %llu, intent %llu", "written", (ull)view->head,
             (ull)view->intent);
    if (view->ring == VR_RING_IN) {
        print_lag(view, "gateway read", "up to", words->read_position);
        say_line("  %-15s %llu frames by the gateway, overwritten unread; %llu "
                 "by the producer, written to nobody",
                 "lost", (ull)words->lost_frames,
                 (ull)view->producer.lost_frames);
    } else {
        print_lag(view, "played", "up to", words->played);
    }
    if (view->ring == VR_RING_IN && words->bell_at != RING_NEVER)
        say_line("  %-15s when head is at %llu", "bell asked for",
                 (ull)words->bell_at);
    if (view->ring == VR_RING_IN && words->space_at != RING_NEVER)
        say_line("  %-15s when the gateway has read up to %llu",
                 "space asked for", (ull)words->space_at);
    if (view->flushed)
        say_line("  %-15s up to %llu, of turn %llu, the ring's number %llu",
                 "newest flush", (ull)view->flush_to, (ull)view->flush_turn,
                 (ull)words->flush_count);
}

static double
age_s(uint64_t stamp_ns)
{
    return (double)(int64_t)(vr_now_ns() - stamp_ns) / 1e9;
}

static void
print_stamps(const struct ring_view *view)
{
    const struct ring_layout *words = &view->words;
    char captured[64] = "";
    if (!view->stamped)
        return;
    if (words->captured_ns)
        snprintf(captured, sizeof captured, ", captured %.3f s ago",
                 age_s(words->captured_ns));
    say_line("  %-15s %.3f s ago%s", "newest commit", age_s(words->commit_ns),
             captured);
}

static void
print_holder(const char *what, const struct ring_view_holder *holder)
{
    char text[RING_TEXT_BYTES];
    if (!holder->known) {
        say_line("  %-15s none", what);
        return;
    }
    ring_text_holder(holder, text);
    say_line("  %-15s %s%s", what, holder->held ? "" : "none; last held by ",
             text);
}

static void
print_level(const struct ring_view *view, uint64_t frames)
{
    char peak[RING_LEVEL_TEXT_BYTES], rms[RING_LEVEL_TEXT_BYTES];
    struct ring_level level;
    ring_level_read(view, frames, &level);
    if (!level.frames)
        return;
    ring_level_text(level.peak, peak);
    ring_level_text(level.rms, rms);
    say_line("  %-15s peak %s dBFS, RMS %s dBFS in the last %.0f ms", "level",
             peak, rms, ring_text_ms(view, (int64_t)level.frames));
}

static void
print_slots(const struct ring_view *view)
{
    char text[RING_TEXT_BYTES];
    say_line("  %-15s %u of %u slots held", "readers", ring_view_readers(view),
             view->slot_count);
    for (unsigned i = 0; i < view->slot_count; i++) {
        const struct ring_view_holder *holder = &view->slots[i];
        if (!holder->held)
            continue;
        int64_t lag = ring_text_behind(view, holder->position);
        ring_text_holder(holder, text);
        say_line("    slot %-8u %s, %s, at %llu, lag %lld frames (%.1f ms), "
                 "lost %llu",
                 i, text, holder->role == VR_PLAYER ? "player" : "other",
                 (ull)holder->position, (long long)lag, ring_text_ms(view, lag),
                 (ull)holder->lost_frames);
    }
}

static void
print_ring(const struct ring_view *view, const struct ring_view_name *name)
{
    say_line("%s (session %s, %s)", name->object, name->session,
             name->ring == VR_RING_IN ? "the microphone" : "the model's voice");
    print_gateway(view);
    print_file(view);
    if (view->has_words) {
        print_geometry(view);
        print_positions(view);
        print_stamps(view);
        print_holder(ring_text_lease(view->ring), ring_text_leased(view));
        if (view->status == VR_OK) {
            print_level(view, view->header.format.rate_hz / 10);
            print_level(view, view->header.format.rate_hz);
        }
        print_slots(view);
    }
    ring_text_wrong(view, print_wrong, NULL);
}

static int
show(const struct cli *cli, const struct ring_view_name *name, cJSON *rings)
{
    struct ring_view view;
    char text[VR_ERROR_BYTES];
    enum vr_status status = ring_view_open(&view, name);
    if (status != VR_OK) {
        ring_text_closed(&view, name, text, sizeof text);
        if (rings)
            cJSON_AddItemToArray(rings, ring_json_closed(&view, name));
        return say_fail(cli, say_exit_of(status), "%s", text);
    }
    if (rings)
        cJSON_AddItemToArray(rings, ring_json(&view, name, true));
    else
        print_ring(&view, name);
    ring_view_close(&view);
    return CLI_DONE;
}

static int
show_all(const struct cli *cli, const struct ring_view_list *list, int ring)
{
    cJSON *all = cli->options.json ? cJSON_CreateObject() : NULL;
    cJSON *rings = all ? cJSON_AddArrayToObject(all, "rings") : NULL;
    int worst = CLI_DONE, shown = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (ring >= 0 && (int)list->names[i].ring != ring)
            continue;
        int code = show(cli, &list->names[i], rings);
        shown++;
        worst = code == CLI_DONE ? worst : code;
    }
    if (!shown)
        worst = say_fail(cli, CLI_ABSENT, "there is no such ring of %s",
                         cli->arguments[0]);
    else if (all)
        control_print(cli, all);
    cJSON_Delete(all);
    return worst;
}

int
ring_stat_run(struct cli *cli)
{
    const char *side = cli->argument_count > 1 ? cli->arguments[1] : NULL;
    int ring = -1;
    struct ring_pick pick;
    struct ring_view_list list;
    if (side && strcmp(side, "in") != 0 && strcmp(side, "out") != 0)
        return say_fail(cli, CLI_USAGE, "\"%s\" is neither \"in\" nor \"out\"",
                        side);
    if (side)
        ring = *side == 'i' ? VR_RING_IN : VR_RING_OUT;
    int code = ring_pick_init(&pick, cli, cli->arguments, 1);
    if (code == CLI_DONE)
        code = ring_pick_read(&pick, cli, &list);
    if (code != CLI_DONE)
        return code;
    code = ring_pick_check(&pick, cli, &list);
    if (code == CLI_DONE)
        code = show_all(cli, &list, ring);
    ring_view_list_free(&list);
    return code;
}
