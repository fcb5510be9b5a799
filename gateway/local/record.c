#include "gateway/local/record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096

struct record {
    int audio_fd;
    bool failed;
    size_t text_bytes;     /* of everything kept but audio */
    char stem[PATH_BYTES]; /* DIR/NNNN */
    uint64_t samples;
    cJSON *root;
};

static int
create(const struct record *record, const char *ending)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s%s", record->stem, ending);
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
}

static bool
write_all(int fd, const void *data, size_t count)
{
    const uint8_t *at = data;
    while (count > 0) {
        ssize_t size = write(fd, at, count);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return false;
        at += size;
        count -= (size_t)size;
    }
    return true;
}

static void
forget(struct record **record)
{
    if ((*record)->audio_fd >= 0)
        close((*record)->audio_fd);
    cJSON_Delete((*record)->root);
    free(*record);
    *record = NULL;
}

static void
remove_old(const struct record *record)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s.json", record->stem);
    unlink(path);
}

struct record *
record_open(const char *dir, unsigned number, const char *model_id)
{
    struct record *record = calloc(1, sizeof(*record));
    if (record == NULL)
        return NULL;
    int used =
        snprintf(record->stem, sizeof(record->stem), "%s/%04u", dir, number);
    errno = ENAMETOOLONG;
    record->audio_fd = -1;
    record->root = cJSON_CreateObject();
    if (used < 0 || (size_t)used >= sizeof(record->stem) ||
        record->root == NULL || (record->audio_fd = create(record, ".s16")) < 0)
        forget(&record);
    else
        remove_old(record);
    if (record == NULL)
        return NULL;
    cJSON_AddStringToObject(record->root, "model", model_id);
    cJSON_AddNumberToObject(record->root, "rate_hz", 0);
    cJSON_AddStringToObject(record->root, "system", "");
    cJSON_AddStringToObject(record->root, "voice", "");
    cJSON_AddArrayToObject(record->root, "tools");
    cJSON_AddArrayToObject(record->root, "history");
    cJSON_AddArrayToObject(record->root, "texts");
    cJSON_AddArrayToObject(record->root, "tool_results");
    return record;
}

static void
set(struct record *record, const char *key, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(record->root, key);
    cJSON_AddItemToObject(record->root, key, value);
}

/* Takes over `value`, which costs about so many bytes. */
static void
append(struct record *record, const char *key, cJSON *value, size_t bytes)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(record->root, key);
    record->text_bytes += bytes + sizeof(*value);
    if (record->text_bytes <= RECORD_TEXT_BYTES_MAX &&
        cJSON_AddItemToArray(list, value))
        return;
    record->text_bytes = RECORD_TEXT_BYTES_MAX + 1;
    cJSON_Delete(value);
}

static void
take_prompt(struct record *record, const struct prompt *prompt)
{
    cJSON *tools = cJSON_CreateArray();
    for (size_t i = 0; i < prompt->tool_count; i++)
        cJSON_AddItemToArray(tools, cJSON_CreateString(prompt->tools[i]));
    set(record, "tools", tools);
    set(record, "voice", cJSON_CreateString(prompt->voice));
}

static void
take_context(struct record *record, const struct input *input)
{
    if (input->role == ROLE_SYSTEM) {
        set(record, "system", cJSON_CreateString(input->text));
        return;
    }
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddStringToObject(entry, "role",
                            input->role == ROLE_USER        ? "USER"
                            : input->role == ROLE_ASSISTANT ? "ASSISTANT"
                                                            : "SYSTEM_SPEECH");
    cJSON_AddStringToObject(entry, "text", input->text);
    append(record, "history", entry, input->text_bytes);
}

static void
take_result(struct record *record, const struct input *input)
{
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddStringToObject(entry, "id", input->tool_use_id);
    cJSON_AddStringToObject(entry, "content", input->text);
    append(record, "tool_results", entry, input->text_bytes);
}

static bool
take_audio(struct record *record, const struct input *input)
{
    record->samples += input->frames;
    if (record->failed ||
        write_all(record->audio_fd, input->samples, input->frames * 2))
        return true;
    record->failed = true;
    return false;
}

bool
record_take(struct record *record, const struct input *input)
{
    switch (input->kind) {
    case INPUT_AUDIO:
        return take_audio(record, input);
    case INPUT_PROMPT:
        take_prompt(record, input->prompt);
        break;
    case INPUT_CONTEXT:
        take_context(record, input);
        break;
    case INPUT_AUDIO_START:
        set(record, "rate_hz", cJSON_CreateNumber((double)input->rate_hz));
        break;
    case INPUT_TEXT:
        append(record, "texts", cJSON_CreateString(input->text),
               input->text_bytes);
        break;
    case INPUT_TOOL_RESULT:
        take_result(record, input);
        break;
    case INPUT_NONE:
    case INPUT_SESSION:
    case INPUT_AUDIO_END:
    case INPUT_PROMPT_END:
    case INPUT_SESSION_END:
        break;
    }
    return true;
}

/* Under another name first: whoever sees the file sees all of it. */
static void
write_json(const struct record *record)
{
    char from[PATH_BYTES + 16], to[PATH_BYTES + 16];
    char *text = cJSON_Print(record->root);
    int fd = create(record, ".json.new");
    snprintf(from, sizeof(from), "%s.json.new", record->stem);
    snprintf(to, sizeof(to), "%s.json", record->stem);
    bool good = text != NULL && fd >= 0 && write_all(fd, text, strlen(text)) &&
                write_all(fd, "\n", 1);
    cJSON_free(text);
    if (fd >= 0)
        close(fd);
    if (!good || rename(from, to) != 0)
        unlink(from);
}

void
record_close(struct record **record, const char *ended)
{
    if (*record == NULL)
        return;
    set(*record, "samples", cJSON_CreateNumber((double)(*record)->samples));
    set(*record, "ended", cJSON_CreateString(ended));
    set(*record, "whole",
        cJSON_CreateBool(!(*record)->failed &&
                         (*record)->text_bytes <= RECORD_TEXT_BYTES_MAX));
    write_json(*record);
    forget(record);
}
