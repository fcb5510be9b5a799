#include "tests/local/client_signer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/local/options.h"

#define STREAMING "STREAMING-AWS4-HMAC-SHA256-EVENTS"

int64_t
client_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
hex_of(const uint8_t *digest, char text[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static void
sha_hex(const void *data, size_t count, char text[65])
{
    uint8_t digest[32];
    SHA256(data, count, digest);
    hex_of(digest, text);
}

static void
mac(const void *key, size_t key_bytes, const char *text, uint8_t out[32])
{
    unsigned size;
    uint8_t result[32];
    HMAC(EVP_sha256(), key, (int)key_bytes, (const uint8_t *)text, strlen(text),
         result, &size);
    memcpy(out, result, 32);
}

static void
sign_text(const struct client_signer *s, const char *day, const char *text,
          char signature[65])
{
    char start[128];
    uint8_t key[32];
    snprintf(start, sizeof(start), "AWS4%s", s->secret);
    mac(start, strlen(start), day, key);
    mac(key, 32, s->region, key);
    mac(key, 32, s->service, key);
    mac(key, 32, "aws4_request", key);
    mac(key, 32, text, key);
    hex_of(key, signature);
}

static void
stamp(int64_t wall_ms, char text[17], char day[9])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, 17, "%Y%m%dT%H%M%SZ", &parts);
    snprintf(day, 9, "%.8s", text);
}

void
client_signer_init(struct client_signer *signer)
{
    *signer =
        (struct client_signer){.access_key_id = OPTIONS_TEST_ACCESS_KEY_ID,
                               .secret = OPTIONS_TEST_SECRET_ACCESS_KEY,
                               .region = "us-east-1",
                               .service = "bedrock"};
}

void
client_request_set(struct client_request *request, const char *name,
                   const char *value)
{
    size_t i = 0;
    while (i < request->header_count &&
           strcmp(request->headers[i].name, name) != 0)
        i++;
    if (value == NULL) {
        if (i < request->header_count)
            request->headers[i] = request->headers[--request->header_count];
        return;
    }
    if (i == request->header_count)
        request->header_count++;
    snprintf(request->headers[i].name, sizeof(request->headers[i].name), "%s",
             name);
    snprintf(request->headers[i].value, sizeof(request->headers[i].value), "%s",
             value);
}

void
client_request_init(struct client_request *request, const char *model, int port,
                    int64_t wall_ms, const struct client_signer *signer)
{
    char time[17], day[9];
    *request = (struct client_request){.method = "POST"};
    snprintf(request->path, sizeof(request->path),
             "/model/%s/invoke-with-bidirectional-stream", model);
    snprintf(request->authority, sizeof(request->authority), "127.0.0.1:%d",
             port);
    stamp(wall_ms, time, day);
    client_request_set(request, "content-type",
                       "application/vnd.amazon.eventstream");
    client_request_set(request, "x-amz-content-sha256", STREAMING);
    client_request_set(request, "x-amz-date", time);
    if (signer->token != NULL)
        client_request_set(request, "x-amz-security-token", signer->token);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct client_header *)a)->name,
                  ((const struct client_header *)b)->name);
}

static void
encode_path(const char *path, FILE *out)
{
    for (; *path != '\0'; path++) {
        if (strchr("-_.~/", *path) || (*path >= '0' && *path <= '9') ||
            (*path >= 'A' && *path <= 'Z') || (*path >= 'a' && *path <= 'z'))
            fputc(*path, out);
        else
            fprintf(out, "%%%02X", (uint8_t)*path);
    }
}

/* What is signed: the list of headers and the whole text; to be freed. */
struct canonical {
    char *list;
    char *text;
};

static void
make_canonical(const struct client_request *request, const char *host_name,
               struct canonical *c)
{
    struct client_header all[CLIENT_HEADERS_MAX + 1];
    size_t count = request->header_count;
    memcpy(all, request->headers, count * sizeof(all[0]));
    snprintf(all[count].name, sizeof(all[count].name), "%s", host_name);
    snprintf(all[count].value, sizeof(all[count].value), "%s",
             request->authority);
    count++;
    qsort(all, count, sizeof(all[0]), by_name);
    size_t list_bytes, text_bytes;
    FILE *list = open_memstream(&c->list, &list_bytes);
    FILE *text = open_memstream(&c->text, &text_bytes);
    fprintf(text, "%s\n", request->method);
    encode_path(request->path, text);
    fprintf(text, "\n\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(text, "%s:%s\n", all[i].name, all[i].value);
        fprintf(list, "%s%s", i ? ";" : "", all[i].name);
    }
    fclose(list);
    fprintf(text, "\n%s\n" STREAMING, c->list);
    fclose(text);
}

static const char *
header_value(const struct client_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return "";
}

void
client_request_sign(struct client_request *request,
                    struct client_signer *signer, const char *host_name)
{
    struct canonical c;
    char hash[65], day[9], text[512], authorization[1024];
    const char *date = header_value(request, "x-amz-date");
    client_request_set(request, "authorization", NULL);
    make_canonical(request, host_name, &c);
    sha_hex(c.text, strlen(c.text), hash);
    snprintf(day, sizeof(day), "%.8s", date);
    snprintf(text, sizeof(text),
             "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", date, day,
             signer->region, signer->service, hash);
    sign_text(signer, day, text, signer->prior);
    snprintf(authorization, sizeof(authorization),
             "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, "
             "SignedHeaders=%.500s, Signature=%s",
             signer->access_key_id, day, signer->region, signer->service,
             c.list, signer->prior);
    client_request_set(request, "authorization", authorization);
    free(c.list);
    free(c.text);
}

/* ---- frames ---- */

static uint32_t
crc_of(const uint8_t *data, size_t count)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void
put_u32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

uint8_t *
client_frame(const uint8_t *headers, size_t header_bytes, const void *payload,
             size_t payload_bytes, size_t *frame_bytes)
{
    size_t total = header_bytes + payload_bytes + 16;
    uint8_t *frame = malloc(total);
    put_u32(frame, (uint32_t)total);
    put_u32(frame + 4, (uint32_t)header_bytes);
    put_u32(frame + 8, crc_of(frame, 8));
    memcpy(frame + 12, headers, header_bytes);
    if (payload_bytes > 0)
        memcpy(frame + 12 + header_bytes, payload, payload_bytes);
    put_u32(frame + total - 4, crc_of(frame, total - 4));
    *frame_bytes = total;
    return frame;
}

uint8_t *
client_inner(const char *json, size_t json_bytes, size_t *bytes)
{
    static const uint8_t headers[] = "\x0d:message-type\x07\x00\x05"
                                     "event"
                                     "\x0b:event-type\x07\x00\x05"
                                     "chunk"
                                     "\x0d:content-type\x07\x00\x10"
                                     "application/json";
    static const char before[] = "{\"bytes\":\"", after[] = "\"}";
    size_t size = sizeof(before) - 1;
    char *payload = malloc(json_bytes * 4 / 3 + 64);
    memcpy(payload, before, size);
    size += (size_t)EVP_EncodeBlock((uint8_t *)payload + size,
                                    (const uint8_t *)json, (int)json_bytes);
    memcpy(payload + size, after, sizeof(after));
    uint8_t *inner = client_frame(headers, sizeof(headers) - 1, payload,
                                  size + sizeof(after) - 1, bytes);
    free(payload);
    return inner;
}

uint8_t *
client_sign_frame(struct client_signer *signer, int64_t date_ms,
                  const void *inner, size_t inner_bytes, size_t *frame_bytes)
{
    uint8_t headers[15 + 17 + 3 + 32] = "\x05:date\x08";
    char time[17], day[9], date_hash[65], inner_hash[65], text[512];
    put_u32(headers + 7, (uint32_t)((uint64_t)date_ms >> 32));
    put_u32(headers + 11, (uint32_t)date_ms);
    stamp(date_ms, time, day);
    sha_hex(headers, 15, date_hash);
    sha_hex(inner, inner_bytes, inner_hash);
    snprintf(text, sizeof(text),
             "AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s/%s/%s/aws4_request\n%s\n%s\n%s",
             time, day, signer->region, signer->service, signer->prior,
             date_hash, inner_hash);
    sign_text(signer, day, text, signer->prior);
    memcpy(headers + 15, "\x10:chunk-signature\x06\x00\x20", 20);
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        sscanf(signer->prior + 2 * i, "%2x", &byte);
        headers[35 + i] = (uint8_t)byte;
    }
    return client_frame(headers, 67, inner, inner_bytes, frame_bytes);
}
