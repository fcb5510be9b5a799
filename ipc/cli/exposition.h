/* Samples in Prometheus' text exposition format, version 0.0.4. */
#ifndef IPC_CLI_EXPOSITION_H
#define IPC_CLI_EXPOSITION_H

#include <stdbool.h>
#include <stdio.h>

/* Zeroed is empty. */
struct exposition {
    struct exposition_sample *samples;
    size_t count, room;
    bool incomplete; /* memory was out */
};

/* One sample, whose texts are copied. */
struct exposition_point {
    const char *family; /* any text: what no name may hold becomes '_' */
    const char *suffix; /* of a summary's parts, "_count"; else "" */
    const char *type;   /* counter, gauge, summary */
    const char *help;   /* a sentence; the family's first one counts */
    const char *labels; /* as exposition_label() writes them, "" if none */
    const char *origin; /* tells it from others, if they came to be the same */
    double value;
};

/* Writes NAME="VALUE", after a comma unless `first`; the value is escaped, what
 * is no UTF-8 or could control a terminal becomes '?'. [any] */
void exposition_label(FILE *out, bool first, const char *name,
                      const char *value);

/* Memory that is out is noted in `incomplete`. [any] */
void exposition_add(struct exposition *exposition,
                    const struct exposition_point *point);

/* Prints all of them, families together, in the order of their names. No two
 * lines have one name and the same labels: a second one gets a label
 * `origin`, one of the same origin is left out. What would be taken
 * for a part of a summary is shown in another family, NAME_value. [any] */
void exposition_print(struct exposition *exposition, FILE *out);

/* Frees everything; empty afterwards. [any] */
void exposition_fini(struct exposition *exposition);

#endif
