/* Texts for the model that wait for the stream, and the callers that wait for
 * what comes of them. Sans-IO: the session sends and tells. */
#ifndef GATEWAY_SESSION_TEXTS_H
#define GATEWAY_SESSION_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/control/rpc.h"
#include "gateway/session/dialogue.h"

#define TEXTS_MAX 32
#define TEXTS_BYTES_MAX 40960 /* of one text: PROTOCOL 2.6's history limit */

struct text_entry {
    char *text;
    struct rpc_call *call; /* NULL: nobody waits */
    bool silent;           /* the gateway's own: a greeting */
    bool wait_response;
    bool known;      /* the history has it already */
    bool told;       /* the turn has it already: it is sent again */
    bool when_quiet; /* not while anybody speaks */
    bool sent;
    bool again; /* for the second time */
    uint64_t sent_ns;
    uint64_t deadline_ns;
    uint64_t response_id; /* 0: none has started since it was sent */
};

struct texts {
    struct text_entry entries[TEXTS_MAX];
    size_t count;
};

/* Keeps a copy. VR_LIMIT when too many wait, VR_NO_MEMORY. With a call, the
 * call is answered exactly once from here on. [loop] */
enum vr_status texts_add(struct texts *texts, const char *text, bool silent,
                         bool wait_response, uint64_t deadline_ns,
                         struct rpc_call *call) VR_NODISCARD;

/* Words of the user that the history has, not answered yet: they go first.
 * `told`: their turn has them, too, because they were spoken. [loop] */
enum vr_status texts_add_known(struct texts *texts, const char *text,
                               bool told) VR_NODISCARD;

/* The gateway's own, to be sent when nobody speaks. [loop] */
enum vr_status texts_add_quiet(struct texts *texts,
                               const char *text) VR_NODISCARD;

/* The first one not sent yet that may be sent, NULL if none; `quiet`: nobody
 * speaks. [loop] */
struct text_entry *texts_next(struct texts *texts, bool quiet);

/* The stream is lost: what was sent and not answered is sent again on the next,
 * once; who waits for one that is lost a second time gets an error. `begun` is
 * a response that had begun and was not heard, 0 if there is none: its text
 * counts as not answered. `accepted`: the endpoint had taken the stream; else
 * nobody has read what was sent, and that does not count. [loop] */
void texts_unsend(struct texts *texts, uint64_t begun, bool accepted);

/* Whether these words wait to be sent. [loop] */
bool texts_hold(const struct texts *texts, const char *text);

/* Whether some wait to be sent a second time. [loop] */
bool texts_again(const struct texts *texts);

/* Whether the model owes one of them an answer, sent less than `patience_ns`
 * ago. [loop] */
bool texts_awaiting(const struct texts *texts, uint64_t now_ns,
                    uint64_t patience_ns);

/* It went to the model: answers who waited for just that. It is kept until its
 * response comes, so that this is not taken for the next text's. [loop] */
void texts_sent(struct text_entry *entry, uint64_t now_ns);

/* It cannot be sent: answers who waited, and forgets it. [loop] */
void texts_refuse(struct texts *texts, struct text_entry *entry,
                  enum vr_status why);

/* A response started: it answers the oldest text that was sent and has none.
 * [loop] */
void texts_response_started(struct texts *texts, uint64_t response_id);

/* It ended: answers who waited for it. [loop] */
void texts_response_ended(struct texts *texts, const struct response *response);

/* Answers those whose time has passed; returns when the next one's has.
 * [loop] */
uint64_t texts_expire(struct texts *texts, uint64_t now_ns);

/* Answers everybody with an error and forgets all. [loop] */
void texts_fail(struct texts *texts, const char *why);

#endif
