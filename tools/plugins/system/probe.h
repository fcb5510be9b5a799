/* What this machine says about itself. Each probe fills a sentence fit for
 * speech and the figures behind it; nothing is sent anywhere. */
#ifndef TOOLS_PLUGINS_SYSTEM_PROBE_H
#define TOOLS_PLUGINS_SYSTEM_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#define PROBE_TEXT_BYTES 512

/* Where to look; the plugin's config. */
struct probe_places {
    char disk[256];    /* a folder of the file system that matters */
    char thermal[256]; /* where thermal_zone* are */
};

/* Appends a sentence to `text` (PROBE_TEXT_BYTES of it) and figures to
 * `output`; false: this machine does not tell, and the sentence says so. All
 * of them may run on several threads at once. [any] */
typedef bool probe_fn(const struct probe_places *places, char *text,
                      cJSON *output);

/* How long it has been on. [any] */
bool probe_uptime(const struct probe_places *places, char *text, cJSON *output);
/* How busy its processors are. [any] */
bool probe_load(const struct probe_places *places, char *text, cJSON *output);
/* Memory in use. [any] */
bool probe_memory(const struct probe_places *places, char *text, cJSON *output);
/* Space on places->disk. [any] */
bool probe_disk(const struct probe_places *places, char *text, cJSON *output);
/* Network interfaces that are up, and their addresses. [any] */
bool probe_network(const struct probe_places *places, char *text,
                   cJSON *output);
/* The warmest of its sensors. [any] */
bool probe_temperature(const struct probe_places *places, char *text,
                       cJSON *output);

#endif
