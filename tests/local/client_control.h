/* A client of voxring-local's control socket, and scratch folders. */
#ifndef TESTS_LOCAL_CLIENT_CONTROL_H
#define TESTS_LOCAL_CLIENT_CONTROL_H

#include <stdbool.h>
#include <cjson/cJSON.h>

/* Connects to the socket; -1 when it cannot. [any] */
int client_control_open(const char *path);

/* Sends the text as it is. [any] */
bool client_control_write(int fd, const char *text);

/* Reads one line of answer; NULL when the connection ended or nothing came for
 * 10 s. The caller deletes it. [any] */
cJSON *client_control_read(int fd);

/* One question on a connection of its own; NULL when there was no answer. The
 * caller deletes it. [any] */
cJSON *client_control_ask(const char *path, const char *line);

/* Removes a folder of files. [any] */
void client_control_remove_folder(const char *folder);

#endif
