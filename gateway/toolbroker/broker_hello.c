/* Who may offer tools to a broker without being its child. */
#include "gateway/toolbroker/broker_internal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/remote.h"
#include "gateway/toolbroker/tool_content.h"

/* Hellos a second of processes that are no workers yet; further ones are not
 * read: who is not answered says hello again. */
#define HELLOS_MAX 100
/* Refusals a second that are logged and told. */
#define REFUSALS_TOLD_MAX 5

#define NAME_MAX_BYTES 32
#define TOKEN_MAX_BYTES 4096

struct hello {
    struct broker *broker;
    const struct worker_message *message;
    char why[700];
};

static bool refuse(struct hello *h, const char *format, ...) VR_PRINTF(2, 3);

static bool
refuse(struct hello *h, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(h->why, sizeof h->why, format, args);
    va_end(args);
    return false;
}

static bool
has_good_name(struct hello *h)
{
    const char *name = h->message->name;
    size_t n = strlen(name);

    if (n >= 1 && n <= NAME_MAX_BYTES &&
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "abcdefghijklmnopqrstuvwxyz0123456789_-") == n)
        return true;
    return refuse(h,
                  "A worker's name must be 1 to %d of A-Z a-z 0-9 _ -; this "
                  "one is \"%.40s\"",
                  NAME_MAX_BYTES, name);
}

static bool
speaks_protocol(struct hello *h)
{
    if (h->message->protocol == WORKER_PROTOCOL)
        return true;
    return refuse(h,
                  "The worker %s speaks worker protocol %d, this gateway %d; "
                  "install both from one version of voxring",
                  h->message->name, h->message->protocol, WORKER_PROTOCOL);
}

static bool
is_listed(const struct config_providers *rules, const char *name)
{
    for (size_t i = 0; rules && i < rules->count; i++) {
        if (strcmp(rules->items[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool
is_accepted(struct hello *h)
{
    const struct broker *b = h->broker;
    const char *name = h->message->name;

    if (b->workers_accept == CONFIG_ACCEPT_NONE)
        return refuse(h,
                      "The worker %s is not taken: workers.accept is none; "
                      "set it to listed or any",
                      name);
    if (b->workers_accept == CONFIG_ACCEPT_LISTED &&
        !is_listed(b->context.worker_rules, name))
        return refuse(h,
                      "The worker %s is not taken: workers.accept is listed, "
                      "and workers.rules has no entry %s",
                      name, name);
    return true;
}

static bool
has_own_name(struct hello *h)
{
    const char *name = h->message->name;
    const struct provider *p = broker_provider(h->broker, name);

    if (p && p->kind == BROKER_PROVIDER_BUILTIN)
        return refuse(h,
                      "The worker %s has the name of a tool of the gateway "
                      "itself; give it another one",
                      name);
    if (p && p->kind != BROKER_PROVIDER_WORKER)
        return refuse(h,
                      "The worker %s has the name of the %s %.300s; give it "
                      "another one",
                      name, provider_kind_noun(p->kind), provider_source(p));
    if (is_listed(h->broker->context.mcp, name))
        return refuse(h,
                      "The worker %s has the name of the MCP server mcp.%s; "
                      "give it another one",
                      name, name);
    return true;
}

/* The content of a token file without its newline; 0 bytes if there is none
 * that can be used. */
static size_t
read_token(const char *path, char token[TOKEN_MAX_BYTES + 2])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    ssize_t n = -1;

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = read(fd, token, TOKEN_MAX_BYTES + 1);
    close(fd);
    if (n < 0 || n > TOKEN_MAX_BYTES)
        return 0;
    while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
        n--;
    token[n] = '\0';
    return (size_t)n;
}

/* Takes as long for a nearly right token as for a wrong one. */
static bool
is_same(const char *token, size_t bytes, const char *told)
{
    size_t told_bytes = strlen(told);
    unsigned char difference = told_bytes != bytes;

    for (size_t i = 0; i < bytes; i++)
        difference |= (unsigned char)(token[i] ^ told[told_bytes > i ? i : 0]);
    return difference == 0;
}

static bool
has_token(struct hello *h)
{
    const struct config_providers *rules = h->broker->context.worker_rules;
    const struct config_provider *rule =
        rules ? config_provider_find(rules, h->message->name) : NULL;
    const char *told = h->message->token ? h->message->token : "";
    char token[TOKEN_MAX_BYTES + 2];
    size_t bytes;

    if (!rule || !rule->token_file)
        return true;
    bytes = read_token(rule->token_file, token);
    if (bytes == 0)
        return refuse(h,
                      "The worker %s cannot be checked: %.200s is no file of 1 "
                      "to %d bytes that this gateway can read; mend it, or "
                      "workers.rules.%s.token_file",
                      h->message->name, rule->token_file, TOKEN_MAX_BYTES,
                      rule->name);
    if (is_same(token, bytes, told))
        return true;
    return refuse(h,
                  "The worker %s %s; let it send the content of the file that "
                  "workers.rules.%s.token_file names",
                  h->message->name,
                  told[0] ? "has a wrong token" : "sent no token", rule->name);
}

static bool
is_able(struct hello *h)
{
    if (!h->message->text)
        return true;
    return refuse(h, "The worker %s cannot work, as it says itself: %.400s",
                  h->message->name, h->message->text);
}

/* ---- room ---------------------------------------------------------------- */

static size_t
count_workers(const struct provider *p)
{
    size_t count = 0;

    for (const struct worker *w = p->workers; w; w = w->next)
        count++;
    return count;
}

/* Frees a worker that is dead, of any name. False if there is none. */
static bool
forget_a_dead_one(struct broker *b)
{
    for (struct provider *p = b->providers; p; p = p->next) {
        if (p->kind == BROKER_PROVIDER_WORKER && !p->leaving &&
            remote_forget_dead(p))
            return true;
    }
    return false;
}

static size_t
count_all_workers(const struct broker *b, size_t *names)
{
    size_t count = 0;

    *names = 0;
    for (const struct provider *p = b->providers; p; p = p->next) {
        if (p->kind != BROKER_PROVIDER_WORKER || p->leaving)
            continue;
        ++*names;
        count += count_workers(p);
    }
    return count;
}

static bool
has_room(struct hello *h)
{
    struct broker *b = h->broker;
    const char *name = h->message->name;
    struct provider *p;
    size_t names;

    while (count_all_workers(b, &names) >= REMOTE_WORKERS_MAX) {
        if (!forget_a_dead_one(b))
            return refuse(h,
                          "The worker %s is not taken: there are %d already; "
                          "stop some",
                          name, REMOTE_WORKERS_MAX);
    }
    p = broker_provider(b, name);
    while (p && count_workers(p) >= REMOTE_SHARERS_MAX) {
        if (!remote_forget_dead(p))
            return refuse(h,
                          "The worker %s is not taken: %d of that name are "
                          "there already; stop some",
                          name, REMOTE_SHARERS_MAX);
    }
    if (!p && names >= REMOTE_PROVIDERS_MAX)
        return refuse(h,
                      "The worker %s is not taken: there are workers of %d "
                      "names already; stop some",
                      name, REMOTE_PROVIDERS_MAX);
    return true;
}

/* ---- the hello ----------------------------------------------------------- */

static bool
is_welcome(struct hello *h)
{
    static bool (*const checks[])(struct hello * h) = {
        has_good_name, speaks_protocol, is_accepted, has_own_name,
        has_token,     is_able,         has_room,
    };

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i](h))
            return false;
    }
    return true;
}

static void
turn_away(struct hello *h, const struct router_peer *peer)
{
    struct broker *b = h->broker;

    b->counters.refused_workers_total++;
    broker_answer(
        b, peer,
        worker_message_error(h->message->id, WORKER_ERROR_REFUSED, h->why));
    if (!provider_rate_take(&b->refusals, REFUSALS_TOLD_MAX, clock_mono_ns()))
        return;
    log_warn(tools, NULL, "a worker was refused: %s", h->why);
    broker_notice(b, BROKER_REFUSED, BROKER_PROVIDER_WORKER, h->message->name,
                  NULL, h->why);
}

static struct provider *
provider_for(struct broker *b, const char *name)
{
    struct provider *p = broker_provider(b, name);

    if (p)
        return p;
    p = remote_new(&b->context, name);
    if (!p)
        return NULL;
    broker_insert(b, p);
    return p;
}

void
broker_hello(struct broker *b, const struct router_peer *peer,
             const struct worker_message *m)
{
    struct hello h = {.broker = b, .message = m};
    struct provider *p;

    if (b->closing ||
        !provider_rate_take(&b->hellos, HELLOS_MAX, clock_mono_ns()))
        return;
    if (!is_welcome(&h)) {
        turn_away(&h, peer);
        return;
    }
    if (b->closing)
        return;
    p = provider_for(b, m->name);
    if (!p || remote_join(p, peer, m) != VR_OK)
        log_error(tools, m->name, "a worker was not taken: out of memory");
}

struct provider *
broker_catch_all(const struct broker *b, const char *name)
{
    size_t bytes = strlen(name);

    if (bytes == 0 || bytes > TOOL_NAME_MAX_BYTES ||
        !tool_content_is_utf8(name, bytes))
        return NULL;
    for (struct provider *p = b->providers; p; p = p->next) {
        if (p->kind == BROKER_PROVIDER_WORKER && !p->leaving &&
            remote_catches_all(p))
            return p;
    }
    return NULL;
}

bool
broker_takes(const struct broker *b, const char *name)
{
    return broker_find(b, name) || broker_catch_all(b, name);
}
