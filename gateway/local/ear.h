/* Hears which of a closed list of phrases was spoken, by pocketsphinx.
 *
 * A pool holds the grammar and the pronunciations of its words; a decoder is
 * made when an utterance begins and no idle one is left, and goes back at its
 * end. Audio is decoded as it arrives, a few milliseconds of work per chunk,
 * so that one conversation's ear does not stop another's voice. All of it
 * runs on one thread. */
#ifndef GATEWAY_LOCAL_EAR_H
#define GATEWAY_LOCAL_EAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EAR_RATE_HZ 16000

struct ear_pool;
struct ear;

/* `phrases` are normalised (script_normalise()) and copied. NULL: `problem`
 * names the word no pronunciation is known for, the missing model, or that
 * no ear is built in. [loop] */
struct ear_pool *ear_pool_new(const char *const *phrases, size_t count,
                              char *problem, size_t problem_size);
/* Every ear must be closed. [loop] */
void ear_pool_free(struct ear_pool **pool);

/* Begins an utterance; NULL when no decoder can be made. [loop] */
struct ear *ear_open(struct ear_pool *pool);
/* Mono at EAR_RATE_HZ. [loop] */
void ear_feed(struct ear *ear, const int16_t *samples, size_t frames);
/* Ends the utterance: writes the phrase that was heard, "" for none of them.
 * Accepts NULL. [loop] */
void ear_close(struct ear **ear, char *heard, size_t heard_size);

#endif
