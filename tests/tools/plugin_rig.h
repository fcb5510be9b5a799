/* Runs plugins in a test's own process, with a host of the test's own that
 * holds each completion to the contract: one for each call, and a JSON object.
 * Plugins come from $VOXRING_BUILD/plugins ("build" if not set). */
#ifndef TESTS_TOOLS_PLUGIN_RIG_H
#define TESTS_TOOLS_PLUGIN_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "tools/voxring_tool.h"

/* The plugin of that name; fails the test if it cannot be loaded. */
const struct voxring_plugin *rig_load(const char *name);

/* Runs init with that config; `why` is 400 bytes. */
int rig_init(const struct voxring_plugin *plugin, const char *config,
             char *why);

/* The same, and fails the test if the plugin refuses. */
void rig_start(const struct voxring_plugin *plugin, const char *config);

/* Begins a call; returns its token. */
uint64_t rig_begin(const struct voxring_plugin *plugin, const char *tool,
                   const char *session, const char *input);

/* Waits for the call's end, which must have that status; the object, to be
 * deleted. */
cJSON *rig_end(uint64_t token, int status);

/* Both. */
cJSON *rig_ask(const struct voxring_plugin *plugin, const char *tool,
               const char *input, int status);

/* Both, and the text must have `words` in it: "text" of a result, "error" of
 * an error. */
void rig_expect(const struct voxring_plugin *plugin, const char *tool,
                const char *input, int status, const char *words);

/* The text of a member; fails the test if it has none. */
const char *rig_text(const cJSON *object, const char *name);

/* Whether a call has been completed. */
bool rig_is_over(uint64_t token);

/* From now on nobody waits for this call; 0: for no call at all, until
 * rig_uncancel(). */
void rig_cancel(uint64_t token);
void rig_uncancel(void);

/* How often the call told its progress; waits until it is at least `least`. */
unsigned rig_progress(uint64_t token, unsigned least);

/* What publish() returns from now on. */
void rig_publish_returns(int value);

/* Waits for the next event that was published, in order: its token into
 * *token, its data, to be deleted. */
cJSON *rig_event(const char *name, uint64_t *token);

/* How many events nobody has taken with rig_event(). */
unsigned rig_events(void);

/* Starts a program that ends with the test and reads the first line it writes
 * into `line`. */
pid_t rig_spawn(char *const args[], char *line, size_t line_bytes);

/* Ends what rig_spawn() started. */
void rig_kill(pid_t pid);

#endif
