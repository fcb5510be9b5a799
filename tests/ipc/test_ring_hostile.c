/* What a peer may write into the memory of a session's rings: any value into
 * any word at any moment. Healthy parties around it are never hurt, and audio
 * goes on, or goes on again once the gateway has looked (test_ring_files has
 * what is done to the files, test_ring_nuisance what needs no wrong word). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "tests/ipc/intruder.h"
#include "tests/ipc/scene.h"

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
    struct ring_layout *layout = intruder_map(host);
    unsigned char *at = (unsigned char *)layout + word->offset;
    uint64_t now = 0;

    memcpy(&now, at, word->bytes);
    now = hostile_value(value, now);
    memcpy(at, &now, word->bytes);
    intruder_unmap(layout);
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
    *h = (struct hammer){.layout = intruder_map(host),
                         .words = words,
                         .count = count,
                         .seed = seed};
    assert_int_equal(pthread_create(&h->thread, NULL, hammer, h), 0);
}

static void
hammer_stop(struct hammer *h)
{
    atomic_store(&h->stop, true);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
    intruder_unmap(h->layout);
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
    peer = intruder_map(host);
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
    intruder_unmap(peer);
    vr_reader_close(&r);
    ring_host_close(&host);
    vr_guard_remove();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_value_in_any_word),
        cmocka_unit_test(test_every_word_at_any_moment),
        cmocka_unit_test(test_head_to_and_fro),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
