#include "gateway/bedrock/profile.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* A piece of the text. */
struct span {
    const char *at;
    size_t chars;
};

enum place { BEFORE_PROFILES, IN_PROFILE, IN_PROPERTY };

struct parser {
    enum profile_file file;
    const struct profile_sink *sink;
    void *arg;
    struct span rest; /* of the text */
    unsigned line;
    bool skip_plain_default;
    const char *fault;

    enum place place;
    bool ignored; /* the section is no profile */
    /* NUL-terminated copies, each with room for the whole text. */
    char *profile, *key, *value;
    size_t value_chars;
    bool sub_properties; /* the value began empty */
};

/* ---- spans ---- */

static bool
blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span
trim(struct span span)
{
    while (span.chars && blank(span.at[0])) {
        span.at++;
        span.chars--;
    }
    while (span.chars && blank(span.at[span.chars - 1]))
        span.chars--;
    return span;
}

/* Takes the next line off `text`, without its end. */
static struct span
take_line(struct span *text)
{
    const char *end = memchr(text->at, '\n', text->chars);
    size_t taken = end ? (size_t)(end - text->at) : text->chars;
    struct span line = {text->at, taken};

    taken += end != NULL;
    text->at += taken;
    text->chars -= taken;
    if (line.chars && line.at[line.chars - 1] == '\r')
        line.chars--;
    return line;
}

static struct span
until_any(struct span span, const char *stops)
{
    for (size_t i = 0; i < span.chars; i++) {
        if (strchr(stops, span.at[i]))
            return (struct span){span.at, i};
    }
    return span;
}

/* In a property only white space makes a comment of '#' and ';'. */
static struct span
without_comment(struct span span)
{
    for (size_t i = 1; i < span.chars; i++) {
        if ((span.at[i] == '#' || span.at[i] == ';') && blank(span.at[i - 1]))
            return (struct span){span.at, i};
    }
    return span;
}

static bool
equals(struct span span, const char *text)
{
    return span.chars == strlen(text) && !memcmp(span.at, text, span.chars);
}

static void
copy(char *to, struct span from)
{
    memcpy(to, from.at, from.chars);
    to[from.chars] = '\0';
}

/* Letters, digits and what else names may have. */
static bool
plain_name(struct span name)
{
    if (!name.chars)
        return false;
    for (size_t i = 0; i < name.chars; i++) {
        char c = name.at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || strchr("-_/.%@:+", c)))
            return false;
    }
    return true;
}

/* ---- sections ---- */

/* AWS's command line tool takes quoted names, with spaces in them. */
static bool
unquote(struct span *name)
{
    if (name->chars < 3 || name->at[0] != '"' ||
        name->at[name->chars - 1] != '"')
        return false;
    name->at++;
    name->chars -= 2;
    return !memchr(name->at, '"', name->chars);
}

/* Finds the profile's name in what stands between the brackets. */
static bool
profile_name(enum profile_file file, struct span section, struct span *name,
             bool *plain_default)
{
    static const char prefix[] = "profile";
    size_t prefix_chars = sizeof prefix - 1;

    *name = trim(section);
    *plain_default = file == PROFILE_CONFIG && equals(*name, "default");
    if (file == PROFILE_CONFIG && !*plain_default) {
        if (name->chars <= prefix_chars ||
            memcmp(name->at, prefix, prefix_chars) != 0 ||
            !blank(name->at[prefix_chars]))
            return false;
        name->at += prefix_chars;
        name->chars -= prefix_chars;
        *name = trim(*name);
    }
    return plain_name(*name) || unquote(name);
}

/* The text between the brackets of a section's line. */
static bool
section_of(struct span line, struct span *section)
{
    line = trim(until_any(line, "#;"));
    if (line.chars < 2 || line.at[0] != '[' || line.at[line.chars - 1] != ']')
        return false;
    *section = (struct span){line.at + 1, line.chars - 2};
    return true;
}

static bool
has_prefixed_default(struct span text)
{
    while (text.chars) {
        struct span line = take_line(&text), section, name;
        bool plain;

        if (line.chars && line.at[0] == '[' && section_of(line, &section) &&
            profile_name(PROFILE_CONFIG, section, &name, &plain) && !plain &&
            equals(name, "default"))
            return true;
    }
    return false;
}

/* ---- lines ---- */

static bool
refuse(struct parser *parser, const char *fault)
{
    parser->fault = fault;
    return false;
}

/* Passes on the property that has been read, if any. */
static void
finish_property(struct parser *parser)
{
    if (parser->place != IN_PROPERTY)
        return;
    parser->value[parser->value_chars] = '\0';
    if (!parser->ignored && *parser->key)
        parser->sink->on_property(parser->arg, parser->profile, parser->key,
                                  parser->value);
    parser->place = IN_PROFILE;
}

static bool
take_section(struct parser *parser, struct span line)
{
    struct span section, name;
    bool plain_default;

    finish_property(parser);
    if (!section_of(line, &section))
        return refuse(parser, "Profile definition must end with ']'");
    parser->place = IN_PROFILE;
    parser->ignored =
        !profile_name(parser->file, section, &name, &plain_default) ||
        (plain_default && parser->skip_plain_default);
    if (!parser->ignored) {
        copy(parser->profile, name);
        parser->sink->on_profile(parser->arg, parser->profile);
    }
    return true;
}

static bool
take_property(struct parser *parser, struct span line)
{
    struct span key, value;

    finish_property(parser);
    if (parser->place == BEFORE_PROFILES)
        return refuse(parser, "Expected a profile definition");
    line = without_comment(line);
    key = until_any(line, "=");
    if (key.chars == line.chars)
        return refuse(parser, "Expected an '=' sign defining a property");
    value =
        trim((struct span){key.at + key.chars + 1, line.chars - key.chars - 1});
    key = trim(key);
    if (!key.chars)
        return refuse(parser, "Property did not have a name");
    copy(parser->key, plain_name(key) ? key : (struct span){"", 0});
    for (char *c = parser->key; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    copy(parser->value, value);
    parser->value_chars = value.chars;
    parser->sub_properties = value.chars == 0;
    parser->place = IN_PROPERTY;
    return true;
}

static bool
take_continuation(struct parser *parser, struct span line)
{
    if (parser->place == BEFORE_PROFILES)
        return refuse(parser, "Expected a profile definition");
    if (parser->place == IN_PROFILE)
        return refuse(parser,
                      "Expected a property definition, found continuation");
    line = trim(line);
    if (parser->sub_properties && !memchr(line.at, '=', line.chars))
        return refuse(parser, "Expected an '=' sign defining a sub-property");
    /* No longer than the text: each line brings a newline of its own. */
    parser->value[parser->value_chars++] = '\n';
    memcpy(parser->value + parser->value_chars, line.at, line.chars);
    parser->value_chars += line.chars;
    return true;
}

static bool
take_lines(struct parser *parser)
{
    while (parser->rest.chars) {
        struct span line = take_line(&parser->rest);
        bool good = true;

        parser->line++;
        if (!trim(line).chars || line.at[0] == '#' || line.at[0] == ';')
            continue;
        if (memchr(line.at, '\0', line.chars))
            good = refuse(parser, "A NUL byte is no text");
        else if (blank(line.at[0]))
            good = take_continuation(parser, line);
        else if (line.at[0] == '[')
            good = take_section(parser, line);
        else
            good = take_property(parser, line);
        if (!good)
            return false;
    }
    finish_property(parser);
    return true;
}

/* ---- the whole text ---- */

static struct span
without_bom(struct span text)
{
    static const char bom[] = "\xef\xbb\xbf";

    if (text.chars >= 3 && !memcmp(text.at, bom, 3))
        return (struct span){text.at + 3, text.chars - 3};
    return text;
}

enum vr_status
profile_parse(enum profile_file file, const char *text, size_t bytes,
              const struct profile_sink *sink, void *arg, char *problem,
              size_t problem_size)
{
    size_t room = bytes + 2;
    char *copies = malloc(3 * room);
    struct parser parser = {
        .file = file,
        .sink = sink,
        .arg = arg,
        .rest = without_bom((struct span){text, bytes}),
    };
    bool good;

    if (!copies)
        return VR_NO_MEMORY;
    parser.profile = copies;
    parser.key = copies + room;
    parser.value = copies + 2 * room;
    parser.skip_plain_default =
        file == PROFILE_CONFIG && has_prefixed_default(parser.rest);
    good = take_lines(&parser);
    if (!good)
        snprintf(problem, problem_size, "line %u: %s", parser.line,
                 parser.fault);
    OPENSSL_cleanse(copies, 3 * room);
    free(copies);
    return good ? VR_OK : VR_INVALID;
}
