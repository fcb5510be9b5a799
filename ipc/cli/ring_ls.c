/* voxring ring ls: a line for each ring. */
#include <stdio.h>

#include "ipc/cli/control.h"
#include "ipc/cli/ring_json.h"
#include "ipc/cli/ring_pick.h"
#include "ipc/cli/ring_text.h"
#include "ipc/cli/say.h"

#define ROW "%-12s %-4s %-9s %7s  %-15s  %-28s %7s %12s %12s %10s %8s  %s"
#define CELL_BYTES 64

static void
head(void)
{
    say_line(ROW, "SESSION", "RING", "FORMAT", "SECONDS", "GATEWAY",
             "PRODUCER/PLAYER", "READERS", "HEAD", "READ/PLAYED", "LAG", "LOST",
             "INSTANCE");
}

static void
print_wrong(void *arg, const char *what)
{
    const struct ring_view_name *name = arg;
    say_line("%-12s %-4s ! %s (instance %s)", name->session,
             ring_text_side(name->ring), what, name->instance);
}

static void
print_words(const struct ring_view *view, const struct ring_view_name *name)
{
    const struct ring_layout *words = &view->words;
    const struct ring_view_holder *leased = ring_text_leased(view);
    char format[CELL_BYTES], seconds[CELL_BYTES] = "?", gateway[CELL_BYTES],
                             holder[RING_TEXT_BYTES] = "-", readers[CELL_BYTES],
                             at[CELL_BYTES], taken[CELL_BYTES],
                             lag[CELL_BYTES] = "-", lost[CELL_BYTES];
    int64_t behind;
    snprintf(format, sizeof format, "%lux%lu", (unsigned long)words->rate_hz,
             (unsigned long)words->channels);
    if (view->status == VR_OK)
        snprintf(seconds, sizeof seconds, "%.1f",
                 (double)words->capacity_frames / words->rate_hz);
    snprintf(gateway, sizeof gateway, "%lu %s",
             (unsigned long)words->gateway_pid, ring_text_gateway(view));
    if (leased->held)
        ring_text_holder(leased, holder);
    snprintf(readers, sizeof readers, "%u", ring_view_readers(view));
    snprintf(at, sizeof at, "%llu", (unsigned long long)view->head);
    snprintf(taken, sizeof taken, "%llu",
             (unsigned long long)(view->ring == VR_RING_IN
                                      ? words->read_position
                                      : words->played));
    if (view->status == VR_OK && ring_view_lag(view, &behind))
        snprintf(lag, sizeof lag, "%.1f ms", ring_text_ms(view, behind));
    snprintf(lost, sizeof lost, "%llu",
             (unsigned long long)ring_view_lost(view));
    say_line(ROW, name->session, ring_text_side(name->ring), format, seconds,
             gateway, holder, readers, at, taken, lag, lost, name->instance);
}

static void
print_ring(struct ring_view_name *name)
{
    struct ring_view view;
    char text[VR_ERROR_BYTES];
    enum vr_status status = ring_view_open(&view, name);
    if (status == VR_NOT_FOUND)
        return; /* it went while we looked */
    if (status != VR_OK) {
        ring_text_closed(&view, name, text, sizeof text);
        print_wrong(name, text);
        return;
    }
    if (view.has_words)
        print_words(&view, name);
    ring_text_wrong(&view, print_wrong, name);
    ring_view_close(&view);
}

static cJSON *
ring_as_json(const struct ring_view_name *name)
{
    struct ring_view view;
    enum vr_status status = ring_view_open(&view, name);
    if (status == VR_NOT_FOUND)
        return NULL;
    cJSON *json = status == VR_OK ? ring_json(&view, name, false)
                                  : ring_json_closed(&view, name);
    ring_view_close(&view);
    return json;
}

static void
print_json(const struct cli *cli, const struct ring_view_list *list)
{
    cJSON *all = cJSON_CreateObject();
    cJSON *rings = cJSON_AddArrayToObject(all, "rings");
    for (size_t i = 0; i < list->count; i++)
        cJSON_AddItemToArray(rings, ring_as_json(&list->names[i]));
    control_print(cli, all);
    cJSON_Delete(all);
}

int
ring_ls_run(struct cli *cli)
{
    struct ring_pick pick;
    struct ring_view_list list;
    int code = ring_pick_init(&pick, cli, cli->arguments, cli->argument_count);
    if (code == CLI_DONE)
        code = ring_pick_read(&pick, cli, &list);
    if (code != CLI_DONE)
        return code;
    code = ring_pick_check(&pick, cli, &list);
    if (code == CLI_DONE && cli->options.json) {
        print_json(cli, &list);
    } else if (code == CLI_DONE && !list.count) {
        say_note(cli, "there are no rings%s%s",
                 *pick.instance ? " of the gateway of " : "",
                 *pick.instance ? cli->runtime_dir : "");
    } else if (code == CLI_DONE) {
        head();
        for (size_t i = 0; i < list.count; i++)
            print_ring(&list.names[i]);
    }
    ring_view_list_free(&list);
    return code;
}
