/* Points of time as others write them: HTTP's Date, and the expiry of
 * credentials. Strict, and free of the process's locale and time zone. */
#ifndef GATEWAY_BEDROCK_DATE_H
#define GATEWAY_BEDROCK_DATE_H

#include <stddef.h>
#include <stdint.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate of RFC 7231, 7.1.1.1) in ms
 * since 1970; 0 for anything else, a wrong day of the week and the obsolete
 * forms included, which no AWS service sends. `text` needs no NUL. [any] */
int64_t date_http_ms(const char *text, size_t bytes);

/* "2026-01-01T00:00:00Z" (RFC 3339) in ms since 1970, 0 for anything else. A
 * fraction of a second and a space for the T are taken; the zone, Z, +hh:mm or
 * +hhmm, must be there. [any] */
int64_t date_iso_ms(const char *text);

#endif
