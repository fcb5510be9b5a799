#include "gateway/bedrock/sigv4.h"

#include <string.h>

#include "gateway/bedrock/text.h"

static void
put_digits(char *at, int64_t value, int digits)
{
    while (digits--) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void
sigv4_date(int64_t wall_ms, char text[SIGV4_DATE_BYTES])
{
    static const int64_t last_s = 253402300799; /* the end of 9999 */
    int64_t s = wall_ms < 0 ? 0 : wall_ms / 1000;
    int64_t days, day_of_era, year_of_era, day_of_year, month, year;

    s = s > last_s ? last_s : s;
    /* Days since 0000-03-01, in the one era of 400 years at a time; a year
     * that begins in March has its leap day at its end. */
    days = s / 86400 + 719468;
    day_of_era = days % 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                   day_of_era / 146096) /
                  365;
    day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153;
    year = year_of_era + days / 146097 * 400 + (month >= 10);
    put_digits(text, year, 4);
    put_digits(text + 4, month < 10 ? month + 3 : month - 9, 2);
    put_digits(text + 6, day_of_year - (153 * month + 2) / 5 + 1, 2);
    text[8] = 'T';
    put_digits(text + 9, s % 86400 / 3600, 2);
    put_digits(text + 11, s % 3600 / 60, 2);
    put_digits(text + 13, s % 60, 2);
    text[15] = 'Z';
    text[16] = '\0';
}

size_t
sigv4_scope(const char date[SIGV4_DATE_BYTES], const char *region,
            const char *service, char *scope, size_t size)
{
    struct text text = {.at = scope, .size = size};

    text_bytes(&text, date, 8);
    text_char(&text, '/');
    text_string(&text, region);
    text_char(&text, '/');
    text_string(&text, service);
    text_string(&text, "/aws4_request");
    text_bytes(&text, "", 1);
    return text.over ? 0 : text.used - 1;
}

static void
put_hash(struct text *text, const uint8_t hash[DIGEST_BYTES])
{
    char hex[DIGEST_HEX_CHARS];

    digest_hex(hash, hex);
    text_bytes(text, hex, sizeof hex);
}

static void
put_string_head(struct text *text, const char *algorithm, const char *date,
                const char *scope)
{
    text_string(text, algorithm);
    text_char(text, '\n');
    text_bytes(text, date, SIGV4_DATE_BYTES - 1);
    text_char(text, '\n');
    text_string(text, scope);
    text_char(text, '\n');
}

size_t
sigv4_request_string(const char date[SIGV4_DATE_BYTES], const char *scope,
                     const uint8_t request_hash[DIGEST_BYTES], char *out,
                     size_t size)
{
    struct text text = {.at = out, .size = size};

    put_string_head(&text, "AWS4-HMAC-SHA256", date, scope);
    put_hash(&text, request_hash);
    return text.over ? 0 : text.used;
}

size_t
sigv4_chunk_string(const char date[SIGV4_DATE_BYTES], const char *scope,
                   const char *prior, size_t prior_chars,
                   const uint8_t headers_hash[DIGEST_BYTES],
                   const uint8_t payload_hash[DIGEST_BYTES], char *out,
                   size_t size)
{
    struct text text = {.at = out, .size = size};

    put_string_head(&text, "AWS4-HMAC-SHA256-PAYLOAD", date, scope);
    text_bytes(&text, prior, prior_chars);
    text_char(&text, '\n');
    put_hash(&text, headers_hash);
    text_char(&text, '\n');
    put_hash(&text, payload_hash);
    return text.over ? 0 : text.used;
}

void
sigv4_key(const char *aws4_secret, const char date[SIGV4_DATE_BYTES],
          const char *region, const char *service, uint8_t key[DIGEST_BYTES])
{
    static const char last[] = "aws4_request";

    digest_hmac(aws4_secret, strlen(aws4_secret), date, 8, key);
    digest_hmac(key, DIGEST_BYTES, region, strlen(region), key);
    digest_hmac(key, DIGEST_BYTES, service, strlen(service), key);
    digest_hmac(key, DIGEST_BYTES, last, sizeof last - 1, key);
}
