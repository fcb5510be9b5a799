/* Which events of the bus were lost: the last sequence of each topic, compared
 * with what comes next and with what heartbeats say. */
#ifndef IPC_CLI_LEDGER_H
#define IPC_CLI_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Topics that are watched; more are not. */
#define LEDGER_TOPICS_MAX 4096
#define LEDGER_TOPIC_BYTES 128
#define LEDGER_EPOCH_BYTES 64

struct ledger;

/* NULL when out of memory. [any] */
struct ledger *ledger_new(void);

/* [any] */
void ledger_free(struct ledger **ledger);

/* The gateway's run: another one than before forgets every sequence. True if
 * there was another before. [any] */
bool ledger_epoch(struct ledger *ledger, const char *epoch);

/* An event came. Returns how many of its topic were lost before it: 0 for the
 * first of a topic that no heartbeat told of. [any] */
uint64_t ledger_event(struct ledger *ledger, const char *topic,
                      uint64_t sequence);

/* A heartbeat says that the last event of a topic was `sequence`; everything
 * up to there was sent before. Returns how many of them were lost. [any] */
uint64_t ledger_heartbeat(struct ledger *ledger, const char *topic,
                          uint64_t sequence);

/* The first whole heartbeat is where an account begins: topics that are not in
 * it begin at 1 from now on. [any] */
void ledger_heartbeat_done(struct ledger *ledger, bool complete);

#endif
