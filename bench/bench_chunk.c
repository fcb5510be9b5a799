/* CPU per audio chunk: 32 ms of samples to a signed outer frame, against the
 * floor of the same bytes: two base64, two SHA-256, one HMAC, one AES-256-GCM.
 * The floor is made of OpenSSL's primitives with contexts kept; our chunk is
 * encrypted by the same call, so that both end at the same point. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/base64.h"
#include "gateway/bedrock/eventstream.h"
#include "gateway/bedrock/signer.h"
#include "gateway/clock.h"
#include "gateway/sonic/audio_input.h"

#define SAMPLES 512
#define CHUNKS 4000
#define ROUNDS 31
#define DATE_MS 1767225600000

static int16_t samples[SAMPLES];
static uint8_t frame[8192], sealed[8192 + 32];

struct seal {
    EVP_CIPHER_CTX *cipher;
    uint8_t key[32], nonce[12], tag[16];
};

static void
seal_bytes(struct seal *s, const uint8_t *bytes, size_t count)
{
    int written;
    s->nonce[0]++;
    EVP_EncryptInit_ex(s->cipher, NULL, NULL, NULL, s->nonce);
    EVP_EncryptUpdate(s->cipher, sealed, &written, bytes, (int)count);
    EVP_EncryptFinal_ex(s->cipher, sealed + written, &written);
    EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_GCM_GET_TAG, 16, s->tag);
}

static double
ours_round_ns(struct signer *signer, struct sonic_audio_input *audio,
              struct seal *seal)
{
    uint64_t begin_ns = clock_mono_ns();
    for (int i = 0; i < CHUNKS; i++) {
        size_t bytes;
        const char *json =
            sonic_audio_input_write(audio, samples, SAMPLES, &bytes);
        size_t size = eventstream_encode_event(signer, DATE_MS, json, bytes,
                                               frame, sizeof frame);
        if (!size)
            exit(1);
        seal_bytes(seal, frame, size);
    }
    return (double)(clock_mono_ns() - begin_ns) / CHUNKS;
}

struct floor_parts {
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
    struct seal seal;
};

/* The bytes are those of a real chunk: 1024 of audio become 1368 of base64, a
 * JSON event of about 1500, base64 again to 2000, and a frame of 2200. */
static double
floor_round_ns(struct floor_parts *p)
{
    static char text[4096];
    static uint8_t key[32], out[64];
    size_t mac_bytes;
    unsigned digest_bytes;
    uint64_t begin_ns = clock_mono_ns();
    for (int i = 0; i < CHUNKS; i++) {
        base64_encode((const uint8_t *)samples, sizeof samples, text);
        base64_encode((const uint8_t *)text, 1500, text + 1500);
        EVP_DigestInit_ex2(p->digest, p->sha256, NULL);
        EVP_DigestUpdate(p->digest, text, 2120);
        EVP_DigestFinal_ex(p->digest, out, &digest_bytes);
        EVP_DigestInit_ex2(p->digest, p->sha256, NULL);
        EVP_DigestUpdate(p->digest, text, SIGNER_DATE_HEADER_BYTES);
        EVP_DigestFinal_ex(p->digest, out + 32, &digest_bytes);
        EVP_MAC_init(p->mac, key, sizeof key, NULL);
        EVP_MAC_update(p->mac, (const uint8_t *)text, 280);
        EVP_MAC_final(p->mac, out, &mac_bytes, sizeof out);
        seal_bytes(&p->seal, (const uint8_t *)text, 2220);
    }
    return (double)(clock_mono_ns() - begin_ns) / CHUNKS;
}

static void
seal_init(struct seal *s)
{
    memset(s, 0, sizeof *s);
    s->cipher = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(s->cipher, EVP_aes_256_gcm(), NULL, s->key, s->nonce);
}

static void
floor_init(struct floor_parts *p)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0),
        OSSL_PARAM_construct_end()};
    static const uint8_t key[32];
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    p->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    p->digest = EVP_MD_CTX_new();
    p->mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_init(p->mac, key, sizeof key, params);
    EVP_MAC_free(hmac);
    seal_init(&p->seal);
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct signer *
make_signer(void)
{
    struct credentials credentials = {.access_key_id = "AKIDEXAMPLE",
                                      .secret_access_key = "secret"};
    static const struct signer_header headers[] = {
        {"host", "localhost"}, {"x-amz-date", "20260101T000000Z"}};
    struct signer_request request = {.method = "POST",
                                     .path = "/",
                                     .query = "",
                                     .headers = headers,
                                     .header_count = 2,
                                     .payload_hash =
                                         "STREAMING-AWS4-HMAC-SHA256-EVENTS"};
    char authorization[1024];
    struct signer *signer = signer_new(&credentials, "us-east-1", "bedrock");
    if (!signer || signer_request_sign(signer, &request, DATE_MS, authorization,
                                       sizeof authorization) != VR_OK)
        exit(1);
    return signer;
}

int
main(void)
{
    static const char name[] = "00000000-0000-0000-0000-000000000000";
    struct signer *signer = make_signer();
    struct sonic_audio_input *audio =
        sonic_audio_input_new(name, name, SAMPLES);
    struct floor_parts parts;
    struct seal seal;
    double ours[ROUNDS], floors[ROUNDS];
    floor_init(&parts);
    seal_init(&seal);
    for (int i = 0; i < SAMPLES; i++)
        samples[i] = (int16_t)(i * 97);
    for (int i = 0; i < ROUNDS; i++) {
        floors[i] = floor_round_ns(&parts);
        ours[i] = ours_round_ns(signer, audio, &seal);
    }
    qsort(ours, ROUNDS, sizeof ours[0], ascending);
    qsort(floors, ROUNDS, sizeof floors[0], ascending);
    printf("chunk_encode_ns %.0f %.0f\n", ours[ROUNDS / 2], floors[ROUNDS / 2]);
    return 0;
}
