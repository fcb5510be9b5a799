/* The control socket's lines: any bytes, a line each, against faults that
 * strike streams meanwhile.
 *
 * The files are included, not linked, because the rest of their folder needs
 * TLS, HTTP/2 and speech. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/local/command.c"
#include "gateway/local/fault.c"
#include "gateway/local/faults.c"
#include "gateway/local/jsontext.c"
#include "gateway/local/ledger.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every answer is one line with one object that says whether it went well. */
static void
check_answer(char *answer)
{
    cJSON *object = cJSON_Parse(answer);
    const cJSON *ok = cJSON_GetObjectItem(object, "ok");

    if (!cJSON_IsBool(ok) || strchr(answer, '\n') != NULL ||
        (cJSON_IsFalse(ok) &&
         !cJSON_IsString(cJSON_GetObjectItem(object, "error"))))
        abort();
    cJSON_Delete(object);
    cJSON_free(answer);
}

static void
live(struct faults *faults, struct ledger *ledger, uint64_t now_ms)
{
    struct fault_site site;
    struct fault fault;
    unsigned number = ledger_request(ledger, now_ms);

    faults_site_init(&site, number, "amazon.nova-2-sonic-v1:0");
    ledger_open(ledger, number, site.model_id);
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        faults_site_set(&site, (enum fault_phase)phase, true, now_ms);
    for (int i = 0; i < 2; i++) {
        site.answered = i > 0;
        for (int n = 0; n <= FAULTS_MAX; n++) {
            if (!faults_strike(faults, &site, now_ms + 1000, &fault))
                break;
        }
        faults_deadline_ms(faults, &site);
    }
    ledger_end(ledger, number, now_ms + 1, "over");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct faults faults;
    struct ledger ledger;
    struct command_target target = {&faults, &ledger};
    const char *line = (const char *)data, *end = line + size;
    uint64_t now_ms = 1000;

    memset(&faults, 0, sizeof(faults));
    faults.time_scale = 60;
    if (!ledger_init(&ledger))
        return 0;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t bytes = (size_t)((stop == NULL ? end : stop) - line);

        check_answer(command_run(&target, line, bytes, now_ms));
        live(&faults, &ledger, ++now_ms);
        line += bytes + 1;
    }
    ledger_fini(&ledger);
    return 0;
}
