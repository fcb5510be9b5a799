#include "tools/plugins/agent_search/agent.h"

#include <stdio.h>
#include <string.h>

#define CARD_NS 600000000000u

void
agent_init(struct agent *agent, const struct agent_settings *settings,
           unsigned number)
{
    memset(agent, 0, sizeof *agent);
    pthread_mutex_init(&agent->lock, NULL);
    agent->settings = settings;
    agent->number = number;
}

void
agent_fini(struct agent *agent)
{
    pthread_mutex_destroy(&agent->lock);
}

void
agent_forget_card(struct agent *agent)
{
    pthread_mutex_lock(&agent->lock);
    agent->card_ns = 0;
    pthread_mutex_unlock(&agent->lock);
}

static bool
known_card(struct agent *agent, struct card *card)
{
    bool known;

    pthread_mutex_lock(&agent->lock);
    known = agent->card_ns != 0 && exchange_now_ns() - agent->card_ns < CARD_NS;
    if (known)
        *card = agent->card;
    pthread_mutex_unlock(&agent->lock);
    return known;
}

static void
keep_card(struct agent *agent, const struct card *card)
{
    pthread_mutex_lock(&agent->lock);
    agent->card = *card;
    agent->card_ns = exchange_now_ns();
    pthread_mutex_unlock(&agent->lock);
}

/* A card of status 200 is read; anything else is no card, and why. */
static enum exchange_end
read_card(const struct exchange_response *response, const char *url,
          struct card *card, char *why, size_t why_bytes)
{
    char fault[400];

    if (response->end == EXCHANGE_STOPPED || response->end == EXCHANGE_LATE)
        return response->end;
    if (response->end == EXCHANGE_FAILED)
        snprintf(why, why_bytes, "its card at %s cannot be fetched: %s", url,
                 response->why);
    else if (response->status == 401 || response->status == 403)
        snprintf(why, why_bytes,
                 "its card at %s wants credentials (HTTP %ld), which belong "
                 "into headers_file",
                 url, response->status);
    else if (response->status != 200)
        snprintf(
            why, why_bytes,
            "there is no card at %s (HTTP %ld); see card_url in the config",
            url, response->status);
    else if (card_read(card, response->body ? response->body : "",
                       response->body_bytes, fault, sizeof fault))
        return EXCHANGE_DONE;
    else
        snprintf(why, why_bytes, "its card %s", fault);
    return EXCHANGE_FAILED;
}

/* One try to get the card at a URL. *is_missing tells that another may help. */
static enum exchange_end
fetch_card(struct exchange *exchange, const struct exchange_request *request,
           const char *url, struct card *card, bool *is_missing, char *why,
           size_t why_bytes)
{
    struct exchange_request get = *request;
    struct exchange_response response;
    enum exchange_end end;

    get.url = url;
    get.body = NULL;
    get.on_event = NULL;
    exchange_run(exchange, &get, &response);
    end = read_card(&response, url, card, why, why_bytes);
    *is_missing = response.end == EXCHANGE_DONE && response.status == 404;
    exchange_response_fini(&response);
    return end;
}

enum exchange_end
agent_card(struct agent *agent, struct exchange *exchange,
           const struct exchange_request *request, struct card *card, char *why,
           size_t why_bytes)
{
    /* the second is its name before 0.3 */
    static const char *const names[] = {"agent-card.json", "agent.json"};
    const char *at = agent->settings->url;
    enum exchange_end end = EXCHANGE_FAILED;
    char url[ADDRESS_BYTES + 40];
    bool is_missing = true;

    if (known_card(agent, card))
        return EXCHANGE_DONE;
    if (agent->settings->is_card_url) {
        end = fetch_card(exchange, request, at, card, &is_missing, why,
                         why_bytes);
    } else {
        for (size_t i = 0; i < 2 && is_missing; i++) {
            address_well_known(at, names[i], url, sizeof url);
            end = fetch_card(exchange, request, url, card, &is_missing, why,
                             why_bytes);
        }
        if (is_missing)
            snprintf(why, why_bytes,
                     "there is no card below %s/.well-known/ (HTTP 404); see "
                     "url in the config",
                     at);
    }
    if (end == EXCHANGE_DONE)
        keep_card(agent, card);
    return end;
}
