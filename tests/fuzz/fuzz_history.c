/* A history_file's document, or messages from control, from arbitrary bytes:
 * no crash, no leak; what is accepted is selected within the limits, and is
 * kept and read again as the same.
 *
 * fuzz-module: gateway/session/history.c gateway/session/history_text.c
 * fuzz-module: gateway/session/history_edit.c gateway/session/history_json.c
 * fuzz-module: gateway/session/history_select.c gateway/session/history_time.c
 * fuzz-module: gateway/session/history_import.c
 * fuzz-module: gateway/session/history_document.c gateway/jsonx.c
 * fuzz-module: gateway/strbuf.c gateway/clock.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"
#include "gateway/session/history_document.h"

/* Given to libFuzzer's own main(), which has no header. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static void
must_fit(const struct history *h, unsigned flags)
{
    struct history_selection s;
    const struct history_limits *limits = history_limits(h);
    must(history_select(h, flags, &s) == VR_OK);
    must(s.bytes <= limits->total_bytes && s.count <= limits->messages);
    for (size_t i = 0; i < s.count; i++) {
        must(s.blocks[i].role == (i % 2 ? HISTORY_ASSISTANT : HISTORY_USER));
        must(s.blocks[i].text_bytes > 0 &&
             s.blocks[i].text_bytes == strlen(s.blocks[i].text));
        must(history_text_valid(s.blocks[i].text));
    }
    history_selection_fini(&s);
}

static void
must_read_again(const struct history *h)
{
    struct history_state state = {.history = h, .conversation = "c"};
    struct history_loaded loaded;
    char why[HISTORY_WHY_BYTES];
    cJSON *json = history_document_make(&state);
    char *text = cJSON_PrintUnformatted(json);
    must(history_document_parse(text, strlen(text), &loaded, why, sizeof why) ==
         VR_OK);
    must(loaded.revision == history_revision(h));
    must(loaded.import.count == history_totals(h)->messages);
    for (size_t i = 0; i < loaded.import.count; i++) {
        const struct history_message *m = history_at(h, i);
        const struct history_message *again = &loaded.import.messages[i];
        must(m->id == again->id && m->turn == again->turn &&
             m->role == again->role && m->pinned == again->pinned);
        must(strcmp(m->text, again->text) == 0);
    }
    history_loaded_fini(&loaded);
    cJSON_free(text);
    cJSON_Delete(json);
}

static void
use(const struct history_import *import, uint64_t revision)
{
    struct history_limits limits = {1000, 8};
    struct history *h = history_new(&limits);
    char why[HISTORY_WHY_BYTES];
    must(history_restore(h, import->messages, import->count, revision) ==
         VR_OK);
    must_fit(h, 0);
    must_fit(h, HISTORY_TAKE_UNANSWERED);
    must_read_again(h);
    (void)!history_replace(h, import->messages, import->count, 0, why,
                           sizeof why);
    for (size_t i = 0; i < import->count; i++)
        (void)!history_add(h, import->messages[i].role,
                           import->messages[i].turn, 0,
                           import->messages[i].text);
    must_fit(h, HISTORY_TAKE_UNANSWERED);
    history_free(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct history_loaded loaded;
    struct history_import import;
    char why[HISTORY_WHY_BYTES] = "";
    if (history_document_parse((const char *)bytes, count, &loaded, why,
                               sizeof why) == VR_OK)
        use(&loaded.import, loaded.revision);
    else
        must(why[0] && !loaded.import.messages && !loaded.extra);
    history_loaded_fini(&loaded);
    cJSON *json = jsonx_parse((const char *)bytes, count, NULL, NULL);
    if (json &&
        history_import_read(json, "h", &import, why, sizeof why) == VR_OK) {
        use(&import, 1);
        history_import_fini(&import);
    }
    cJSON_Delete(json);
    return 0;
}
