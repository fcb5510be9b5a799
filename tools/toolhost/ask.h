/* Requests to the gateway, which a plugin's thread makes and waits for.
 *
 * The main thread sends them and brings the answers, so asking there would wait
 * for ever; no code of the plugin's runs on it. */
#ifndef TOOLS_TOOLHOST_ASK_H
#define TOOLS_TOOLHOST_ASK_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

/* Starts closed; one per process. False if memory is out. [any] */
bool ask_init(void);

/* From now on the gateway knows us and can be asked. [any] */
void ask_open(void);

/* Fails everyone who waits, and whoever asks from now on. [any] */
void ask_close(void);

/* Asks, and waits at most 5 s; at most 32 at once. Takes `params`. Returns the
 * result, the caller's to cJSON_Delete(), or NULL after writing a sentence to
 * `why`, which may be NULL. [any] but the main thread */
struct cJSON *ask(const char *method, struct cJSON *params, char *why,
                  size_t why_bytes);

/* An answer of the gateway's; one that nobody waits for is dropped. [any] */
void ask_answer(const struct cJSON *answer);

#endif
