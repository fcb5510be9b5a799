/* application/vnd.amazon.eventstream: the binary framing, both ways, sans-IO
 * (PROTOCOL 9.3 to 9.6; limits 9.5). */
#ifndef GATEWAY_BEDROCK_EVENTSTREAM_H
#define GATEWAY_BEDROCK_EVENTSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/signer.h"
#include "ipc/status.h"

enum eventstream_type {
    EVENTSTREAM_TRUE = 0,
    EVENTSTREAM_FALSE = 1,
    EVENTSTREAM_INT8 = 2,
    EVENTSTREAM_INT16 = 3,
    EVENTSTREAM_INT32 = 4,
    EVENTSTREAM_INT64 = 5,
    EVENTSTREAM_BYTES = 6,
    EVENTSTREAM_STRING = 7,
    EVENTSTREAM_TIMESTAMP = 8,
    EVENTSTREAM_UUID = 9
};

/* One header; pointers go into the message, nothing is NUL-terminated. */
struct eventstream_header {
    const char *name;
    uint8_t name_bytes;
    uint8_t type; /* enum eventstream_type */
    uint16_t value_bytes;
    const uint8_t *value; /* as on the wire, big endian */
};

#define EVENTSTREAM_HEADERS_MAX 64

/* The format's limits, refused on both ways. */
#define EVENTSTREAM_OVERHEAD_BYTES 16
#define EVENTSTREAM_HEADERS_BYTES_MAX (128 * 1024)
#define EVENTSTREAM_PAYLOAD_BYTES_MAX (16 * 1024 * 1024)
#define EVENTSTREAM_VALUE_BYTES_MAX 32767
#define EVENTSTREAM_MESSAGE_BYTES_MAX                             \
    (EVENTSTREAM_OVERHEAD_BYTES + EVENTSTREAM_HEADERS_BYTES_MAX + \
     EVENTSTREAM_PAYLOAD_BYTES_MAX)

/* Bedrock's limit for the JSON in one chunk. */
#define EVENTSTREAM_EVENT_BYTES_MAX 1000000

struct eventstream_message {
    struct eventstream_header headers[EVENTSTREAM_HEADERS_MAX];
    size_t header_count;
    const uint8_t *payload;
    size_t payload_bytes;
};

/* Finds a header by name; NULL if absent. [rt] */
const struct eventstream_header *
eventstream_find(const struct eventstream_message *message, const char *name);

/* Whether a string header equals `text`, ASCII case ignored. [rt] */
bool eventstream_header_is(const struct eventstream_header *header,
                           const char *text);

/* ---- decoding ---- */

struct eventstream_decoder;

/* Called for each whole message; its pointers live until it returns. */
typedef void(eventstream_message_fn)(void *arg,
                                     const struct eventstream_message *message);

/* `limit_bytes` is the largest message accepted (0: the format's own limit); a
 * prelude that announces more is refused at once, before any of it is kept.
 * NULL when memory is out. [loop] */
struct eventstream_decoder *eventstream_decoder_new(size_t limit_bytes);
void eventstream_decoder_free(struct eventstream_decoder **decoder);

/* Takes bytes as they come, split anywhere; calls `on_message` for each
 * message that is whole. `on_message` must not decode with or free the same
 * decoder. VR_CORRUPT, VR_LIMIT or VR_NO_MEMORY is final: every later call
 * returns the same, and eventstream_decoder_error() says what was wrong and at
 * which byte of the stream. No more is kept than the message in progress;
 * messages that arrive whole are not copied. [loop] */
enum vr_status eventstream_decode(struct eventstream_decoder *decoder,
                                  const uint8_t *bytes, size_t count,
                                  eventstream_message_fn *on_message,
                                  void *arg) VR_NODISCARD;

/* True in the middle of a message: an end of stream now is a cut. [loop] */
bool eventstream_decoder_midway(const struct eventstream_decoder *decoder);

/* What was wrong, "" as long as nothing was. Lives as long as the decoder.
 * [loop] */
const char *
eventstream_decoder_error(const struct eventstream_decoder *decoder);

/* ---- encoding ---- */

/* Room that eventstream_encode_event() needs for a JSON event. [rt] */
size_t eventstream_event_bound(size_t json_bytes);

/* Room of the final, empty frame. */
#define EVENTSTREAM_END_BYTES 83

/* Writes the signed outer frame that carries one JSON event: base64 inside
 * {"bytes":"..."} inside an inner message inside a signed message, built in
 * place. Returns its size, 0 if `capacity` is below eventstream_event_bound()
 * or the event above EVENTSTREAM_EVENT_BYTES_MAX (the chain is then
 * untouched). Allocates nothing. [rt] */
size_t eventstream_encode_event(struct signer *signer, int64_t date_ms,
                                const char *json, size_t json_bytes,
                                uint8_t *out, size_t capacity);

/* The encoded headers of an inner message, for clients that order or name them
 * otherwise; at most 256 bytes are taken. */
struct eventstream_block {
    const uint8_t *bytes;
    size_t count;
};

/* eventstream_encode_event() with other inner headers. The room needed is
 * eventstream_event_bound() plus 256. [rt] */
size_t eventstream_encode_event_headed(struct signer *signer, int64_t date_ms,
                                       struct eventstream_block headers,
                                       const char *json, size_t json_bytes,
                                       uint8_t *out, size_t capacity);

/* Writes the signed empty frame that ends the stream; same returns. [rt] */
size_t eventstream_encode_end(struct signer *signer, int64_t date_ms,
                              uint8_t *out, size_t capacity);

/* Writes one plain, unsigned message; the inverse of decoding. 0 if it does
 * not fit, breaks a limit or has a header that no decoder takes. [any] */
size_t eventstream_encode(const struct eventstream_header *headers,
                          size_t header_count, const uint8_t *payload,
                          size_t payload_bytes, uint8_t *out, size_t capacity);

/* ---- payload ---- */

/* Decodes the payload of a response chunk, {"bytes":"<base64>", ...}, into
 * `out` (at least payload_bytes long, not overlapping) without a general JSON
 * parser: other members (such as the padding "p") of any type are checked and
 * skipped. Returns the size of the JSON event, or -1 if the payload is not one
 * whole JSON object, nests deeper than 64, or has no "bytes" that is a string
 * of strict base64. [rt] */
long eventstream_payload_decode(const uint8_t *payload, size_t payload_bytes,
                                uint8_t *out);

#endif
