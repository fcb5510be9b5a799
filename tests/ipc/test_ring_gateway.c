/* Gateways that die, come back or meet another, and the index that they keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <cjson/cJSON.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ipc/harness.h"

static int16_t samples[65536];
static char lines[4096];

static void
note_line(void *arg, const char *line)
{
    (void)arg;
    strncat(lines, line, sizeof lines - strlen(lines) - 1);
}

static struct vr_writer *
logged_writer(const char *session)
{
    struct vr_options options = harness_options();
    struct vr_writer *w;

    lines[0] = '\0';
    options.log = note_line;
    assert_int_equal(vr_writer_open(&w, session, &options, NULL, 0), VR_OK);
    return w;
}

/* Writes 10 ms at a time until that returns `wanted`; how many writes. */
static uint64_t
write_until(struct vr_writer *w, enum vr_status wanted)
{
    uint64_t count = 1;

    while (vr_write(w, samples, 160, 0) != wanted) {
        harness_pause();
        count++;
    }
    return count;
}

static void
test_writer_survives_the_gateway(void **state)
{
    struct peer *gateway = peer_start();
    struct vr_writer_stats stats;
    struct vr_writer *w;
    uint64_t unread, alone;

    (void)state;
    assert_string_equal(peer_ask(gateway, "host g1 1 65536"), "VR_OK ");
    w = logged_writer("g1");
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    peer_ask(gateway, "hread 100");
    peer_kill(&gateway, SIGKILL);
    /* 60 frames unread, then what is written before the death is noticed. */
    unread = (write_until(w, VR_CLOSED) - 1) * 160 + 60;
    vr_writer_stats(w, &stats, sizeof stats);
    assert_int_equal(stats.attached, 0);
    assert_int_equal(stats.lost_frames, unread + 160);
    assert_int_equal(vr_space(w), 0);
    assert_int_equal(vr_wait_space(w, 1, 1), VR_TIMEOUT);
    assert_non_null(strstr(lines, "gone"));

    gateway = peer_start();
    assert_string_equal(peer_ask(gateway, "host g1 1 65536"), "VR_OK ");
    alone = write_until(w, VR_OK) - 1;
    vr_writer_stats(w, &stats, sizeof stats);
    assert_int_equal(stats.lost_frames, unread + 160 + alone * 160);
    assert_int_equal(stats.attached, 1);
    assert_int_equal(stats.attach_count, 2);
    assert_int_equal(stats.position, 160);
    assert_int_equal(
        strncmp(peer_ask(gateway, "hread 500"), "VR_OK 0 160 ", 12), 0);
    vr_writer_close(&w);
    peer_end(&gateway);
}

/* The gateway restarts while the producer's eye is elsewhere. */
static void
test_writer_waits_for_space_across_a_restart(void **state)
{
    struct peer *gateway = peer_start(), *file = peer_start();

    (void)state;
    assert_string_equal(peer_ask(gateway, "host g2 1 4096"), "VR_OK ");
    assert_string_equal(peer_ask(file, "writer g2 file"), "VR_OK ");
    assert_string_equal(peer_ask(file, "write 4096"), "VR_OK ");
    assert_string_equal(peer_ask(file, "space 100 0"), "VR_TIMEOUT ");
    peer_tell(file, "space 100 15000");
    peer_kill(&gateway, SIGKILL);
    gateway = peer_start();
    assert_string_equal(peer_ask(gateway, "host g2 1 4096"), "VR_OK ");
    assert_string_equal(peer_hear(file), "VR_OK ");
    peer_end(&file);
    peer_end(&gateway);
}

static void
test_reader_survives_the_gateway(void **state)
{
    struct peer *gateway = peer_start();
    struct vr_reader *r;
    struct vr_block block;
    uint64_t epoch;

    (void)state;
    assert_string_equal(peer_ask(gateway, "host g3 0 4096"), "VR_OK ");
    r = harness_reader("g3", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    peer_ask(gateway, "hwrite 300");
    assert_int_equal(vr_read(r, samples, 100, &block), VR_OK);
    epoch = block.epoch;
    peer_kill(&gateway, SIGKILL);
    /* What it wrote before it died is still heard, and then told. */
    assert_int_equal(vr_read(r, samples, 1000, &block), VR_OK);
    assert_int_equal(block.frames, 200);
    assert_int_equal(harness_right(samples, 100, 200, 1), 200);
    assert_int_equal(vr_wait(r, 10000), VR_OK);
    assert_int_equal(vr_read(r, samples, 1000, &block), VR_CLOSED);
    assert_int_equal(vr_read(r, samples, 1000, &block), VR_AGAIN);
    assert_int_equal(vr_wait(r, 1), VR_TIMEOUT);
    assert_non_null(strstr(vr_reader_error(r), "voxringd"));

    gateway = peer_start();
    assert_string_equal(peer_ask(gateway, "host g3 0 4096"), "VR_OK ");
    peer_ask(gateway, "hwrite 50");
    do
        assert_int_equal(vr_wait(r, 10000), VR_OK);
    while (vr_read(r, samples, 1000, &block) == VR_AGAIN);
    assert_int_equal(block.position, 0);
    assert_int_equal(block.frames, 50);
    assert_int_not_equal(block.epoch, epoch);
    vr_reader_close(&r);
    peer_end(&gateway);
}

/* Somebody else is first at the new gateway. */
static void
test_lease_lost_over_a_restart(void **state)
{
    struct peer *gateway = peer_start(), *rival = peer_start();
    struct vr_writer *w;

    (void)state;
    assert_string_equal(peer_ask(gateway, "host g4 1 4096"), "VR_OK ");
    w = harness_writer("g4");
    peer_kill(&gateway, SIGKILL);
    gateway = peer_start();
    assert_string_equal(peer_ask(gateway, "host g4 1 4096"), "VR_OK ");
    assert_string_equal(peer_ask(rival, "writer g4 rival"), "VR_OK ");
    write_until(w, VR_BUSY);
    assert_non_null(strstr(vr_writer_error(w), "\"rival\""));
    peer_kill(&rival, SIGKILL);
    write_until(w, VR_OK);
    vr_writer_close(&w);
    peer_end(&gateway);
}

static void
test_other_format_after_a_restart(void **state)
{
    struct ring_host *host = harness_host("g5", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("g5");

    (void)state;
    ring_host_close(&host);
    host = harness_host("g5", VR_RING_IN, 48000, 1, 0);
    write_until(w, VR_INVALID);
    assert_non_null(strstr(vr_writer_error(w), "48000 Hz"));
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_live_gateway_is_left_alone(void **state)
{
    struct peer *gateway = peer_start();
    struct ring_host_config config = {.runtime_dir = harness_dir,
                                      .session = "g6",
                                      .ring = VR_RING_IN,
                                      .format = {16000, 1}};
    char why[VR_ERROR_BYTES] = "";
    struct ring_host *host;
    struct vr_writer *w;

    (void)state;
    assert_string_equal(peer_ask(gateway, "host g6 1 4096"), "VR_OK ");
    peer_kill(&gateway, SIGSTOP);
    assert_int_equal(ring_host_open(&host, &config, why, sizeof why), VR_BUSY);
    assert_non_null(strstr(why, "Another voxringd"));
    peer_kill(&gateway, SIGCONT);
    w = harness_writer("g6");
    assert_int_equal(vr_write(w, samples, 160, 0), VR_OK);
    vr_writer_close(&w);
    peer_kill(&gateway, SIGKILL);
    /* A dead gateway's ring is no ring for new clients, and no obstacle. */
    assert_int_equal(
        vr_writer_open(&w, "g6",
                       &(struct vr_options){.runtime_dir = harness_dir}, why,
                       sizeof why),
        VR_NOT_FOUND);
    assert_non_null(strstr(why, "start voxringd"));
    assert_int_equal(ring_host_open(&host, &config, why, sizeof why), VR_OK);
    ring_host_close(&host);
}

static void
test_refused_configs(void **state)
{
    struct ring_host_config config = {
        .runtime_dir = harness_dir, .session = "g7", .format = {44100, 1}};
    char why[VR_ERROR_BYTES] = "";
    struct ring_host *host;

    (void)state;
    assert_int_equal(ring_host_open(&host, &config, why, sizeof why),
                     VR_INVALID);
    assert_non_null(strstr(why, "44100"));
    config.format.rate_hz = 16000;
    config.min_frames = UINT64_MAX;
    assert_int_equal(ring_host_open(&host, &config, why, sizeof why),
                     VR_INVALID);
    config.min_frames = 0;
    config.session = "A/B";
    assert_int_equal(ring_host_open(&host, &config, why, sizeof why),
                     VR_INVALID);
    config.session = "g7";
    config.runtime_dir = "/nowhere";
    assert_int_equal(ring_host_open(&host, &config, why, sizeof why),
                     VR_NOT_FOUND);
    assert_null(host);
}

/* ---- the index --------------------------------------------------------- */

static void
test_index(void **state)
{
    struct ring_host *rings[3] = {
        harness_host("g15", VR_RING_IN, 16000, 1, 0), NULL,
        harness_host("g15", VR_RING_OUT, 24000, 2, 0)};
    char path[256], text[4096], why[VR_ERROR_BYTES];
    cJSON *json, *list, *in;
    FILE *file;
    size_t n;

    (void)state;
    assert_int_equal(
        ring_host_publish_index(harness_dir, rings, 3, why, sizeof why), VR_OK);
    assert_int_equal(
        ring_host_publish_index(harness_dir, rings, 3, why, sizeof why), VR_OK);
    snprintf(path, sizeof path, "%s/rings.json", harness_dir);
    file = fopen(path, "r");
    assert_non_null(file);
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    json = cJSON_Parse(text);
    list = cJSON_GetObjectItem(json, "rings");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    in = cJSON_GetArrayItem(list, 0);
    assert_string_equal(cJSON_GetObjectItem(in, "session")->valuestring, "g15");
    assert_string_equal(cJSON_GetObjectItem(in, "direction")->valuestring,
                        "in");
    assert_string_equal(cJSON_GetObjectItem(in, "name")->valuestring,
                        ring_host_name(rings[0]));
    assert_int_equal(cJSON_GetObjectItem(in, "rate_hz")->valueint, 16000);
    assert_int_equal(cJSON_GetObjectItem(in, "capacity_frames")->valueint,
                     HARNESS_FRAMES);
    assert_non_null(cJSON_GetObjectItem(in, "doorbell"));
    cJSON_Delete(json);
    ring_host_remove_index(harness_dir);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(
        ring_host_publish_index("/nowhere", rings, 3, why, sizeof why),
        VR_SYSTEM);
    ring_host_close(&rings[0]);
    ring_host_close(&rings[2]);
}

/* Nobody but the owner, whatever the umask; nothing passed on by exec. */
static void
test_modes(void **state)
{
    struct ring_host *host;
    mode_t mask = umask(0);
    struct stat st;
    char bell[256];
    int fd;

    (void)state;
    host = harness_host("g16", VR_RING_IN, 16000, 1, 0);
    umask(mask);
    fd = shm_open(ring_host_name(host), O_RDONLY, 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(bell, sizeof bell, "%s/g16.in.bell", harness_dir);
    assert_int_equal(stat(bell, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fcntl(ring_host_bell_fd(host), F_GETFD), FD_CLOEXEC);
    close(fd);
    ring_host_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_survives_the_gateway),
        cmocka_unit_test(test_writer_waits_for_space_across_a_restart),
        cmocka_unit_test(test_reader_survives_the_gateway),
        cmocka_unit_test(test_lease_lost_over_a_restart),
        cmocka_unit_test(test_other_format_after_a_restart),
        cmocka_unit_test(test_live_gateway_is_left_alone),
        cmocka_unit_test(test_refused_configs),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_modes),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
