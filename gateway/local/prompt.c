#include "gateway/local/prompt.h"

#include <stdlib.h>
#include <string.h>

#define TOOLS_MAX 256
#define TOOL_NAME_MAX 64

enum family
prompt_family(const char *model_id)
{
    const char *id = strstr(model_id, "amazon.nova-sonic");

    return id != NULL ? FAMILY_V1 : FAMILY_NOVA2;
}

bool
prompt_knows_voice(const char *voice, enum family family)
{
    static const struct {
        const char *id;
        bool v1, nova2;
    } voices[] = {
#define VOICE(id, v1, nova2, espeak, pitch) {id, v1, nova2},
#include "gateway/local/voices.tbl.h"
#undef VOICE
    };

    for (size_t i = 0; i < sizeof(voices) / sizeof(voices[0]); i++) {
        if (strcmp(voices[i].id, voice) == 0)
            return family == FAMILY_V1 ? voices[i].v1 : voices[i].nova2;
    }
    return false;
}

bool
prompt_has_tool(const struct prompt *prompt, const char *name)
{
    for (size_t i = 0; i < prompt->tool_count; i++) {
        if (strcmp(prompt->tools[i], name) == 0)
            return true;
    }
    return false;
}

static void
check_tool_name(struct shape *s, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (strlen(name) > TOOL_NAME_MAX || name[strspn(name, allowed)] != '\0')
        shape_fail(s,
                   "tool name \"%.70s\" must be 1 to 64 letters, digits, _ "
                   "or -",
                   name);
}

static void
check_schema(struct shape *s, const cJSON *spec, const char *name)
{
    const cJSON *schema = shape_object(s, spec, "inputSchema");
    const char *text = schema ? shape_string(s, schema, "json") : NULL;
    cJSON *parsed;

    if (text == NULL)
        return;
    shape_only(s, schema, "json");
    parsed = cJSON_ParseWithOpts(text, NULL, true);
    if (!cJSON_IsObject(parsed))
        shape_fail(s,
                   "inputSchema.json of tool %.64s is not the text of a JSON "
                   "object",
                   name);
    cJSON_Delete(parsed);
}

static void
take_tool(struct prompt *prompt, struct shape *s, const cJSON *tool)
{
    const cJSON *spec = shape_object(s, tool, "toolSpec");
    const char *name = spec ? shape_string(s, spec, "name") : NULL;

    if (name == NULL)
        return;
    shape_only(s, tool, "toolSpec");
    shape_only(s, spec, "name description inputSchema");
    check_tool_name(s, name);
    if (cJSON_HasObjectItem(spec, "description"))
        shape_text(s, spec, "description");
    check_schema(s, spec, name);
    if (prompt_has_tool(prompt, name))
        shape_fail(s, "tool %.64s is given twice", name);
    prompt->tools[prompt->tool_count] = strdup(name);
    if (prompt->tools[prompt->tool_count] == NULL)
        shape_fail(s, "out of memory");
    else
        prompt->tool_count++;
}

static void
take_choice(struct prompt *prompt, struct shape *s, const cJSON *choice)
{
    const cJSON *form = choice->child;
    const char *name;

    if (!cJSON_IsObject(choice) || cJSON_GetArraySize(choice) != 1 ||
        !cJSON_IsObject(form)) {
        shape_fail(s, "toolChoice must be {\"auto\":{}}, {\"any\":{}} or "
                      "{\"tool\":{\"name\":\"...\"}}");
        return;
    }
    if (strcmp(form->string, "auto") == 0)
        return;
    if (strcmp(form->string, "any") == 0) {
        prompt->choice = CHOICE_ANY;
        if (prompt->tool_count == 0)
            shape_fail(s, "toolChoice any without any tool");
        return;
    }
    if (strcmp(form->string, "tool") != 0) {
        shape_fail(s, "toolChoice %.40s is none of auto, any, tool",
                   form->string);
        return;
    }
    name = shape_string(s, form, "name");
    if (name == NULL)
        return;
    prompt->choice = CHOICE_TOOL;
    for (size_t i = 0; i < prompt->tool_count; i++) {
        if (strcmp(prompt->tools[i], name) == 0) {
            prompt->chosen = i;
            return;
        }
    }
    shape_fail(s, "toolChoice names %.64s, which is not among the tools", name);
}

static void
take_tools(struct prompt *prompt, struct shape *s, const cJSON *config,
           enum family family)
{
    const cJSON *tools = cJSON_GetObjectItemCaseSensitive(config, "tools");
    const cJSON *choice =
        cJSON_GetObjectItemCaseSensitive(config, "toolChoice");
    const cJSON *tool;
    int count = cJSON_GetArraySize(tools);

    shape_only(s, config, "tools toolChoice");
    if (!cJSON_IsArray(tools) || count > TOOLS_MAX) {
        shape_fail(s, "tools must be an array of at most %d tools", TOOLS_MAX);
        return;
    }
    prompt->tools = calloc((size_t)count + 1, sizeof(*prompt->tools));
    if (prompt->tools == NULL) {
        shape_fail(s, "out of memory");
        return;
    }
    cJSON_ArrayForEach(tool, tools)
    {
        take_tool(prompt, s, tool);
    }
    if (choice == NULL)
        return;
    if (family == FAMILY_V1)
        shape_fail(s, "toolChoice needs Nova 2 or later");
    take_choice(prompt, s, choice);
}

static void
take_audio(struct prompt *prompt, struct shape *s, const cJSON *object,
           enum family family)
{
    const cJSON *audio = shape_object(s, object, "audioOutputConfiguration");
    const char *voice;

    if (audio == NULL)
        return;
    shape_only(s, audio,
               "mediaType sampleRateHertz sampleSizeBits channelCount voiceId "
               "encoding audioType");
    prompt->output_rate_hz = shape_audio_format(s, audio);
    voice = shape_text(s, audio, "voiceId");
    if (voice == NULL)
        return;
    if (!prompt_knows_voice(voice, family) && !s->failed)
        s->message = "Received invalid voiceId";
    if (!prompt_knows_voice(voice, family))
        shape_fail(s, "voiceId \"%.40s\" is not a voice of this model", voice);
    prompt->voice = strdup(voice);
    if (prompt->voice == NULL)
        shape_fail(s, "out of memory");
}

static void
take_media(struct shape *s, const cJSON *object, const char *key,
           const char *type)
{
    const cJSON *config = shape_object(s, object, key);

    if (config == NULL)
        return;
    shape_only(s, config, "mediaType");
    shape_is(s, config, "mediaType", type);
}

void
prompt_init(struct prompt *prompt, struct shape *s, const cJSON *object,
            enum family family)
{
    const char *name = shape_string(s, object, "promptName");
    const cJSON *tools;

    memset(prompt, 0, sizeof(*prompt));
    shape_only(s, object,
               "promptName textOutputConfiguration audioOutputConfiguration "
               "toolUseOutputConfiguration toolConfiguration");
    prompt->name = strdup(name == NULL ? "" : name);
    if (prompt->name == NULL)
        shape_fail(s, "out of memory");
    take_media(s, object, "textOutputConfiguration", "text/plain");
    take_audio(prompt, s, object, family);
    tools = cJSON_GetObjectItemCaseSensitive(object, "toolConfiguration");
    if (tools != NULL)
        take_tools(prompt, s, tools, family);
    if (cJSON_HasObjectItem(object, "toolUseOutputConfiguration"))
        take_media(s, object, "toolUseOutputConfiguration", "application/json");
    else if (prompt->tool_count > 0)
        shape_odd(s, "tools without a toolUseOutputConfiguration");
}

void
prompt_fini(struct prompt *prompt)
{
    for (size_t i = 0; i < prompt->tool_count; i++)
        free(prompt->tools[i]);
    free(prompt->tools);
    free(prompt->name);
    free(prompt->voice);
    memset(prompt, 0, sizeof(*prompt));
}
