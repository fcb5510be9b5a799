/* Gateways and clients of other ages: each pair gives full service or a clear
 * refusal. Peers are programs of their own, compiled with the layouts in
 * tests/ages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ipc/ring_name.h"
#include "tests/ipc/harness.h"

#define FRAMES HARNESS_FRAMES
#define IN "1"
#define OUT "0"

enum age { FIRST, NOW, NEXT, FAR, AGES };

static const char *const programs[AGES] = {
    [FIRST] = "../ages/first/peer_ring",
    [NOW] = "peer_ring",
    [NEXT] = "../ages/next/peer_ring",
    [FAR] = "../ages/far/peer_ring",
};

static struct peer *
start(enum age age)
{
    return peer_start_program(programs[age]);
}

/* Asks, and fails the test unless the reply is that. */
#define expect(peer, reply, ...) \
    assert_string_equal(peer_ask(peer, __VA_ARGS__), reply)

/* As expect(), for the status alone: the first word. */
#define expect_status(peer, status, ...) \
    assert_status(peer_ask(peer, __VA_ARGS__), status)

static void
assert_status(const char *reply, const char *status)
{
    if (strncmp(reply, status, strlen(status)) != 0 ||
        reply[strlen(status)] != ' ')
        fail_msg("expected %s, not: %s", status, reply);
}

static void
host(struct peer *gateway, const char *session, const char *ring)
{
    expect(gateway, "VR_OK ", "host %s %s %d", session, ring, FRAMES);
}

struct look {
    uint64_t capacity, epoch, position, head, done, lost, skipped;
    unsigned attached, attach_count;
};

static struct look
look(struct peer *client)
{
    struct look l = {0};

    assert_int_equal(sscanf(peer_ask(client, "stats"),
                            "VR_OK %" SCNu64 " %" SCNx64 " %" SCNu64 " %" SCNu64
                            " %" SCNu64 " %" SCNu64 " %" SCNu64 " %u %u",
                            &l.capacity, &l.epoch, &l.position, &l.head,
                            &l.done, &l.lost, &l.skipped, &l.attached,
                            &l.attach_count),
                     9);
    return l;
}

/* ---- service ----------------------------------------------------------- */

static void
serve_producer(struct peer *gateway, struct peer *client, struct peer *rival)
{
    uint64_t position, frames, right, lost;
    struct look l;

    host(gateway, "age", IN);
    expect(client, "VR_OK ", "writer age mic");
    assert_non_null(
        strstr(peer_ask(rival, "writer age other"), "producer: \"mic\""));
    expect(gateway, "VR_OK 0 mic - 0 0", "hwho");
    expect(client, "VR_OK ", "write 1000");
    expect(gateway, "VR_OK 0 1000 1000 0", "hread 4000");

    expect(gateway, "VR_OK 0", "harm 160");
    expect_status(client, "VR_OK", "write 160");
    expect(gateway, "VR_OK 1 160", "hbell 10000");
    expect(gateway, "VR_OK 1000 160 160 0", "hread 160");

    expect_status(client, "VR_OK", "write %d", FRAMES);
    peer_tell(client, "space 1000 10000");
    expect(gateway, "VR_OK 1160 1000 1000 0", "hread 1000");
    assert_status(peer_hear(client), "VR_OK");

    expect_status(client, "VR_OK", "write %d", FRAMES);
    assert_int_equal(sscanf(peer_ask(gateway, "hread %d", FRAMES),
                            "VR_OK %" SCNu64 " %" SCNu64 " %" SCNu64
                            " %" SCNu64,
                            &position, &frames, &right, &lost),
                     4);
    assert_int_equal(frames, right);
    assert_true(lost > 0);
    assert_int_equal(2160 + lost, position);
    assert_int_equal(position + frames, 1160 + 2 * FRAMES);

    l = look(client);
    assert_int_equal(l.capacity, FRAMES);
    assert_int_equal(l.position, 1160 + 2 * FRAMES);
    assert_int_equal(l.head, l.position);
    assert_int_equal(l.done, l.position);
    assert_int_equal(l.lost, 0);
    assert_int_equal(l.attached, 1);
    expect(gateway, "VR_OK 0 mic - 0 0", "hwho");
    expect(client, "VR_OK ", "close");
    expect(rival, "VR_OK ", "writer age other");
    expect(rival, "VR_OK ", "close");
    expect(gateway, "VR_OK ", "close");
}

static void
serve_player(struct peer *gateway, struct peer *client, struct peer *rival)
{
    uint64_t position, lost, frames, right;
    struct look l, other;

    host(gateway, "age", OUT);
    expect(client, "VR_OK ", "reader age ear 1 0");
    assert_non_null(
        strstr(peer_ask(rival, "reader age other 1 0"), "player: \"ear\""));
    expect(rival, "VR_OK ", "reader age meter 0 0");
    peer_tell(client, "wait 10000");
    peer_tell(rival, "wait 10000");
    expect(gateway, "VR_OK 0", "hwrite 500");
    assert_status(peer_hear(client), "VR_OK");
    assert_status(peer_hear(rival), "VR_OK");
    expect(client, "VR_OK 0 300 300 0 0 0", "read 300");
    expect(rival, "VR_OK 0 500 500 0 0 0", "read 4000");
    expect_status(client, "VR_OK", "played 250");
    expect(gateway, "VR_OK 250", "hplayed");

    expect(gateway, "VR_OK 500", "hwrite 500");
    expect(gateway, "1", "hflush 800 7");
    expect(client, "VR_FLUSHED 800 0 0 0 800 7", "read 4000");
    expect(rival, "VR_FLUSHED 800 0 0 0 800 7", "read 4000");
    expect(client, "VR_OK 800 200 200 0 0 0", "read 4000");

    expect(gateway, "VR_OK 1000", "hwrite %d", FRAMES + 2000);
    assert_int_equal(sscanf(peer_ask(client, "read 4000"),
                            "VR_LAPPED %" SCNu64 " 0 0 %" SCNu64, &position,
                            &lost),
                     2);
    assert_int_equal(position, 1000 + lost);
    assert_int_equal(sscanf(peer_ask(client, "read %d", FRAMES),
                            "VR_OK %*u %" SCNu64 " %" SCNu64, &frames, &right),
                     2);
    assert_int_equal(frames, right);
    assert_int_equal(position + frames, FRAMES + 3000);

    l = look(client);
    other = look(rival);
    assert_int_equal(l.epoch, other.epoch);
    assert_int_equal(l.position, l.head);
    assert_int_equal(l.skipped, 500);
    assert_int_equal(l.done + l.lost + l.skipped, l.position);
    expect(gateway, "VR_OK 2 - ear 0 0", "hwho");
    expect(rival, "VR_OK ", "close");
    expect(client, "VR_OK ", "close");
    expect(gateway, "VR_OK 0 - - 0 0", "hwho");
    expect(gateway, "VR_OK ", "close");
}

/* Readers of both ages find slots of their own, as far as the object and their
 * layout know any; who finds none reads all the same. */
static void
serve_crowd(struct peer *gateway, struct peer *client, struct peer *rival,
            unsigned client_slots, unsigned all_slots)
{
    char who[64];

    host(gateway, "age", OUT);
    expect(client, "VR_OK ", "crowd age 0 40");
    snprintf(who, sizeof who, "VR_OK %u - - 0 0", client_slots);
    expect(gateway, who, "hwho");
    expect(rival, "VR_OK ", "crowd age 0 70");
    snprintf(who, sizeof who, "VR_OK %u - - 0 0", all_slots);
    expect(gateway, who, "hwho");
    expect(gateway, "VR_OK 0", "hwrite 200");
    expect(client, "VR_OK 40", "crowdread 200");
    expect(rival, "VR_OK 70", "crowdread 200");
    expect(client, "VR_OK ", "close");
    expect(rival, "VR_OK ", "close");
    expect(gateway, "VR_OK 0 - - 0 0", "hwho");
    expect(gateway, "VR_OK ", "close");
}

/* Either end may also read `in`. */
static void
serve_listener(struct peer *gateway, struct peer *client, struct peer *rival)
{
    host(gateway, "age", IN);
    expect(client, "VR_OK ", "writer age mic");
    expect(rival, "VR_OK ", "reader age ear 0 0 1");
    expect_status(client, "VR_OK", "write 300");
    expect(rival, "VR_OK 0 300 300 0 0 0", "read 4000");
    expect(gateway, "VR_OK 0 300 300 0", "hread 4000");
    expect(gateway, "VR_OK 1 mic - 0 0", "hwho");
    peer_kill(&client, SIGKILL);
    expect(gateway, "VR_OK 1 - - 0 0", "hwho");
    expect(rival, "VR_OK ", "close");
    expect(gateway, "VR_OK ", "close");
}

static void
serve(enum age gateway_age, enum age client_age, enum age rival_age,
      unsigned client_slots, unsigned all_slots)
{
    struct peer *gateway = start(gateway_age), *client = start(client_age),
                *rival = start(rival_age);

    serve_producer(gateway, client, rival);
    serve_player(gateway, client, rival);
    serve_crowd(gateway, client, rival, client_slots, all_slots);
    serve_listener(gateway, client, rival);
    peer_end(&gateway);
    peer_end(&rival);
}

/* Slot 0 is the player's: a crowd has one less than there are. */
static void
test_newer_clients_on_our_gateway(void **state)
{
    (void)state;
    serve(NOW, NEXT, NOW, 31, 31);
    serve(NOW, NOW, NEXT, 31, 31);
}

static void
test_our_clients_on_a_newer_gateway(void **state)
{
    (void)state;
    serve(NEXT, NOW, NEXT, 31, 63);
    serve(NEXT, NEXT, NOW, 40, 40);
}

/* ---- refusals ---------------------------------------------------------- */

static void
versions_of(struct peer *peer, unsigned *abi, unsigned *oldest)
{
    assert_int_equal(sscanf(peer_ask(peer, "age"), "VR_OK %u %u", abi, oldest),
                     2);
}

static void
assert_says(const char *reply, const char *word)
{
    if (strstr(reply, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reply, word);
}

/* Both versions are in the sentence, and what to do. */
static void
assert_refused(struct peer *gateway, struct peer *client, const char *request,
               const char *remedy)
{
    char instance[RING_INSTANCE_BYTES], object[RING_OBJECT_BYTES], word[64];
    unsigned has, has_oldest, knows, knows_oldest;
    const char *reply;

    assert_int_equal(ring_name_instance(instance, NULL, harness_dir, NULL, 0),
                     VR_OK);
    versions_of(gateway, &has, &has_oldest);
    versions_of(client, &knows, &knows_oldest);
    reply = peer_ask(client, "%s", request);
    assert_status(reply, "VR_VERSION");
    snprintf(object, sizeof object, "/voxring-%s.age.", instance);
    assert_says(reply, object);
    snprintf(word, sizeof word, "layout version %u,", has);
    assert_says(reply, word);
    snprintf(word, sizeof word, has < knows_oldest ? "needs %u" : "knows %u",
             has < knows_oldest ? knows_oldest : knows);
    assert_says(reply, word);
    assert_says(reply, remedy);
    assert_false(harness_maps(client->pid, object));
}

struct meeting {
    enum age gateway, client;
    const char *remedy;
};

static void
test_refusals(void **state)
{
    static const struct meeting meetings[] = {
        {FIRST, NOW, "update voxringd"},
        {FIRST, NEXT, "update voxringd"},
        {FIRST, FAR, "update voxringd"},
        {NOW, FAR, "update voxringd"},
        {NEXT, FAR, "update voxringd"},
        {NOW, FIRST, "use the libvoxring of that gateway"},
        {NEXT, FIRST, "use the libvoxring of that gateway"},
        {FAR, FIRST, "use the libvoxring of that gateway"},
        {FAR, NOW, "update its libvoxring"},
        {FAR, NEXT, "update its libvoxring"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof meetings / sizeof *meetings; i++) {
        struct peer *in = start(meetings[i].gateway);
        struct peer *out = start(meetings[i].gateway);
        struct peer *client = start(meetings[i].client);

        host(in, "age", IN);
        host(out, "age", OUT);
        assert_refused(in, client, "writer age mic", meetings[i].remedy);
        assert_refused(out, client, "reader age ear 1 0", meetings[i].remedy);
        assert_refused(out, client, "reader age ear 0 0", meetings[i].remedy);
        if (meetings[i].gateway != FIRST) {
            expect(in, "VR_OK 0 - - 0 0", "hwho");
            expect(out, "VR_OK 0 - - 0 0", "hwho");
        }
        peer_end(&client);
        peer_end(&in);
        peer_end(&out);
    }
}

/* ---- one gateway after the other --------------------------------------- */

/* Who lives keeps the ring, whatever its age; who is dead does not. */
static void
test_gateways_follow_each_other(void **state)
{
    (void)state;
    for (int before = 0; before < AGES; before++)
        for (int after = 0; after < AGES; after++) {
            struct peer *old = start((enum age)before);
            struct peer *new = start((enum age)after);

            host(old, "age", IN);
            expect_status(new, "VR_BUSY", "host age 1 %d", FRAMES);
            peer_kill(&old, SIGKILL);
            host(new, "age", IN);
            peer_end(&new);
        }
}

/* Reads until there is something else to say than VR_AGAIN. */
static enum vr_status
read_news(struct vr_reader *r, struct vr_block *block)
{
    int16_t samples[160];
    enum vr_status status;

    do {
        status = vr_wait(r, 10000);
        assert_int_equal(status, VR_OK);
        status = vr_read(r, samples, 160, block);
    } while (status == VR_AGAIN);
    if (status == VR_OK)
        assert_int_equal(
            harness_right(samples, block->position, block->frames, 1),
            block->frames);
    return status;
}

static enum vr_status
write_known(struct vr_writer *w)
{
    struct vr_writer_stats stats;
    int16_t samples[160];

    vr_writer_stats(w, &stats, sizeof stats);
    harness_fill(samples, stats.position, 160, 1);
    return vr_write(w, samples, 160, 0);
}

/* Writes until the status is that; returns how many frames were given. */
static uint64_t
write_until(struct vr_writer *w, enum vr_status expected)
{
    uint64_t given = 160;

    while (write_known(w) != expected) {
        given += 160;
        harness_pause();
    }
    return given;
}

/* Service by a gateway of that age, whose rings our old handles have found. */
static void
assert_served(struct peer *in, struct peer *out, struct vr_writer *w,
              struct vr_reader *r, unsigned attach_count)
{
    struct vr_reader_stats stats;
    struct vr_block block;

    /* The first of them was for the ring before. */
    write_until(w, VR_OK);
    assert_int_equal(write_known(w), VR_OK);
    expect_status(in, "VR_OK", "hread 160");
    expect(in, "VR_OK 160 160 160 0", "hread 4000");
    expect_status(out, "VR_OK", "hwrite 160");
    assert_int_equal(read_news(r, &block), VR_OK);
    vr_reader_stats(r, &stats, sizeof stats);
    assert_int_equal(stats.attach_count, attach_count);
}

static void
change(struct peer **in, struct peer **out, enum age age, struct vr_reader *r)
{
    struct vr_block block;

    if (*in != NULL) {
        peer_end(in);
        peer_end(out);
        assert_int_equal(read_news(r, &block), VR_CLOSED);
    }
    *in = start(age);
    *out = start(age);
    host(*in, "age", IN);
    host(*out, "age", OUT);
}

/* A gateway is updated, and back, under clients that stay. */
static void
test_an_update_under_our_clients(void **state)
{
    struct peer *in = NULL, *out = NULL;
    struct vr_writer_stats before, after;
    struct vr_reader *r;
    struct vr_writer *w;
    struct vr_block block;
    const char *version;
    uint64_t given;

    (void)state;
    change(&in, &out, NOW, NULL);
    w = harness_writer("age");
    r = harness_reader("age", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    assert_served(in, out, w, r, 1);
    change(&in, &out, NEXT, r);
    assert_served(in, out, w, r, 2);

    vr_writer_stats(w, &before, sizeof before);
    for (int age = FIRST; age < AGES; age++) {
        if (age == NOW || age == NEXT)
            continue;
        change(&in, &out, (enum age)age, age == FIRST ? r : NULL);
        given = write_until(w, VR_VERSION);
        assert_says(vr_writer_error(w), "layout version");
        vr_writer_stats(w, &after, sizeof after);
        assert_int_equal(after.lost_frames - before.lost_frames, given);
        assert_int_equal(after.attached, 0);
        before = after;
        /* Told once; who asks hears the newest. */
        if (age == FIRST)
            assert_int_equal(read_news(r, &block), VR_VERSION);
        version = age == FIRST ? "layout version 1," : "layout version 9,";
        do
            assert_int_equal(vr_wait(r, 100), VR_TIMEOUT);
        while (strstr(vr_reader_error(r), version) == NULL);
        peer_end(&in);
        peer_end(&out);
    }
    change(&in, &out, NOW, r);
    assert_served(in, out, w, r, 3);
    vr_writer_close(&w);
    vr_reader_close(&r);
    peer_end(&in);
    peer_end(&out);
}

/* The same with the roles changed: our gateway takes over from others under
 * clients of the next age, which say once that they cannot follow. */
static void
test_an_update_under_newer_clients(void **state)
{
    struct peer *client = start(NEXT), *gateway = start(FAR);
    struct ring_host *ours = harness_host("age", VR_RING_IN, 16000, 1, 0);
    struct ring_host_span span;
    int16_t samples[160];

    (void)state;
    expect(client, "VR_OK ", "writer age mic");
    expect(client, "VR_OK ", "write 160");
    ring_host_close(&ours);
    host(gateway, "age", IN);
    while (strncmp(peer_ask(client, "write 160"), "VR_VERSION ", 11) != 0)
        harness_pause();
    peer_end(&gateway);
    ours = harness_host("age", VR_RING_IN, 16000, 1, 0);
    while (strncmp(peer_ask(client, "write 160"), "VR_OK ", 6) != 0)
        harness_pause();
    assert_int_equal(ring_host_peek(ours, samples, 160, &span), 160);
    peer_end(&client);
    ring_host_close(&ours);
}

/* A folder for each: who is left over from a failure is nobody's neighbour. */
#define EACH(test) \
    cmocka_unit_test_setup_teardown(test, harness_up, harness_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_newer_clients_on_our_gateway),
        EACH(test_our_clients_on_a_newer_gateway),
        EACH(test_refusals),
        EACH(test_gateways_follow_each_other),
        EACH(test_an_update_under_our_clients),
        EACH(test_an_update_under_newer_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
