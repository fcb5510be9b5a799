/* The document that a history_file holds:
 *
 *   {"voxring_history": 1, "conversation": ID, "saved": TIME, "extra": {...},
 *    "revision": N, "messages": [...]}      as history_to_json() shows them
 */
#ifndef GATEWAY_SESSION_HISTORY_DOCUMENT_H
#define GATEWAY_SESSION_HISTORY_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/session/history_import.h"
#include "gateway/uuid.h"
#include "ipc/status.h"

#define HISTORY_DOCUMENT_VERSION 1
#define HISTORY_DOCUMENT_BYTES_MAX (4u * 1024u * 1024u)
#define HISTORY_WHY_BYTES 768 /* room for every sentence about a file */

/* What is to be kept. */
struct history_state {
    const struct history *history;
    const char *conversation; /* its id; NULL: none */
    cJSON *extra;             /* an object of the session's own, which is taken
                               * over; may be NULL */
};

/* What was kept. */
struct history_loaded {
    struct history_import import;       /* for history_restore() */
    uint64_t revision;                  /* 0: nothing was kept */
    char conversation[UUID_TEXT_BYTES]; /* [A-Za-z0-9_-]; "": none */
    cJSON *extra;                       /* an object, owned; NULL: none */
    /* A damaged file was set aside: the sentence that says why, and where it
     * is now. "": no such thing. */
    char damaged[HISTORY_WHY_BYTES];
};

/* The document. Caller frees; NULL when memory is out. Takes `extra` over in
 * both cases. [any] */
cJSON *history_document_make(struct history_state *state);

/* Reads a document's text into `loaded`, which it fills but for `damaged`.
 * VR_CORRUPT, VR_VERSION, VR_NO_MEMORY: it is empty then, and `why` has a
 * phrase that says what is wrong. [any] */
enum vr_status history_document_parse(const char *text, size_t text_bytes,
                                      struct history_loaded *loaded, char *why,
                                      size_t why_size) VR_NODISCARD;

/* Frees and empties it. [any] */
void history_loaded_fini(struct history_loaded *loaded);

#endif
