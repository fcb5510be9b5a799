/* Checks of single texts, named by rows of config.tbl.h: NULL if the text is
 * good, else what would be, "https://HOST or https://HOST:PORT". Static
 * storage. */
#ifndef GATEWAY_CONFIG_CHECK_H
#define GATEWAY_CONFIG_CHECK_H

typedef const char *(config_check_fn)(const char *text);

const char *config_check_region(const char *text);   /* [any] */
const char *config_check_endpoint(const char *text); /* [any] */
const char *config_check_ipc(const char *text);      /* [any] */
const char *config_check_absolute(const char *text); /* [any] */
const char *config_check_name(const char *text);     /* [any] */
const char *config_check_voice(const char *text);    /* [any] */
const char *config_check_log(const char *text);      /* [any] */

#endif
