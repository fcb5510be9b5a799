#include "gateway/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gateway/clock.h"
#include "gateway/log_sink.h"

#define REPEATS 8 /* different lines watched for repetition */
#define FINI_WAIT_MS 100
#define STAMP_BYTES 32 /* "2026-01-31T12:00:00.123Z " */

static const char *const level_names[] = {"off",  "error", "warn",
                                          "info", "debug", "trace"};
#define LEVELS (sizeof level_names / sizeof *level_names)

static const char *const topic_names[LOG_TOPIC_COUNT] = {
#define LOG_TOPIC(name, what) #name,
#include "gateway/log.tbl.h"
#undef LOG_TOPIC
};

/* A line printed a short while ago. */
struct repeat {
    char line[LOG_LINE_BYTES]; /* without time stamp and newline */
    size_t bytes;              /* 0: free */
    uint64_t since_ns;
    uint64_t count; /* how often it came again and was not printed */
};

static struct {
    enum log_level levels[LOG_TOPIC_COUNT];
    struct repeat repeats[REPEATS];
    uint64_t dropped;
    uint64_t dropped_told;
    uint64_t (*mono_ns)(void);
} state = {
    .levels =
        {
#define LOG_TOPIC(name, what) LOG_INFO,
#include "gateway/log.tbl.h"
#undef LOG_TOPIC
        },
    .mono_ns = clock_mono_ns,
};

/* ---- one line ---- */

/* Bytes of the UTF-8 sequence at `s` that a terminal may show, 0 if it is
 * none: malformed, or a C1 control that a terminal would obey. */
static size_t
printable_bytes(const unsigned char *s)
{
    if (s[0] >= 0x20 && s[0] < 0x7f)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4 || (s[1] & 0xc0) != 0x80)
        return 0;
    if (s[0] < 0xe0)
        return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : 2;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ||
        (s[2] & 0xc0) != 0x80)
        return 0;
    if (s[0] < 0xf0)
        return 3;
    return (s[3] & 0xc0) == 0x80 ? 4 : 0;
}

/* Copies text so that it stays one line and moves no cursor. Returns the new
 * end in `out`; what does not fit is cut, marked by three dots. */
static size_t
escape(char *out, size_t at, size_t size, const char *text)
{
    static const char cut[] = "...";
    const unsigned char *s = (const unsigned char *)text;
    size_t limit = size - sizeof cut;
    while (*s) {
        char one[5];
        size_t taken = printable_bytes(s);
        size_t n = taken;
        if (taken)
            memcpy(one, s, taken);
        else if (*s == '\n' || *s == '\t')
            n = (size_t)snprintf(one, sizeof one, *s == '\n' ? "\\n" : "\\t");
        else
            n = (size_t)snprintf(one, sizeof one, "\\x%02x", *s);
        if (at + n > limit) {
            memcpy(out + at, cut, sizeof cut - 1);
            return at + sizeof cut - 1;
        }
        memcpy(out + at, one, n);
        at += n;
        s += taken ? taken : 1;
    }
    return at;
}

/* Drops count as told only once the line that tells them is in the buffer. */
static size_t
stamp(char *text)
{
    clock_utc_text(text);
    size_t n = strlen(text);
    text[n] = ' ';
    return n + 1;
}

static void
tell_dropped(void)
{
    char line[STAMP_BYTES + 96];
    if (state.dropped == state.dropped_told)
        return;
    size_t n = stamp(line);
    n += (size_t)snprintf(
        line + n, sizeof line - n,
        "warn main %llu log lines dropped: the reader of "
        "this log is too slow\n",
        (unsigned long long)(state.dropped - state.dropped_told));
    if (log_sink_put(line, n))
        state.dropped_told = state.dropped;
}

static void
put_line(const char *line, size_t bytes, uint64_t repeats)
{
    char out[STAMP_BYTES + LOG_LINE_BYTES + 48];
    size_t n = stamp(out);
    memcpy(out + n, line, bytes);
    n += bytes;
    if (repeats)
        n += (size_t)snprintf(out + n, sizeof out - n, " (repeated %llu times)",
                              (unsigned long long)repeats);
    out[n++] = '\n';
    tell_dropped();
    if (state.dropped != state.dropped_told || !log_sink_put(out, n))
        state.dropped++;
}

/* ---- repetition ---- */

static void
repeat_end(struct repeat *repeat)
{
    if (repeat->bytes && repeat->count)
        put_line(repeat->line, repeat->bytes, repeat->count);
    repeat->bytes = 0;
    repeat->count = 0;
}

static void
repeats_expire(bool all)
{
    uint64_t now_ns = state.mono_ns();
    for (size_t i = 0; i < REPEATS; i++) {
        struct repeat *r = &state.repeats[i];
        if (all || now_ns - r->since_ns >= LOG_REPEAT_MS * CLOCK_NS_PER_MS)
            repeat_end(r);
    }
}

/* True if the line was printed a short while ago and is only counted now;
 * else it is watched from here on. */
static bool
repeats_take(const char *line, size_t bytes)
{
    struct repeat *oldest = &state.repeats[0];
    repeats_expire(false);
    for (size_t i = 0; i < REPEATS; i++) {
        struct repeat *r = &state.repeats[i];
        if (r->bytes == bytes && !memcmp(r->line, line, bytes)) {
            r->count++;
            return true;
        }
        if (oldest->bytes && (!r->bytes || r->since_ns < oldest->since_ns))
            oldest = r;
    }
    repeat_end(oldest);
    memcpy(oldest->line, line, bytes);
    oldest->bytes = bytes;
    oldest->since_ns = state.mono_ns();
    return false;
}

/* ---- levels ---- */

const char *
log_level_name(enum log_level level)
{
    return (size_t)level < LEVELS ? level_names[level] : "unknown";
}

static bool
word_find(const char *const *names, size_t count, const char *word,
          size_t bytes, size_t *index)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) == bytes && !memcmp(names[i], word, bytes)) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* One word of a spec, "debug" or "wire=trace", into `levels`. */
static bool
levels_apply(enum log_level *levels, const char *word, size_t bytes)
{
    size_t topic = LOG_TOPIC_COUNT;
    size_t level;
    const char *equals = memchr(word, '=', bytes);
    if (equals) {
        size_t name_bytes = (size_t)(equals - word);
        if (!word_find(topic_names, LOG_TOPIC_COUNT, word, name_bytes, &topic))
            return false;
        bytes -= name_bytes + 1;
        word = equals + 1;
    }
    if (!word_find(level_names, LEVELS, word, bytes, &level))
        return false;
    for (size_t i = 0; i < LOG_TOPIC_COUNT; i++) {
        if (topic == LOG_TOPIC_COUNT || i == topic)
            levels[i] = (enum log_level)level;
    }
    return true;
}

static bool
levels_parse(enum log_level *levels, const char *spec, char *wrong,
             size_t wrong_size)
{
    for (;; spec++) {
        const char *word = spec + strspn(spec, " ");
        size_t bytes = strcspn(word, ",");
        spec = word + bytes;
        while (bytes && word[bytes - 1] == ' ')
            bytes--;
        if (!levels_apply(levels, word, bytes)) {
            if (wrong && wrong_size)
                snprintf(wrong, wrong_size, "%.*s", (int)bytes, word);
            return false;
        }
        if (!*spec)
            return true;
    }
}

bool
log_levels_valid(const char *spec, char *wrong, size_t wrong_size)
{
    enum log_level levels[LOG_TOPIC_COUNT];
    return levels_parse(levels, spec, wrong, wrong_size);
}

enum vr_status
log_levels(const char *spec, char *wrong, size_t wrong_size)
{
    enum log_level levels[LOG_TOPIC_COUNT];
    memcpy(levels, state.levels, sizeof levels);
    if (!levels_parse(levels, spec, wrong, wrong_size))
        return VR_INVALID;
    memcpy(state.levels, levels, sizeof levels);
    return VR_OK;
}

static enum log_level
commonest_level(void)
{
    size_t counts[LEVELS] = {0};
    size_t best = 0;
    for (size_t i = 0; i < LOG_TOPIC_COUNT; i++)
        counts[state.levels[i]]++;
    for (size_t i = 1; i < LEVELS; i++)
        best = counts[i] > counts[best] ? i : best;
    return (enum log_level)best;
}

void
log_levels_text(char *text, size_t text_size)
{
    enum log_level common = commonest_level();
    size_t at = (size_t)snprintf(text, text_size, "%s", level_names[common]);
    for (size_t i = 0; i < LOG_TOPIC_COUNT && at < text_size; i++) {
        if (state.levels[i] != common)
            at +=
                (size_t)snprintf(text + at, text_size - at, ",%s=%s",
                                 topic_names[i], level_names[state.levels[i]]);
    }
}

bool
log_enabled(enum log_topic topic, enum log_level level)
{
    return level != LOG_OFF && level <= state.levels[topic];
}

/* ---- the public face ---- */

void
log_init(int fd)
{
    log_sink_open(fd);
    for (size_t i = 0; i < LOG_TOPIC_COUNT; i++)
        state.levels[i] = LOG_INFO;
}

void
log_fini(void)
{
    repeats_expire(true);
    tell_dropped();
    log_sink_close(FINI_WAIT_MS);
    state.dropped = state.dropped_told = 0;
}

void
log_flush(void)
{
    repeats_expire(false);
    log_sink_flush();
    tell_dropped();
    log_sink_flush();
}

bool
log_pending(void)
{
    return log_sink_pending_bytes() > 0 || state.dropped != state.dropped_told;
}

void
log_write(enum log_topic topic, enum log_level level, const char *context,
          const char *format, ...)
{
    char message[LOG_LINE_BYTES];
    char line[LOG_LINE_BYTES];
    va_list args;
    if (!log_enabled(topic, level))
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    size_t n = (size_t)snprintf(line, sizeof line, "%s %s ", level_names[level],
                                topic_names[topic]);
    if (context && *context) {
        line[n++] = '[';
        n = escape(line, n, 512, context);
        line[n++] = ']';
        line[n++] = ' ';
    }
    n = escape(line, n, sizeof line, message);
    if (level > LOG_INFO || !repeats_take(line, n))
        put_line(line, n, 0);
}

uint64_t
log_dropped(void)
{
    return state.dropped;
}

void
log_clock(uint64_t (*mono_ns)(void))
{
    state.mono_ns = mono_ns ? mono_ns : clock_mono_ns;
}

const char *
log_key_id(const char *access_key_id)
{
    static char shown[8];
    /* A text of four characters or fewer would be shown whole. */
    bool long_enough = access_key_id && strnlen(access_key_id, 5) == 5;
    snprintf(shown, sizeof shown, "%.4s...", long_enough ? access_key_id : "");
    return shown;
}
