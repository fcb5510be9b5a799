/* How a stream is begun: settings and tools, then what was said so far, then
 * what is to be answered first. */
#ifndef GATEWAY_SESSION_OPENING_H
#define GATEWAY_SESSION_OPENING_H

#include "gateway/session/leg.h"
#include "gateway/session/report.h"
#include "ipc/status.h"

struct session;

/* Puts sessionStart, promptStart and the system prompt into the leg's outbox;
 * they are not sent yet. VR_LIMIT: the endpoint would not take one for its
 * size. [loop] */
enum vr_status opening_head(struct session *session,
                            struct leg *leg) VR_NODISCARD;

/* Puts the history and the start of the audio there, as session->replay says,
 * and queues the texts that are to be answered first. `news` gets what was put
 * there. [loop] */
enum vr_status opening_tail(struct session *session, struct leg *leg,
                            struct stream_news *news) VR_NODISCARD;

/* Says what went wrong with one of these. [loop] */
void opening_failed(struct session *session, enum vr_status status,
                    bool goes_on);

#endif
