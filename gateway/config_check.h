/* Checks of single texts, named by rows of config.tbl.h: NULL if the text is
 * good, else what would be, "https://HOST or https://HOST:PORT". Static
 * storage. */
#ifndef GATEWAY_CONFIG_CHECK_H
#define GATEWAY_CONFIG_CHECK_H

typedef const char *(config_check_fn)(const char *text);

/* An AWS region's code. [any] */
const char *config_check_region(const char *text);

/* An https:// address without a path. [any] */
const char *config_check_endpoint(const char *text);

/* An ipc:// address. [any] */
const char *config_check_ipc(const char *text);

/* A path that begins with a slash. [any] */
const char *config_check_absolute(const char *text);

/* A session's name, as config_name_valid(). [any] */
const char *config_check_name(const char *text);

/* A voice's id. [any] */
const char *config_check_voice(const char *text);

/* Levels, as log_levels() takes them. [any] */
const char *config_check_log(const char *text);

#endif
