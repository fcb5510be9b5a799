/* The gateway's figures in Prometheus' text format. */
#ifndef IPC_CLI_PROMETHEUS_H
#define IPC_CLI_PROMETHEUS_H

#include <stdbool.h>
#include <stdio.h>

#include <cjson/cJSON.h>

/* Prints what gateway.stats answered: every number in it, known to
 * prometheus.tbl.h or not, in base units. False if memory was out; what could
 * be had is printed all the same. [any] */
bool prometheus_print(const cJSON *stats, FILE *out);

#endif
