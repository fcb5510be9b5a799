/* What a peer may do to the memory of a session's rings, to those who sleep,
 * and by holding what can be held: any value in any word at any moment, bells
 * and wakes without end, leases of the stopped. Healthy parties around it are
 * never hurt, and audio goes on, or goes on again once the gateway has looked
 * (test_ring_files has what is done to the files). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/ipc/scene.h"

static char path[128];
static int16_t samples[2 * HARNESS_FRAMES];

/* ---- any value into any word ------------------------------------------- */

/* A word is where it is and 4 or 8 bytes long, whatever it means: all that is
 * written before the slots, a slot that is held, and the last one. */
struct word {
    size_t offset, bytes;
};

#define WRITTEN_BYTES 512
#define MOST_WORDS (3 * (WRITTEN_BYTES + 2 * sizeof(struct ring_slot)) / 8)

static size_t
add_words(struct word *words, size_t count, size_t from, size_t bytes)
{
    static_assert(offsetof(struct ring_layout, played) + 8 <= WRITTEN_BYTES,
                  "all words");
    for (size_t at = from; at < from + bytes; at += 8)
        words[count++] = (struct word){at, 8};
    for (size_t at = from; at < from + bytes; at += 4)
        words[count++] = (struct word){at, 4};
    return count;
}

static size_t
all_words(struct word *words)
{
    size_t slots = offsetof(struct ring_layout, slots);
    size_t slot = sizeof(struct ring_slot);
    size_t count = add_words(words, 0, 0, WRITTEN_BYTES);

    count = add_words(words, count, slots, slot);
    return add_words(words, count, slots + slot, slot);
}

#define VALUES 24

/* Those that hurt most are near what is there. */
static uint64_t
hostile_value(unsigned index, uint64_t now)
{
    const uint64_t capacity = HARNESS_FRAMES, top = RING_MAX_POSITION;
    const uint64_t values[VALUES] = {
        0,
        1,
        3,
        now - 1,
        now + 1,
        now + 2,
        now - capacity,
        now + capacity,
        now + capacity + 1,
        now ^ 1,
        capacity - 1,
        capacity,
        capacity * 2,
        UINT32_MAX,
        UINT64_C(1) << 31,
        now + (UINT64_C(1) << 40),
        now + (UINT64_C(1) << 39),
        top - 1,
        top,
        top + 1,
        UINT64_C(1) << 63,
        UINT64_MAX - 1,
        UINT64_MAX,
        UINT64_C(0x1b5b324a0a070d7f), /* what a terminal obeys */
    };

    return values[index];
}

static void
write_word(const struct ring_host *host, const struct word *word,
           unsigned value)
{
    struct ring_layout *layout = peer_map(host);
    unsigned char *at = (unsigned char *)layout + word->offset;
    uint64_t now = 0;

    memcpy(&now, at, word->bytes);
    now = hostile_value(value, now);
    memcpy(at, &now, word->bytes);
    peer_unmap(layout);
}

static void
write_both(struct scene *s, const struct word *word, unsigned value)
{
    write_word(s->in, word, value);
    write_word(s->out, word, value);
}

/* In both rings at once, and each value in scenes of its own: so they wait
 * together for the next look at the gateway. */
static void
attack_word(struct scene scenes[VALUES], const struct word *word)
{
    char about[80], session[16];

    for (unsigned i = 0; i < VALUES; i++) {
        snprintf(about, sizeof about, "word %zu+%zu, value %u", word->offset,
                 word->bytes, i);
        snprintf(session, sizeof session, "w%u", i);
        write_both(&scenes[i], word, i);
        scene_use(&scenes[i], about);
        /* Once more, for those whom the writers have just put it right. */
        write_both(&scenes[i], word, i);
        if (i % 4 == 1)
            scene_knock(session);
        scene_use(&scenes[i], about);
        write_both(&scenes[i], word, i);
    }
    snprintf(about, sizeof about, "word %zu+%zu", word->offset, word->bytes);
    scenes_flow(scenes, VALUES, about);
}

static void
test_any_value_in_any_word(void **state)
{
    static struct scene scenes[VALUES];
    struct word words[MOST_WORDS];
    size_t count = all_words(words);
    char session[16];

    (void)state;
    scene_guard();
    for (unsigned i = 0; i < VALUES; i++) {
        snprintf(session, sizeof session, "w%u", i);
        scene_open(&scenes[i], session);
    }
    scenes_flow(scenes, VALUES, "nothing yet");
    for (size_t i = 0; i < count; i++)
        attack_word(scenes, &words[i]);
    for (unsigned i = 0; i < VALUES; i++)
        scene_close(&scenes[i]);
    vr_guard_remove();
}

/* ---- all at once, and at any moment ------------------------------------ */

static uint64_t
next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *seed >> 33;
}

/* Another thread is as another process to shared memory, with none of what a
 * mapping of its own would cost. */
struct hammer {
    pthread_t thread;
    struct ring_layout *layout;
    const struct word *words;
    size_t count;
    uint64_t seed;
    atomic_uint blows;
    atomic_bool stop;
};

static void *
hammer(void *arg)
{
    struct hammer *h = arg;

    while (!atomic_load(&h->stop)) {
        const struct word *word = &h->words[next_random(&h->seed) % h->count];
        _Atomic uint64_t *at =
            (void *)((unsigned char *)h->layout + (word->offset & ~7ull));
        uint64_t now = atomic_load(at);

        atomic_store(
            at, hostile_value((unsigned)(next_random(&h->seed) % VALUES), now));
        if (atomic_fetch_add(&h->blows, 1) % 64 == 0)
            sched_yield();
    }
    return NULL;
}

static void
hammer_start(struct hammer *h, const struct ring_host *host,
             const struct word *words, size_t count, uint64_t seed)
{
    *h = (struct hammer){
        .layout = peer_map(host), .words = words, .count = count, .seed = seed};
    assert_int_equal(pthread_create(&h->thread, NULL, hammer, h), 0);
}

static void
hammer_stop(struct hammer *h)
{
    atomic_store(&h->stop, true);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
    peer_unmap(h->layout);
}

/* Calls that must come to an end while the words never stand still. */
static void
use_in_motion(struct scene *s)
{
    struct vr_block block;

    scene_use_gateway(s);
    vr_write(s->mic, samples, 500, 0);
    for (int i = 0; i < 10; i++) {
        vr_wait(s->ear, 0);
        vr_read(s->ear, samples, HARNESS_FRAMES, &block);
        assert_in_range(block.frames, 0, HARNESS_FRAMES);
        vr_wait(s->voice, 0);
        vr_read(s->voice, samples, HARNESS_FRAMES, &block);
        assert_in_range(block.frames, 0, HARNESS_FRAMES);
        vr_played(s->voice, block.position + block.frames);
    }
}

static void
test_every_word_at_any_moment(void **state)
{
    static struct scene s;
    struct word words[MOST_WORDS];
    size_t count = all_words(words);
    struct hammer in, out;

    (void)state;
    scene_guard();
    scene_open(&s, "hammer");
    for (uint64_t seed = 1; seed <= 6; seed++) {
        /* All words; then those that move as audio does. */
        size_t from = seed % 2 == 0 ? 16 : 0;
        size_t n = seed % 2 == 0 ? 48 : count;

        hammer_start(&in, s.in, words + from, n, seed);
        hammer_start(&out, s.out, words + from, n, seed + 100);
        while (atomic_load(&in.blows) + atomic_load(&out.blows) == 0)
            sched_yield();
        for (int i = 0; i < 300; i++) {
            use_in_motion(&s);
            scene_repair(&s);
        }
        hammer_stop(&in);
        hammer_stop(&out);
        scenes_flow(&s, 1, "hammered");
    }
    scene_close(&s);
    vr_guard_remove();
}

/* head to and fro under a reader: it is never given a frame from beyond what
 * the words say, nor from before the ring began, and comes to an end. */
static void
test_head_to_and_fro(void **state)
{
    struct ring_host *host = harness_host("fro", VR_RING_OUT, 16000, 1, 0);
    struct vr_reader *r =
        harness_reader("fro", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    struct ring_layout *peer;
    uint64_t seed = 7, wrote;

    (void)state;
    scene_guard();
    wrote = 3 * HARNESS_FRAMES;
    for (uint64_t at = 0; at < wrote; at += HARNESS_FRAMES) {
        harness_fill(samples, at, HARNESS_FRAMES, 1);
        ring_host_write(host, samples, HARNESS_FRAMES);
    }
    peer = peer_map(host);
    for (int i = 0; i < 20000; i++) {
        uint64_t head = next_random(&seed) % (2 * wrote);
        struct vr_block block;

        atomic_store(&peer->head, head);
        if (next_random(&seed) % 2 == 0)
            atomic_store(&peer->intent, head + next_random(&seed) % 5000);
        for (int reads = 0; vr_read(r, samples, 1000, &block) != VR_AGAIN;) {
            assert_true(++reads < 100);
            assert_true(block.position + block.frames <= head ||
                        block.frames == 0);
            /* What lies where the gateway wrote is what it wrote. */
            if (block.position >= wrote - HARNESS_FRAMES && head <= wrote)
                assert_int_equal(harness_right(samples, block.position,
                                               (size_t)block.frames, 1),
                                 block.frames);
        }
    }
    peer_unmap(peer);
    vr_reader_close(&r);
    ring_host_close(&host);
    vr_guard_remove();
}

/* ---- the doorbell ------------------------------------------------------ */

static int
open_bell(const char *session)
{
    int fd;

    peer_bell_of(session, path);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static bool
rings(struct ring_host *host)
{
    struct pollfd wait = {.fd = ring_host_bell_fd(host), .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

/* Frames arrive exactly, whatever is in the bell; one drain takes at most one
 * read, so it is over although the bell is never empty. */
static void
test_bell_rung_without_end_and_robbed(void **state)
{
    static struct scene s;
    char bytes[65536];
    int fd;

    (void)state;
    memset(bytes, 0, sizeof bytes);
    scene_guard();
    scene_open(&s, "bell");
    fd = open_bell("bell");
    for (int i = 0; i < 200; i++) {
        while (i % 2 == 0 && write(fd, bytes, sizeof bytes / 16) > 0)
            continue;
        assert_false(ring_host_arm(s.in, 160));
        assert_true(i % 2 != 0 || rings(s.in));
        ring_host_drain(s.in);
        assert_true(i % 2 != 0 || rings(s.in));
        while (i % 2 != 0 && read(fd, bytes, sizeof bytes) > 0)
            continue;
        scenes_flow(&s, 1, "a bell without end, or robbed");
    }
    assert_int_equal(scene_repair(&s), 0);
    close(fd);
    scene_close(&s);
    vr_guard_remove();
}

/* ---- those who only hold something ------------------------------------- */

static void
test_readers_who_never_read(void **state)
{
    static struct scene s;
    struct vr_reader *idle[40];
    struct vr_block block;
    uint64_t lost = 0, got = 0, wrote, at = 0;

    (void)state;
    scene_guard();
    scene_open(&s, "idle");
    /* More than there are slots: who has none reads as well. */
    for (int i = 0; i < 40; i++)
        idle[i] = harness_reader("idle", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    assert_int_equal(ring_host_reader_count(s.out), RING_SLOTS);
    wrote = 10 * HARNESS_FRAMES;
    for (; at < wrote; at += 512) {
        harness_fill(samples, at, 512, 1);
        assert_int_equal(ring_host_write(s.out, samples, 512), at);
        assert_int_equal(vr_read(s.voice, samples, 1000, &block), VR_OK);
        assert_int_equal(block.frames, 512);
        assert_int_equal(harness_right(samples, at, 512, 1), 512);
    }
    /* The last one has no slot; all that it did not read it is told. */
    while (vr_read(idle[39], samples, 1000, &block) != VR_AGAIN) {
        assert_int_equal(
            harness_right(samples, block.position, (size_t)block.frames, 1),
            block.frames);
        lost += block.lost_frames;
        got += block.frames;
    }
    assert_int_equal(got + lost, wrote);
    assert_true(got > HARNESS_FRAMES / 2);
    for (int i = 0; i < 40; i++)
        vr_reader_close(&idle[i]);
    assert_int_equal(ring_host_reader_count(s.out), 1);
    scene_close(&s);
    vr_guard_remove();
}

static void
check_stopped(enum vr_status status, const char *why)
{
    assert_int_equal(status, VR_BUSY);
    assert_non_null(strstr(why, "\"frozen\""));
    assert_non_null(strstr(why, "stopped"));
}

/* Holders of both leases are stopped: told as such, in nobody's way but that of
 * those who want the lease, and at work again when they are continued. */
static void
test_stopped_holders(void **state)
{
    struct ring_host *in = harness_host("stop", VR_RING_IN, 16000, 1, 0);
    struct ring_host *out = harness_host("stop", VR_RING_OUT, 16000, 1, 0);
    struct peer *mic = peer_start(), *player = peer_start();
    struct vr_reader *ear =
        harness_reader("stop", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    struct vr_options options = harness_options();
    char why[VR_ERROR_BYTES];
    struct ring_host_span span;
    struct ring_peer who;
    struct vr_block block;
    struct vr_reader *r;
    struct vr_writer *w;

    (void)state;
    assert_string_equal(peer_ask(mic, "writer stop frozen"), "VR_OK ");
    assert_string_equal(peer_ask(player, "reader stop frozen 1 0"), "VR_OK ");
    assert_string_equal(peer_ask(mic, "write 200"), "VR_OK ");
    peer_kill(&mic, SIGSTOP);
    peer_kill(&player, SIGSTOP);
    ring_host_producer(in, &who);
    assert_int_equal(who.state, RING_PEER_STOPPED);
    assert_string_equal(who.name, "frozen");
    ring_host_player(out, &who);
    assert_int_equal(who.state, RING_PEER_STOPPED);
    check_stopped(vr_writer_open(&w, "stop", &options, why, sizeof why), why);
    options.role = VR_PLAYER;
    check_stopped(vr_reader_open(&r, "stop", &options, why, sizeof why), why);
    for (uint64_t at = 0; at < 5 * HARNESS_FRAMES; at += 500) {
        harness_fill(samples, at, 500, 1);
        ring_host_write(out, samples, 500);
        assert_int_equal(vr_read(ear, samples, 500, &block), VR_OK);
        assert_int_equal(harness_right(samples, at, 500, 1), 500);
    }
    assert_int_equal(ring_host_played(out), 0);
    assert_int_equal(ring_host_peek(in, samples, 500, &span), 200);
    assert_int_equal(harness_right(samples, 0, 200, 1), 200);
    ring_host_advance(in, 200);
    assert_false(ring_host_check(in));
    assert_false(ring_host_check(out));
    peer_kill(&mic, SIGCONT);
    peer_kill(&player, SIGCONT);
    assert_string_equal(peer_ask(mic, "write 100"), "VR_OK ");
    assert_int_equal(ring_host_peek(in, samples, 500, &span), 100);
    assert_int_equal(harness_right(samples, 200, 100, 1), 100);
    assert_int_equal(strncmp(peer_ask(player, "read 100"), "VR_LAPPED", 9), 0);
    /* Ended while stopped: free at once. */
    peer_kill(&mic, SIGSTOP);
    peer_kill(&mic, SIGKILL);
    assert_false(ring_host_has_producer(in));
    w = harness_writer("stop");
    vr_writer_close(&w);
    peer_end(&player);
    vr_reader_close(&ear);
    ring_host_close(&in);
    ring_host_close(&out);
}

/* Names of those who hold something, as a peer writes them: for a terminal,
 * not for a person. */
static void
test_names_that_a_terminal_obeys(void **state)
{
    static const char evil[RING_NAME_BYTES] =
        "\x1b[2J\x1b]0;owned\x07\r\nroot@robot:~# \xff\xfe%s%n";
    static struct scene s;
    struct vr_options options = harness_options();
    char why[VR_ERROR_BYTES] = "";
    struct ring_layout *peer;
    struct ring_peer who;
    struct vr_reader *r;

    (void)state;
    scene_guard();
    scene_open(&s, "names");
    peer = peer_map(s.out);
    for (int i = 0; i < 32; i++)
        memcpy((void *)peer->slots[i].name, evil, sizeof evil);
    peer_unmap(peer);
    ring_host_player(s.out, &who);
    options.role = VR_PLAYER;
    assert_int_equal(vr_reader_open(&r, "names", &options, why, sizeof why),
                     VR_BUSY);
    for (const char *c = why; *c != '\0'; c++)
        assert_in_range(*c, ' ', '~');
    for (const char *c = who.name; *c != '\0'; c++)
        assert_in_range(*c, ' ', '~');
    scenes_flow(&s, 1, "names");
    scene_close(&s);
    vr_guard_remove();
}

/* ---- the words that people sleep on ------------------------------------ */

struct waiters {
    pthread_t threads[500];
    _Atomic uint32_t *word;
    _Atomic uint32_t *sleepers;
    atomic_uint asleep, woken;
    atomic_bool stop;
};

static void *
sleep_on_word(void *arg)
{
    struct waiters *all = arg;
    struct timespec slice = {.tv_nsec = 100000000};

    atomic_fetch_add(&all->asleep, 1);
    while (!atomic_load(&all->stop)) {
        uint32_t seen = atomic_load(all->word);

        atomic_store(all->sleepers, 1);
        if (syscall(SYS_futex, all->word, FUTEX_WAIT, seen, &slice, NULL, 0) ==
            0)
            atomic_fetch_add(&all->woken, 1);
    }
    return NULL;
}

/* Hundreds who sleep where readers sleep, and again at once: the writer's work
 * is one call for all of them, and nobody's audio suffers. */
static void
test_crowd_on_the_futex(void **state)
{
    static struct waiters crowd;
    static struct scene s;
    struct ring_layout *peer;
    pthread_attr_t small;
    int count = 0;

    (void)state;
    scene_guard();
    scene_open(&s, "crowd");
    peer = peer_map(s.out);
    crowd.word = &peer->wake_word;
    crowd.sleepers = &peer->sleepers;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (count < 500 && pthread_create(&crowd.threads[count], &small,
                                         sleep_on_word, &crowd) == 0)
        count++;
    while (atomic_load(&crowd.asleep) < (unsigned)count)
        sched_yield();
    for (int i = 0; i < 20; i++)
        scenes_flow(&s, 1, "a crowd on the word");
    atomic_store(&crowd.stop, true);
    for (int i = 0; i < count; i++)
        pthread_join(crowd.threads[i], NULL);
    assert_true(atomic_load(&crowd.woken) > 0);
    pthread_attr_destroy(&small);
    peer_unmap(peer);
    scene_close(&s);
    vr_guard_remove();
}

struct waker {
    pthread_t thread;
    struct ring_layout *layout;
    atomic_bool stop;
    bool changes;
    uint64_t wakes;
};

static void *
wake_for_nothing(void *arg)
{
    struct waker *w = arg;

    while (!atomic_load(&w->stop)) {
        if (w->changes) {
            atomic_fetch_add(&w->layout->wake_word, 1);
            atomic_fetch_add(&w->layout->space_word, 1);
        }
        syscall(SYS_futex, &w->layout->wake_word, FUTEX_WAKE, 1000, NULL, NULL,
                0);
        syscall(SYS_futex, &w->layout->space_word, FUTEX_WAKE, 1000, NULL, NULL,
                0);
        w->wakes++;
    }
    return NULL;
}

static long
cpu_us(void)
{
    struct rusage use;

    getrusage(RUSAGE_THREAD, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000L +
           use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

/* Woken on and on for nothing, with the word the same or another: who waits
 * sleeps for nearly all of the time all the same. */
static void
wait_while_woken(bool changes)
{
    static struct scene s;
    struct waker waker = {.changes = changes};
    uint64_t begin_ns;
    long before_us, used_us, wall_us;

    scene_open(&s, "woken");
    harness_fill(samples, 0, HARNESS_FRAMES, 1);
    assert_int_equal(vr_write(s.mic, samples, HARNESS_FRAMES, 0), VR_OK);
    while (vr_read(s.ear, samples, HARNESS_FRAMES, NULL) != VR_AGAIN)
        continue;
    waker.layout = peer_map(s.in);
    pthread_create(&waker.thread, NULL, wake_for_nothing, &waker);
    before_us = cpu_us();
    begin_ns = vr_now_ns();
    assert_int_equal(vr_wait(s.ear, 300), VR_TIMEOUT);
    assert_int_equal(vr_wait_space(s.mic, 100, 300), VR_TIMEOUT);
    used_us = cpu_us() - before_us;
    wall_us = (long)((vr_now_ns() - begin_ns) / 1000);
    atomic_store(&waker.stop, true);
    pthread_join(waker.thread, NULL);
    assert_true(waker.wakes > 0);
    if (used_us > wall_us / 3)
        fail_msg("who waited took %ld us of %ld", used_us, wall_us);
    peer_unmap(waker.layout);
    scenes_flow(&s, 1, "woken for nothing");
    scene_close(&s);
}

static void
test_woken_for_nothing(void **state)
{
    (void)state;
    scene_guard();
    wait_while_woken(false);
    wait_while_woken(true);
    vr_guard_remove();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_value_in_any_word),
        cmocka_unit_test(test_every_word_at_any_moment),
        cmocka_unit_test(test_head_to_and_fro),
        cmocka_unit_test(test_bell_rung_without_end_and_robbed),
        cmocka_unit_test(test_readers_who_never_read),
        cmocka_unit_test(test_stopped_holders),
        cmocka_unit_test(test_names_that_a_terminal_obeys),
        cmocka_unit_test(test_crowd_on_the_futex),
        cmocka_unit_test(test_woken_for_nothing),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
