/* Reads a script file: JSON with comments into struct script, each mistake
 * told with its file, line, path and remedy. */
#include "gateway/local/script.h"

#include "gateway/local/ear.h"
#include "gateway/local/jsontext.h"
#include "gateway/local/voice.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (4 * 1024 * 1024)
#define LINES_MAX 1000
#define CALLS_MAX 16
#define SAY_BYTES_MAX 8000
#define PAUSE_MS_MAX 600000

struct reader {
    const char *file;
    const char *text;
    char path[160]; /* of what is being read */
    char *problem;
    size_t problem_size;
    bool failed;
};

static void complain(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct reader *r, const char *format, ...)
{
    va_list args;
    int used;

    if (r->failed)
        return;
    r->failed = true;
    used = snprintf(r->problem, r->problem_size, "%s:%d: %s%s", r->file,
                    jsontext_line_of(r->text, r->path), r->path,
                    r->path[0] == '\0' ? "" : ": ");
    if (used < 0 || (size_t)used >= r->problem_size)
        return;
    va_start(args, format);
    vsnprintf(r->problem + used, r->problem_size - (size_t)used, format, args);
    va_end(args);
}

/* Goes one step down the path; the returned length leads back up. */
static size_t enter(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static size_t
enter(struct reader *r, const char *format, ...)
{
    size_t length = strlen(r->path);
    va_list args;

    va_start(args, format);
    vsnprintf(r->path + length, sizeof(r->path) - length, format, args);
    va_end(args);
    return length;
}

static void
leave(struct reader *r, size_t length)
{
    if (!r->failed)
        r->path[length] = '\0';
}

static const char *
take_text(struct reader *r, const cJSON *item)
{
    if (!cJSON_IsString(item))
        complain(r, "must be a text in quotes");
    else if (strlen(item->valuestring) > SAY_BYTES_MAX)
        complain(r, "has more than %d bytes", SAY_BYTES_MAX);
    else
        return item->valuestring;
    return "";
}

static bool
take_bool(struct reader *r, const cJSON *item)
{
    if (!cJSON_IsBool(item))
        complain(r, "must be true or false");
    return cJSON_IsTrue(item);
}

static int32_t
take_integer(struct reader *r, const cJSON *item, int32_t least, int32_t most)
{
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;

    if (value >= least && value <= most && value == floor(value))
        return (int32_t)value;
    complain(r, "must be an integer within %d..%d", (int)least, (int)most);
    return least;
}

/* A text or an array of texts, made an array of texts in place. */
static const cJSON *
take_texts(struct reader *r, cJSON *line, const char *key)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(line, key);
    cJSON *array, *element;
    int i = 0;

    if (cJSON_IsString(item)) {
        array = cJSON_CreateArray();
        cJSON_AddItemToArray(array, cJSON_CreateString(item->valuestring));
        cJSON_ReplaceItemInObjectCaseSensitive(line, key, array);
        item = array;
    }
    if (!cJSON_IsArray(item)) {
        complain(r, "must be a text or an array of texts");
        return NULL;
    }
    cJSON_ArrayForEach(element, item)
    {
        size_t up = enter(r, "[%d]", i++);

        take_text(r, element);
        leave(r, up);
    }
    return item;
}

static unsigned
flag_of(struct reader *r, const cJSON *item, const char *const *names,
        const unsigned *flags)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, names[i]) == 0)
            return flags[i];
    }
    complain(r, "must be one of \"%s\", \"%s\", \"%s\"%s", names[0], names[1],
             names[2], names[3] == NULL ? "" : ", \"trigger\"");
    return 0;
}

static unsigned
take_flags(struct reader *r, const cJSON *item, const char *const *names,
           const unsigned *flags)
{
    unsigned all = 0;
    const cJSON *element;
    int i = 0;

    if (!cJSON_IsArray(item))
        return flag_of(r, item, names, flags);
    cJSON_ArrayForEach(element, item)
    {
        size_t up = enter(r, "[%d]", i++);

        all |= flag_of(r, element, names, flags);
        leave(r, up);
    }
    return all;
}

static unsigned
take_on(struct reader *r, const cJSON *item)
{
    static const char *const names[] = {"speech", "text", "silence", "trigger",
                                        NULL};
    static const unsigned flags[] = {SCRIPT_ON_SPEECH, SCRIPT_ON_TEXT,
                                     SCRIPT_ON_SILENCE, SCRIPT_ON_TRIGGER};

    return take_flags(r, item, names, flags);
}

static unsigned
take_barge_in(struct reader *r, const cJSON *item)
{
    static const char *const names[] = {"marker", "stop_reason", "speech_start",
                                        NULL};
    static const unsigned flags[] = {BARGE_MARKER, BARGE_STOP_REASON,
                                     BARGE_SPEECH_START};

    return take_flags(r, item, names, flags);
}

/* ---- calls --------------------------------------------------------------- */

static void
take_call_member(struct reader *r, struct script_call *call, const cJSON *item)
{
    const char *key = item->string;

    if (strcmp(key, "name") == 0)
        call->name = take_text(r, item);
    else if (strcmp(key, "arguments") == 0 && cJSON_IsObject(item))
        call->arguments = item;
    else if (strcmp(key, "arguments") == 0)
        complain(r, "must be an object");
    else if (strcmp(key, "double_encoded") == 0)
        call->double_encoded = take_bool(r, item);
    else
        complain(r, "unknown key; known are name, arguments, double_encoded");
}

static void
take_call(struct reader *r, struct script_line *line, const cJSON *object)
{
    struct script_call *call = &line->calls[line->call_count];
    const cJSON *item;

    if (!cJSON_IsObject(object)) {
        complain(r, "must be {\"name\": ..., \"arguments\": {...}}");
        return;
    }
    if (line->call_count >= CALLS_MAX) {
        complain(r, "a line has at most %d tool calls", CALLS_MAX);
        return;
    }
    cJSON_ArrayForEach(item, object)
    {
        size_t up = enter(r, ".%s", item->string);

        take_call_member(r, call, item);
        leave(r, up);
    }
    if (call->name == NULL || call->name[0] == '\0')
        complain(r, "the name of the tool is missing");
    line->call_count++;
}

static void
take_calls(struct reader *r, struct script_line *line, const cJSON *item)
{
    const cJSON *element;
    int i = 0;

    if (line->calls != NULL) {
        complain(r, "tool stands there twice");
        return;
    }
    line->calls = calloc(CALLS_MAX, sizeof(*line->calls));
    if (line->calls == NULL) {
        complain(r, "out of memory");
        return;
    }
    if (!cJSON_IsArray(item)) {
        take_call(r, line, item);
        return;
    }
    cJSON_ArrayForEach(element, item)
    {
        size_t up = enter(r, "[%d]", i++);

        take_call(r, line, element);
        leave(r, up);
    }
}

/* ---- lines --------------------------------------------------------------- */

static void
take_line_member(struct reader *r, struct script_line *line, cJSON *object,
                 const cJSON *item)
{
    const char *key = item->string;

    if (strcmp(key, "hear") == 0)
        line->hear = take_texts(r, object, "hear");
    else if (strcmp(key, "transcript") == 0)
        line->transcript = take_texts(r, object, "transcript");
    else if (strcmp(key, "say") == 0)
        line->say = take_text(r, item);
    else if (strcmp(key, "say_before") == 0)
        line->say_before = take_text(r, item);
    else if (strcmp(key, "say_while") == 0)
        line->say_while = take_text(r, item);
    else if (strcmp(key, "say_error") == 0)
        line->say_error = take_text(r, item);
    else if (strcmp(key, "tool") == 0)
        take_calls(r, line, item);
    else if (strcmp(key, "parallel") == 0)
        line->parallel = take_bool(r, item);
    else if (strcmp(key, "slow_ms") == 0)
        line->slow_ms = (uint32_t)take_integer(r, item, 0, PAUSE_MS_MAX);
    else if (strcmp(key, "after_ms") == 0)
        line->after_ms = (uint32_t)take_integer(r, item, 1, PAUSE_MS_MAX);
    else if (strcmp(key, "on") == 0)
        line->on = take_on(r, item);
    else
        complain(r, "unknown key; known are hear, transcript, say, "
                    "say_before, say_while, say_error, tool, parallel, "
                    "slow_ms, on, after_ms");
}

static void
take_line(struct reader *r, struct script_line *line, cJSON *object)
{
    cJSON *item, *next;

    line->say = line->say_before = line->say_while = line->say_error = "";
    line->on = SCRIPT_ON_SPEECH | SCRIPT_ON_TEXT;
    if (!cJSON_IsObject(object)) {
        complain(r, "must be an object such as {\"hear\": \"hello\", "
                    "\"say\": \"Hello.\"}");
        return;
    }
    for (item = object->child; item != NULL; item = next) {
        size_t up = enter(r, ".%s", item->string);

        /* A member may be replaced while it is read. */
        next = item->next;
        take_line_member(r, line, object, item);
        leave(r, up);
    }
    if ((line->on & SCRIPT_ON_SILENCE) != 0 && line->after_ms == 0)
        complain(r, "on \"silence\" needs after_ms");
}

static void
take_lines(struct reader *r, struct script *script, cJSON *array)
{
    cJSON *item;
    int count = cJSON_GetArraySize(array);

    if (!cJSON_IsArray(array) || count > LINES_MAX) {
        complain(r, "must be an array of at most %d lines", LINES_MAX);
        return;
    }
    if (script->lines != NULL) {
        complain(r, "lines stands there twice");
        return;
    }
    script->lines = calloc((size_t)count + 1, sizeof(*script->lines));
    if (script->lines == NULL) {
        complain(r, "out of memory");
        return;
    }
    cJSON_ArrayForEach(item, array)
    {
        struct script_line *line = &script->lines[script->line_count];
        size_t up = enter(r, "[%zu]", script->line_count++);

        take_line(r, line, item);
        if (line->hear == NULL && (line->on & SCRIPT_ON_SILENCE) == 0)
            complain(r, "hear is missing: which phrase brings this line?");
        leave(r, up);
    }
}

/* ---- faults and models --------------------------------------------------- */

static void
take_fault(struct reader *r, struct script *script, const cJSON *object)
{
    char problem[FAULT_PROBLEM_BYTES];

    if (fault_parse(&script->faults[script->fault_count], object, problem))
        script->fault_count++;
    else
        complain(r, "%s", problem);
}

static void
take_faults(struct reader *r, struct script *script, const cJSON *array)
{
    const cJSON *item;
    int i = 0;

    if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > FAULTS_MAX) {
        complain(r, "must be an array of at most %d faults", FAULTS_MAX);
        return;
    }
    if (script->faults != NULL) {
        complain(r, "faults stands there twice");
        return;
    }
    script->faults = calloc(FAULTS_MAX, sizeof(*script->faults));
    if (script->faults == NULL) {
        complain(r, "out of memory");
        return;
    }
    cJSON_ArrayForEach(item, array)
    {
        size_t up = enter(r, "[%d]", i++);

        take_fault(r, script, item);
        leave(r, up);
    }
}

static void
take_models(struct reader *r, struct script *script, const cJSON *object)
{
    const cJSON *item;

    if (!cJSON_IsObject(object))
        complain(r, "must be an object such as {\"amazon.nova-sonic-v1:0\": "
                    "\"end_of_life\"}");
    cJSON_ArrayForEach(item, object)
    {
        bool good = cJSON_IsString(item) &&
                    (strcmp(item->valuestring, "end_of_life") == 0 ||
                     strcmp(item->valuestring, "alive") == 0);

        if (!good)
            complain(r, "%.80s must be \"alive\" or \"end_of_life\"",
                     item->string == NULL ? "each" : item->string);
    }
    script->models = object;
}

static bool
take_number(struct reader *r, struct script_numbers *numbers, const cJSON *item)
{
#define SCRIPT_NUMBER(key, standard, least, most, what)    \
    if (strcmp(item->string, #key) == 0) {                 \
        numbers->key = take_integer(r, item, least, most); \
        return true;                                       \
    }
#include "gateway/local/script.tbl.h"
#undef SCRIPT_NUMBER
    return false;
}

static void
take_member(struct reader *r, struct script *script, cJSON *item)
{
    if (strcmp(item->string, "lines") == 0)
        take_lines(r, script, item);
    else if (strcmp(item->string, "unknown") == 0)
        take_line(r, &script->unknown, item);
    else if (strcmp(item->string, "barge_in") == 0)
        script->barge_in = take_barge_in(r, item);
    else if (strcmp(item->string, "faults") == 0)
        take_faults(r, script, item);
    else if (strcmp(item->string, "models") == 0)
        take_models(r, script, item);
    else if (!take_number(r, &script->numbers, item))
        complain(r, "unknown key; known are lines, unknown, barge_in, faults, "
                    "models"
#define SCRIPT_NUMBER(key, standard, least, most, what) ", " #key
#include "gateway/local/script.tbl.h"
#undef SCRIPT_NUMBER
        );
}

static void
set_defaults(struct script *script)
{
#define SCRIPT_NUMBER(key, standard, least, most, what) \
    script->numbers.key = standard;
#include "gateway/local/script.tbl.h"
#undef SCRIPT_NUMBER
    script->barge_in = BARGE_MARKER | BARGE_STOP_REASON | BARGE_SPEECH_START;
    script->unknown.say = "Sorry, I did not understand that.";
    script->unknown.say_before = script->unknown.say_while = "";
    script->unknown.say_error = "";
    script->unknown.on = SCRIPT_ON_SPEECH | SCRIPT_ON_TEXT;
}

static void
take_script(struct reader *r, struct script *script)
{
    struct script_numbers *n = &script->numbers;
    cJSON *item;

    if (!cJSON_IsObject(script->root)) {
        complain(r, "a script is an object: {\"lines\": [...]}");
        return;
    }
    set_defaults(script);
    cJSON_ArrayForEach(item, script->root)
    {
        size_t up = enter(r, "%s", item->string);

        take_member(r, script, item);
        leave(r, up);
    }
    if (script->line_count == 0)
        complain(r, "lines is missing: the script says nothing");
    if (n->chunk_min_ms > n->chunk_max_ms)
        complain(r, "chunk_min_ms is above chunk_max_ms");
    if (n->endpoint_ms > 0) {
        n->endpoint_high_ms = n->endpoint_medium_ms = n->endpoint_low_ms =
            n->endpoint_ms;
    }
}

/* ---- the file ------------------------------------------------------------ */

static char *
read_file(struct reader *r, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t bytes = 0;

    if (file == NULL) {
        snprintf(r->problem, r->problem_size, "cannot open script %s: %s", path,
                 strerror(errno));
        return NULL;
    }
    text = malloc(FILE_BYTES_MAX + 1);
    if (text != NULL)
        bytes = fread(text, 1, FILE_BYTES_MAX + 1, file);
    if (text == NULL || ferror(file) || bytes > FILE_BYTES_MAX) {
        snprintf(r->problem, r->problem_size, "cannot read script %s: %s", path,
                 bytes > FILE_BYTES_MAX ? "longer than 4 MiB"
                                        : strerror(errno));
        free(text);
        text = NULL;
    }
    fclose(file);
    if (text != NULL)
        text[bytes] = '\0';
    return text;
}

static cJSON *
parse(struct reader *r, char *text)
{
    const char *end = NULL;
    cJSON *root;

    if (!jsontext_is_utf8(text, strlen(text))) {
        complain(r, "not UTF-8 text");
        return NULL;
    }
    if (!jsontext_strip(text)) {
        complain(r, "a /* comment is not closed");
        return NULL;
    }
    root = cJSON_ParseWithOpts(text, &end, true);
    if (root == NULL) {
        r->failed = true;
        snprintf(r->problem, r->problem_size, "%s:%d: not JSON near \"%.20s\"",
                 r->file, jsontext_line_at(text, end), end == NULL ? "" : end);
    }
    return root;
}

struct script *
script_load(const char *path, char *problem, size_t problem_size)
{
    struct reader r = {path == NULL ? "built-in script" : path,
                       "",
                       "",
                       problem,
                       problem_size,
                       false};
    struct script *script = calloc(1, sizeof(*script));
    char *text;

    problem[0] = '\0';
    text = path == NULL ? strdup(script_builtin) : read_file(&r, path);
    if (script == NULL || text == NULL) {
        if (problem[0] == '\0')
            snprintf(problem, problem_size, "out of memory");
        free(script);
        free(text);
        return NULL;
    }
    r.text = text;
    script->root = parse(&r, text);
    if (script->root != NULL)
        take_script(&r, script);
    script->voice = voice_new(script->numbers.voice_wpm);
    if (script->voice == NULL)
        complain(&r, "the voice cannot be started");
    free(text);
    if (r.failed)
        script_free(&script);
    return script;
}

void
script_free(struct script **script)
{
    struct script *s = *script;

    if (s == NULL)
        return;
    for (size_t i = 0; i < s->line_count; i++)
        free(s->lines[i].calls);
    free(s->lines);
    free(s->unknown.calls);
    free(s->faults);
    ear_pool_free(&s->ears);
    voice_free(&s->voice);
    cJSON_Delete(s->root);
    free(s);
    *script = NULL;
}
