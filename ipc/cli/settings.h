/* Settings and messages as people give them: JSON with comments, in a file or
 * on the command line, or KEY=VALUE. */
#ifndef IPC_CLI_SETTINGS_H
#define IPC_CLI_SETTINGS_H

#include <cjson/cJSON.h>

#include "ipc/cli/command.h"

/* Reads an object of settings from `given`: JSON itself if it begins with a
 * brace, else the name of a file, "-" for standard input. *settings is the
 * caller's, by cJSON_Delete(). Otherwise *settings is NULL, and CLI_USAGE,
 * CLI_FAILED or CLI_INTERRUPTED after a line on stderr that names `option`, or
 * the file, and the line in it. [any] */
int settings_read(const struct cli *cli, const char *option, const char *given,
                  cJSON **settings);

/* The same for messages of a history: an array, or an object whose `messages`
 * is one, as session.history answers. JSON itself begins with a bracket or a
 * brace. [any] */
int settings_read_messages(const struct cli *cli, const char *option,
                           const char *given, cJSON **messages);

/* Adds to an object what one argument says: JSON's members if it begins with a
 * brace, else KEY=VALUE. A dot in KEY parts objects: speech.hangover_ms=400.
 * VALUE is JSON if it can be read as such, @FILE a text in a file, else itself
 * a text. CLI_DONE, otherwise as settings_read(); no key may be given twice.
 * [any] */
int settings_assign(const struct cli *cli, cJSON *settings,
                    const char *argument);

#endif
