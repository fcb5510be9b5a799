/* A conversation that is asked to end by what a tool does: not before the
 * robot has said its last words, and not much later. */
#ifndef GATEWAY_SESSION_ENDING_H
#define GATEWAY_SESSION_ENDING_H

#include <stdbool.h>
#include <stdint.h>

/* The tool that the model itself can end a conversation with. */
#define ENDING_TOOL "end_conversation"
#define ENDING_TOOL_WHAT                                                     \
    "Ends this conversation. Use it when the user has said goodbye or asks " \
    "you to stop; say goodbye in one short sentence."
#define ENDING_TOOL_SCHEMA "{\"type\":\"object\",\"properties\":{}}"

/* How long the last words may take when nobody says. */
#define ENDING_WITHIN_MS 30000u
#define ENDING_WITHIN_MAX_MS 600000u
#define ENDING_WHY_BYTES 256

struct session;

struct ending {
    bool active;
    bool withdrawable; /* what the user says before it withdraws it */
    uint64_t deadline_ns;
    uint64_t quiet_ns;     /* since when nothing is said any more; 0: it is */
    uint64_t turn_id;      /* the newest turn when it was asked for */
    uint64_t audio_events; /* what was said before the tool had answered */
    char why[ENDING_WHY_BYTES];
};

/* Asks for the end: when the response that follows has been played, at most
 * `within_ms` later. `reason` is told with it, NULL for none. An earlier one is
 * not put off, and one that cannot be withdrawn stays so. [loop] */
void ending_begin(struct session *session, uint32_t within_ms,
                  bool withdrawable, const char *reason);

/* Ends the conversation if it is time: a session that sleeps between
 * conversations (mode) goes to sleep, another is closed. [loop] */
void ending_tick(struct session *session, uint64_t now_ns);

/* When to look again, UINT64_MAX for never. [loop] */
uint64_t ending_deadline_ns(const struct session *session);

#endif
