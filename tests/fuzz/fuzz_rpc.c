/* JSON-RPC requests from arbitrary bytes: no crash, no leak, every answer is
 * one JSON document, and every call is answered once.
 *
 * fuzz-module: gateway/control/rpc.c gateway/control/rpc_params.c
 * fuzz-module: gateway/jsonx.c ipc/status.c
 */
#include <stdint.h>
#include <stdlib.h>

#include "gateway/control/rpc.h"
#include "gateway/jsonx.h"

/* Given to libFuzzer's own main(), which has no header. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static struct rpc_call *held[RPC_BATCH_MAX];
static size_t held_count;

static void
on_send(void *arg, const struct rpc_peer *peer, const char *text,
        size_t text_bytes)
{
    (void)arg;
    (void)peer;
    cJSON *answer = jsonx_parse(text, text_bytes, NULL, NULL);
    if (!answer)
        abort();
    cJSON_Delete(answer);
}

static void
on_drop(void *arg, struct rpc_call *call)
{
    (void)arg;
    for (size_t i = 0; i < held_count; i++) {
        if (held[i] == call)
            held[i] = NULL;
    }
}

/* Answers at once, with an error, or later, as the first letter says. */
static void
on_call(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)arg;
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(params, "text");
    if (!cJSON_IsString(text))
        abort();
    if (text->valuestring[0] == 'h' && held_count < RPC_BATCH_MAX) {
        rpc_call_on_drop(call, on_drop, NULL);
        held[held_count++] = call;
    } else if (text->valuestring[0] == 'f') {
        rpc_fail(call, RPC_FAILED, NULL, "%s", text->valuestring);
    } else {
        rpc_reply(call, cJSON_Duplicate(params, 1));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct rpc_peer peer = {.bytes = "p", .byte_count = 1};
    struct rpc *rpc = rpc_new(on_send, NULL);
    held_count = 0;
    if (!rpc || rpc_register(rpc, "m", "text:text! n:uint w:a|b o:object",
                             on_call, NULL) != VR_OK)
        abort();
    rpc_receive(rpc, &peer, (const char *)bytes, count);
    for (size_t i = 0; i < held_count / 2; i++)
        rpc_reply(held[i], NULL);
    rpc_free(&rpc);
    for (size_t i = held_count / 2; i < held_count; i++) {
        if (held[i])
            abort();
    }
    return 0;
}
