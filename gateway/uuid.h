/* Random identifiers (RFC 9562, version 4). */
#ifndef GATEWAY_UUID_H
#define GATEWAY_UUID_H

#define UUID_TEXT_BYTES 37

/* Writes a fresh random id in its 36 character form and a NUL. Uses the
 * kernel's generator; aborts where the kernel has none. [any] */
void uuid_make(char text[UUID_TEXT_BYTES]);

#endif
