/* What objects and callers say of their own sizes: objects with other sizes
 * than ours, objects whose sizes cannot be, words that we do not know, and
 * callers compiled with another voxring.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_layout.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_name.h"
#include "tests/ipc/intruder.h"

#define FRAMES HARNESS_FRAMES
#define AT(member) offsetof(struct ring_layout, member)

static char object[RING_OBJECT_BYTES];

static int
up(void **state)
{
    char instance[RING_INSTANCE_BYTES];

    if (harness_up(state) != 0 ||
        ring_name_instance(instance, NULL, harness_dir, NULL, 0) != VR_OK)
        return -1;
    ring_name_object(object, instance, "size", VR_RING_OUT);
    return 0;
}

/* ---- objects ----------------------------------------------------------- */

/* The constants of an object that is as it should be. */
static struct ring_layout
good_header(void)
{
    return (struct ring_layout){.magic = RING_MAGIC,
                                .abi = RING_ABI,
                                .header_bytes = RING_HEADER_BYTES,
                                .epoch = 1,
                                .capacity_frames = FRAMES,
                                .rate_hz = 16000,
                                .channels = 1,
                                .frame_bytes = 2,
                                .direction = VR_RING_OUT,
                                .slot_count = RING_SLOTS,
                                .abi_oldest = RING_ABI_OLDEST,
                                .slot_bytes = sizeof(struct ring_slot),
                                .slots_at = AT(slots)};
}

/* Makes an object with that header, and `more` bytes than it says; returns its
 * descriptor, which holds the gateway's lock. */
static int
make_object(const struct ring_layout *header, int64_t more)
{
    uint64_t bytes = header->header_bytes +
                     header->capacity_frames * header->frame_bytes +
                     (uint64_t)more;
    int fd = shm_open(object, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_true(ring_lock_take(fd, RING_LOCK_GATEWAY));
    assert_int_equal(pwrite(fd, header, AT(slots), 0), AT(slots));
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    return fd;
}

static void
remove_object(int fd)
{
    close(fd);
    assert_int_equal(shm_unlink(object), 0);
}

/* A ring of other sizes than ours, used to its last slot and frame. */
static void
assert_usable(const struct ring_layout *header)
{
    int fd = make_object(header, 0);
    unsigned usable =
        header->slot_count < RING_SLOTS ? header->slot_count : RING_SLOTS;
    struct vr_reader *readers[RING_SLOTS];
    struct ring_slot slot;

    for (unsigned i = 1; i < RING_SLOTS; i++)
        readers[i] =
            harness_reader("size", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    assert_int_equal(ring_lock_count(fd, RING_LOCK_SLOT, RING_MAX_SLOTS),
                     usable - 1);
    for (unsigned i = 1; i < usable; i++) {
        assert_int_equal(
            pread(fd, &slot, sizeof slot,
                  header->slots_at + (off_t)i * header->slot_bytes),
            sizeof slot);
        assert_int_equal(slot.pid, getpid());
    }
    /* Nothing of them is where the frames are. */
    assert_int_equal(pread(fd, &slot, sizeof slot, header->header_bytes),
                     sizeof slot);
    assert_int_equal(slot.pid, 0);
    for (unsigned i = 1; i < RING_SLOTS; i++)
        vr_reader_close(&readers[i]);
    remove_object(fd);
}

static void
test_other_sizes_are_used(void **state)
{
    struct ring_layout header;

    (void)state;
    header = good_header();
    assert_usable(&header);
    header.header_bytes = 8192;
    assert_usable(&header);
    header.slots_at = 4096;
    assert_usable(&header);
    header.slot_bytes = 128;
    assert_usable(&header);
    header.slot_count = 5;
    assert_usable(&header);
    header.slot_count = 1;
    assert_usable(&header);
    header.header_bytes = RING_MAX_HEADER_BYTES;
    header.slot_count = RING_MAX_SLOTS;
    assert_usable(&header);
    header.slot_bytes = 960;
    assert_usable(&header);
    header.abi = 77;
    assert_usable(&header);
}

struct lie {
    const char *what;
    size_t at;
    uint64_t value;
    unsigned bytes; /* of the word; 0: the object is `value` bytes too long */
};

#define LIE(member, value)                         \
    {                                              \
#member, AT(member), (uint64_t)(value),    \
            sizeof((struct ring_layout){0}.member) \
    }

static const struct lie lies[] = {
    LIE(header_bytes, 0),
    LIE(header_bytes, 64),
    LIE(header_bytes, RING_HEADER_BYTES - 64),
    LIE(header_bytes, RING_HEADER_BYTES + 64),
    LIE(header_bytes, RING_MAX_HEADER_BYTES + 4096),
    LIE(header_bytes, 0xfffff000u),
    LIE(slots_at, 0),
    LIE(slots_at, AT(head)),
    LIE(slots_at, AT(slots) - 64),
    LIE(slots_at, AT(slots) + 1),
    LIE(slots_at, AT(slots) + 64),
    LIE(slots_at, RING_HEADER_BYTES),
    LIE(slots_at, 0xffffffc0u),
    LIE(slot_bytes, 0),
    LIE(slot_bytes, 32),
    LIE(slot_bytes, 65),
    LIE(slot_bytes, 128),
    LIE(slot_bytes, 0xffffffc0u),
    LIE(slot_count, 0),
    LIE(slot_count, RING_SLOTS + 1),
    LIE(slot_count, 5000),
    LIE(slot_count, 0x4000000u),
    LIE(slot_count, 0xffffffffu),
    LIE(abi_oldest, 0),
    LIE(abi_oldest, RING_ABI + 1),
    LIE(abi_oldest, 0xffffffffu),
    LIE(capacity_frames, 0),
    LIE(capacity_frames, FRAMES - 1),
    LIE(capacity_frames, RING_MIN_FRAMES / 2),
    LIE(capacity_frames, RING_MAX_FRAMES * 2),
    LIE(capacity_frames, UINT64_C(1) << 63),
    LIE(frame_bytes, 0),
    LIE(frame_bytes, 4),
    LIE(channels, 2),
    LIE(channels, 0),
    LIE(rate_hz, 0),
    LIE(rate_hz, 44100),
    LIE(direction, VR_RING_IN),
    LIE(direction, 7),
    LIE(first_position, RING_MAX_POSITION + 1),
    LIE(first_position, UINT64_MAX),
    {"a page more", 0, 4096, 0},
    {"a frame more", 0, 2, 0},
    {"a frame less", 0, (uint64_t)-2, 0},
    {"no frames", 0, (uint64_t)-2 * FRAMES, 0},
    {"half the frames", 0, (uint64_t)-FRAMES, 0},
};

/* `fits`: the object is as long as its header says, wherever a file may be so
 * long, so that nothing but the word gives the lie away. */
static void
refuse(const struct lie *lie, bool fits)
{
    struct ring_layout header = good_header();
    struct vr_options options = harness_options();
    char why[VR_ERROR_BYTES] = "";
    struct vr_reader *r;
    int64_t more = lie->bytes == 0 ? (int64_t)lie->value : 0;
    int fd;

    if (fits)
        memcpy((unsigned char *)&header + lie->at, &lie->value, lie->bytes);
    fd = make_object(&header, more);
    if (!fits)
        assert_int_equal(pwrite(fd, &lie->value, lie->bytes, (off_t)lie->at),
                         lie->bytes);
    options.ring = VR_RING_OUT;
    if (vr_reader_open(&r, "size", &options, why, sizeof why) != VR_CORRUPT)
        fail_msg("%s = %#llx is no damage: %s", lie->what,
                 (unsigned long long)lie->value, why);
    assert_null(r);
    assert_non_null(strstr(why, object));
    assert_non_null(strstr(why, "voxringd"));
    assert_false(harness_maps(getpid(), object));
    assert_int_equal(ring_lock_count(fd, 1, RING_MAX_SLOTS), 0);
    remove_object(fd);
}

static void
test_sizes_that_cannot_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct ring_layout header = good_header();

        refuse(&lies[i], false);
        memcpy((unsigned char *)&header + lies[i].at, &lies[i].value,
               lies[i].bytes);
        if (lies[i].bytes > 0 && header.capacity_frames <= RING_MAX_FRAMES * 2)
            refuse(&lies[i], true);
    }
}

static void
assert_not_yet(const struct ring_layout *header, int64_t more)
{
    struct vr_options options = harness_options();
    char why[VR_ERROR_BYTES] = "";
    struct vr_reader *r;
    int fd = make_object(header, more);

    options.ring = VR_RING_OUT;
    assert_int_equal(vr_reader_open(&r, "size", &options, why, sizeof why),
                     VR_NOT_FOUND);
    assert_non_null(strstr(why, "being made"));
    assert_false(harness_maps(getpid(), object));
    remove_object(fd);
}

/* An object without its magic, or too short to hold it, is being made. */
static void
test_an_object_in_the_making(void **state)
{
    struct ring_layout header = good_header();
    int64_t all = RING_HEADER_BYTES + FRAMES * 2;

    (void)state;
    assert_not_yet(&header, -all);
    assert_not_yet(&header, -all + 7);
    assert_not_yet(&header, -all + 64);
    header.magic = 0;
    assert_not_yet(&header, 0);
}

/* ---- words ------------------------------------------------------------- */

struct gap {
    size_t from, to;
};

/* Where a later version may have words: all that is in no word of ours. */
static const struct gap gaps[] = {
    {AT(rights) + 4, AT(intent)},
    {AT(wake_word) + 4, AT(flush_count)},
    {AT(flushes) + sizeof(struct ring_flush[2]), AT(read_position)},
    {AT(lost_frames) + 8, AT(sleepers)},
    {AT(sleepers) + 4, AT(holder)},
    {AT(holder.reserved), AT(played)},
    {AT(played) + 8, AT(runtime_dir)},
    {AT(runtime_dir) + RING_DIR_BYTES, AT(slots)},
};

static void
fill_gaps(unsigned char *header, unsigned char byte)
{
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
        memset(header + gaps[i].from, byte, gaps[i].to - gaps[i].from);
}

static void
assert_gaps(const unsigned char *header, unsigned char byte)
{
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
        for (size_t at = gaps[i].from; at < gaps[i].to; at++)
            if (header[at] != byte)
                fail_msg("the byte at %zu was %#x and is %#x", at, byte,
                         header[at]);
}

static void
use_in(struct ring_host *host)
{
    struct vr_writer *w = harness_writer("word");
    int16_t samples[FRAMES];
    struct ring_host_span span;

    harness_fill(samples, 0, FRAMES, 1);
    assert_int_equal(vr_write(w, samples, FRAMES, 0), VR_OK);
    assert_int_equal(ring_host_peek(host, samples, FRAMES, &span), FRAMES);
    assert_int_equal(harness_right(samples, 0, FRAMES, 1), FRAMES);
    ring_host_advance(host, FRAMES);
    assert_int_equal(vr_wait_space(w, FRAMES, 0), VR_OK);
    vr_writer_close(&w);
}

static void
use_out(struct ring_host *host)
{
    struct vr_reader *r =
        harness_reader("word", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    int16_t samples[FRAMES];
    struct vr_block block;

    harness_fill(samples, 0, FRAMES, 1);
    ring_host_write(host, samples, FRAMES);
    assert_int_equal(vr_wait(r, 10000), VR_OK);
    assert_int_equal(vr_read(r, samples, FRAMES / 2, &block), VR_OK);
    assert_int_equal(harness_right(samples, 0, block.frames, 1), FRAMES / 2);
    assert_int_equal(vr_played(r, 100), VR_OK);
    assert_int_equal(ring_host_played(host), 100);
    assert_true(ring_host_flush(host, FRAMES, 1));
    assert_int_equal(vr_read(r, samples, FRAMES, &block), VR_FLUSHED);
    assert_int_equal(vr_wait(r, 10), VR_TIMEOUT);
    vr_reader_close(&r);
}

/* Words that we do not know say nothing to us, and we leave them alone. */
static void
test_words_of_later_versions(void **state)
{
    (void)state;
    for (int ring = VR_RING_OUT; ring <= VR_RING_IN; ring++) {
        struct ring_host *host =
            harness_host("word", (enum vr_ring)ring, 16000, 1, 0);
        struct ring_layout *peer = intruder_map(host);
        unsigned char *header = (unsigned char *)peer;

        assert_gaps(header, 0);
        fill_gaps(header, 0xa5);
        if (ring == VR_RING_IN)
            use_in(host);
        else
            use_out(host);
        assert_gaps(header, 0xa5);
        assert_false(ring_host_check(host));
        intruder_unmap(peer);
        ring_host_close(&host);
    }
}

/* ---- callers ----------------------------------------------------------- */

struct newer_options {
    struct vr_options known;
    uint64_t later[4];
};

static void
refuse_reader(const struct vr_options *options, enum vr_status expected,
              const char *word)
{
    char why[VR_ERROR_BYTES] = "";
    struct vr_reader *r;

    assert_int_equal(vr_reader_open(&r, "call", options, why, sizeof why),
                     expected);
    assert_null(r);
    assert_non_null(strstr(why, word));
}

/* `options` of a caller that knows their first `bytes`. */
static void
accept_reader(struct vr_options *options, size_t bytes)
{
    struct vr_reader *r;

    options->struct_bytes = (uint32_t)bytes;
    assert_int_equal(vr_reader_open(&r, "call", options, NULL, 0), VR_OK);
    vr_reader_close(&r);
}

static void
test_options_of_every_size(void **state)
{
    struct ring_host *host = harness_host("call", VR_RING_OUT, 16000, 1, 0);
    struct newer_options newer = {.known = harness_options()};
    struct vr_options older = harness_options();

    (void)state;
    accept_reader(&older, 0);
    accept_reader(&newer.known, sizeof newer);
    newer.later[3] = 1;
    refuse_reader(&newer.known, VR_VERSION, "newer");
    newer.later[3] = 0;
    newer.known.struct_bytes = 4097;
    refuse_reader(&newer.known, VR_INVALID, "struct_bytes");
    newer.known.struct_bytes = UINT32_MAX;
    refuse_reader(&newer.known, VR_INVALID, "struct_bytes");

    /* What an old caller's struct lacks is not looked at. */
    older.past_frames = UINT64_MAX;
    older.marks_only = 1;
    older.start = (enum vr_start)99;
    older.role = (enum vr_role)99;
    older.ring = (enum vr_ring)99;
    accept_reader(&older, offsetof(struct vr_options, ring));
    older.struct_bytes = 0;
    refuse_reader(&older, VR_INVALID, "vr_options.ring");
    ring_host_close(&host);
}

#define TAIL 24

/* Statistics asked for with every size: what both know is right, what the
 * caller knows alone is 0, and behind the caller's struct nothing is written.
 */
static void
assert_stats(const unsigned char *whole, size_t known, const unsigned char *got,
             size_t asked)
{
    size_t both = asked < known ? asked : known;

    assert_memory_equal(got, whole, both);
    for (size_t i = both; i < asked; i++)
        assert_int_equal(got[i], 0);
    for (size_t i = asked; i < known + TAIL; i++)
        assert_int_equal(got[i], 0xa5);
}

static void
test_statistics_of_every_size(void **state)
{
    struct ring_host *in = harness_host("stat", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("stat");
    struct vr_reader *r =
        harness_reader("stat", VR_RING_IN, VR_OTHER, VR_START_NOW);
    union {
        struct vr_writer_stats writer;
        struct vr_reader_stats reader;
        unsigned char bytes[sizeof(struct vr_reader_stats) +
                            sizeof(struct vr_writer_stats) + TAIL];
    } got, whole_w, whole_r;
    int16_t samples[100] = {0};

    (void)state;
    assert_int_equal(vr_write(w, samples, 100, 0), VR_OK);
    vr_writer_stats(w, &whole_w.writer, sizeof whole_w.writer);
    vr_reader_stats(r, &whole_r.reader, sizeof whole_r.reader);
    assert_int_equal(whole_w.writer.written_frames, 100);
    assert_int_equal(whole_r.reader.head, 100);
    for (size_t asked = 0; asked <= sizeof whole_w.writer + TAIL; asked += 4) {
        memset(&got, 0xa5, sizeof got);
        vr_writer_stats(w, &got.writer, asked);
        assert_stats(whole_w.bytes, sizeof whole_w.writer, got.bytes, asked);
    }
    for (size_t asked = 0; asked <= sizeof whole_r.reader + TAIL; asked += 4) {
        memset(&got, 0xa5, sizeof got);
        vr_reader_stats(r, &got.reader, asked);
        assert_stats(whole_r.bytes, sizeof whole_r.reader, got.bytes, asked);
    }
    vr_writer_close(&w);
    vr_reader_close(&r);
    ring_host_close(&in);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, up, harness_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_other_sizes_are_used),    EACH(test_sizes_that_cannot_be),
        EACH(test_an_object_in_the_making), EACH(test_words_of_later_versions),
        EACH(test_options_of_every_size),   EACH(test_statistics_of_every_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
