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

/* The name of a provider of tools: 1 to 32 of A-Z, a-z, 0-9, _ and -. [any] */
const char *config_check_provider(const char *text);

/* The name of a tool, as the model takes it. [any] */
const char *config_check_tool(const char *text);

/* What may begin a tool's name. [any] */
const char *config_check_prefix(const char *text);

/* Where an MCP server listens: https://, or http:// to this machine, without a
 * user's name. What it returns does not quote the text. [any] */
const char *config_check_url(const char *text);

/* Levels, as log_levels() takes them. [any] */
const char *config_check_log(const char *text);

#endif
