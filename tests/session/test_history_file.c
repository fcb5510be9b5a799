/* A history kept in a file: written whole or not at all, by one at a time,
 * read back, set aside when it is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/session/history_disk.h"
#include "gateway/session/history_file.h"
#include "tests/shared/starve.h"

#define WHOLE                                                             \
    "{\"voxring_history\":1,\"conversation\":\"c-1\",\"revision\":\"9\"," \
    "\"messages\":[{\"role\":\"user\",\"text\":\"hi\"}]}"

static struct {
    char dir[64], path[96];
    uv_loop_t loop;
    struct history *history;
    struct history_file *file;
    struct history_loaded loaded;
    unsigned asked, saved, failed, done;
    uint64_t saved_revision;
    size_t saved_messages;
    char sentence[HISTORY_WHY_BYTES], done_why[HISTORY_WHY_BYTES];
    bool close_when_saved;
} t;

static void
on_done(void *arg, const char *why)
{
    (void)arg;
    t.done++;
    snprintf(t.done_why, sizeof t.done_why, "%s", why ? why : "");
}

static void
on_state(void *arg, struct history_state *state)
{
    assert_ptr_equal(arg, &t);
    t.asked++;
    state->history = t.history;
    state->conversation = "5f0c";
    state->extra = cJSON_CreateObject();
    cJSON_AddNumberToObject(state->extra, "turn", 7);
}

static void
on_saved(void *arg, uint64_t revision, size_t messages, size_t file_bytes)
{
    (void)arg;
    struct stat st;
    t.saved++;
    t.saved_revision = revision;
    t.saved_messages = messages;
    assert_true(messages <= 80);
    assert_int_equal(stat(t.path, &st), 0);
    assert_int_equal(st.st_size, file_bytes);
    assert_int_equal(st.st_mode & 0777, 0600);
    if (t.close_when_saved)
        history_file_close(&t.file, on_done, NULL);
}

static void
on_failed(void *arg, const char *sentence)
{
    (void)arg;
    t.failed++;
    snprintf(t.sentence, sizeof t.sentence, "%s", sentence);
}

static const struct history_file_ops ops = {on_state, on_saved, on_failed};

static int
set_up(void **state)
{
    struct history_limits limits = {40960, 40};
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.dir, sizeof t.dir, "/tmp/voxring-history-XXXXXX");
    assert_non_null(mkdtemp(t.dir));
    snprintf(t.path, sizeof t.path, "%s/h.json", t.dir);
    assert_int_equal(uv_loop_init(&t.loop), 0);
    t.history = history_new(&limits);
    return 0;
}

/* Every file in the folder, removed; their number. */
static int
empty_folder(void)
{
    int count = 0;
    DIR *dir = opendir(t.dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[400];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", t.dir, e->d_name);
        count++;
        assert_int_equal(remove(path), 0);
    }
    closedir(dir);
    return count;
}

static int
tear_down(void **state)
{
    (void)state;
    history_file_close(&t.file, NULL, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    history_loaded_fini(&t.loaded);
    history_free(&t.history);
    empty_folder();
    assert_int_equal(rmdir(t.dir), 0);
    return 0;
}

static enum vr_status
open_file(void)
{
    history_loaded_fini(&t.loaded);
    return history_file_open(&t.loop, t.path, &ops, &t, &t.file, &t.loaded,
                             t.sentence, sizeof t.sentence);
}

static void
close_file(void)
{
    t.done = 0;
    history_file_close(&t.file, on_done, NULL);
    assert_null(t.file);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.done, 1);
}

static void
say(uint64_t turn, const char *text)
{
    assert_int_equal(history_add(t.history, HISTORY_USER, turn, 1, text),
                     VR_OK);
    if (t.file)
        history_file_changed(t.file);
}

/* Runs the loop until `*count` is `wanted`. */
static void
wait_for(const unsigned *count, unsigned wanted)
{
    while (*count < wanted)
        assert_true(uv_run(&t.loop, UV_RUN_ONCE) || *count >= wanted);
}

static void
write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void
test_what_was_saved_is_read_again(void **state)
{
    (void)state;
    assert_int_equal(open_file(), VR_OK);
    assert_int_equal(t.loaded.revision, 0);
    assert_string_equal(t.loaded.damaged, "");
    say(1, "hello");
    wait_for(&t.saved, 1);
    assert_int_equal(t.saved_revision, history_revision(t.history));
    say(2, "again");
    close_file();
    assert_string_equal(t.done_why, "");
    assert_int_equal(t.asked, 2);
    assert_int_equal(open_file(), VR_OK);
    assert_int_equal(t.loaded.import.count, 2);
    assert_string_equal(t.loaded.import.messages[1].text, "again");
    assert_int_equal(t.loaded.import.messages[1].turn, 2);
    assert_int_equal(t.loaded.revision, history_revision(t.history));
    assert_string_equal(t.loaded.conversation, "5f0c");
    assert_int_equal(cJSON_GetObjectItem(t.loaded.extra, "turn")->valuedouble,
                     7);
    assert_int_equal(history_restore(t.history, t.loaded.import.messages,
                                     t.loaded.import.count, t.loaded.revision),
                     VR_OK);
    close_file();
    assert_int_equal(t.asked, 2);
    assert_int_equal(empty_folder(), 1);
}

static void
test_many_changes_are_few_writes(void **state)
{
    (void)state;
    assert_int_equal(open_file(), VR_OK);
    for (unsigned turn = 1; turn <= 500; turn++) {
        say(turn, "words");
        if (turn % 50 == 0)
            uv_run(&t.loop, UV_RUN_NOWAIT);
    }
    while (t.saved_revision != history_revision(t.history))
        uv_run(&t.loop, UV_RUN_ONCE);
    assert_in_range(t.saved, 1, 4);
    unsigned asked = t.asked;
    close_file();
    assert_int_equal(t.asked, asked);
}

static void
test_a_close_waits_for_the_newest(void **state)
{
    (void)state;
    assert_int_equal(open_file(), VR_OK);
    say(1, "one");
    while (t.asked < 1)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    say(2, "two"); /* while the first is being written */
    close_file();
    assert_int_equal(open_file(), VR_OK);
    assert_int_equal(t.loaded.import.count, 2);
    close_file();
}

static void
test_it_may_be_closed_from_its_callback(void **state)
{
    (void)state;
    assert_int_equal(open_file(), VR_OK);
    t.close_when_saved = true;
    say(1, "one");
    wait_for(&t.done, 1);
    assert_null(t.file);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.done, 1);
}

static void
test_one_owner_at_a_time(void **state)
{
    struct history_file *second;
    struct history_loaded loaded;
    char why[HISTORY_WHY_BYTES] = "";
    (void)state;
    assert_int_equal(open_file(), VR_OK);
    assert_int_equal(history_file_open(&t.loop, t.path, &ops, &t, &second,
                                       &loaded, why, sizeof why),
                     VR_BUSY);
    assert_null(second);
    assert_non_null(strstr(why, "is in use by another session or gateway"));
    close_file();
    assert_int_equal(open_file(), VR_OK);
    close_file();
    assert_int_equal(empty_folder(), 0);
}

static void
test_no_folder_is_told(void **state)
{
    (void)state;
    snprintf(t.path, sizeof t.path, "%s/none/h.json", t.dir);
    assert_int_equal(open_file(), VR_NOT_FOUND);
    assert_non_null(strstr(t.sentence, "is not there; make it"));
    snprintf(t.path, sizeof t.path, "%s/", t.dir);
    assert_int_equal(open_file(), VR_INVALID);
    assert_non_null(strstr(t.sentence, "names no file"));
}

/* ---- damage ---- */

static void
assert_damaged(const char *why)
{
    assert_int_equal(open_file(), VR_OK);
    if (!strstr(t.loaded.damaged, why))
        fail_msg("'%s' lacks '%s'", t.loaded.damaged, why);
    assert_non_null(strstr(t.loaded.damaged, ".damaged-"));
    assert_int_equal(t.loaded.import.count, 0);
    assert_int_equal(t.loaded.revision, 0);
    assert_int_equal(access(t.path, F_OK), -1);
    close_file();
}

static void
test_what_is_damaged_is_set_aside(void **state)
{
    static const char *const cases[][2] = {
        {"", "it is empty"},
        {"{\"voxring_history\":1,\"mess", "at byte"},
        {WHOLE "x", "something stands behind the end"},
        {"[]", "no history that voxring has written"},
        {"{}", "no history that voxring has written"},
        {"{\"voxring_history\":2}", "it has version 2; this voxring reads 1"},
        {"{\"voxring_history\":1}", "it lacks its messages"},
        {"{\"voxring_history\":1,\"messages\":[{}]}", "messages[0].role"},
        {"{\"voxring_history\":1,\"messages\":[],\"extra\":7}", "extra"},
        {"\xff", "a byte is no UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(t.path, cases[i][0]);
        assert_damaged(cases[i][1]);
    }
    write_text(t.path, "");
    assert_int_equal(truncate(t.path, HISTORY_DOCUMENT_BYTES_MAX + 1), 0);
    assert_damaged("more than");
    assert_int_equal(empty_folder(), HISTORY_DISK_DAMAGED_KEPT);
    write_text(t.path, WHOLE);
    assert_int_equal(open_file(), VR_OK);
    assert_string_equal(t.loaded.damaged, "");
    assert_int_equal(t.loaded.revision, 9);
    assert_string_equal(t.loaded.conversation, "c-1");
    close_file();
}

static void
test_every_cut_of_a_file_is_damage(void **state)
{
    char text[] = WHOLE;
    char why[HISTORY_WHY_BYTES];
    (void)state;
    assert_int_equal(history_document_parse(text, sizeof text - 1, &t.loaded,
                                            why, sizeof why),
                     VR_OK);
    for (size_t size = 0; size + 1 < sizeof text; size++) {
        history_loaded_fini(&t.loaded);
        assert_int_equal(
            history_document_parse(text, size, &t.loaded, why, sizeof why),
            VR_CORRUPT);
    }
}

static void
test_an_id_that_is_none_is_not_taken(void **state)
{
    static const char text[] =
        "{\"voxring_history\":1,\"conversation\":\"a\\u001b[2J\","
        "\"messages\":[]}";
    char why[HISTORY_WHY_BYTES];
    (void)state;
    assert_int_equal(history_document_parse(text, sizeof text - 1, &t.loaded,
                                            why, sizeof why),
                     VR_OK);
    assert_string_equal(t.loaded.conversation, "");
    assert_int_equal(t.loaded.revision, 1);
}

static void
test_what_is_no_file_is_left_alone(void **state)
{
    char target[96];
    struct stat st;
    (void)state;
    snprintf(target, sizeof target, "%s/target", t.dir);
    write_text(target, "garbage");
    assert_int_equal(symlink(target, t.path), 0);
    assert_int_equal(open_file(), VR_INVALID);
    assert_non_null(strstr(t.sentence, "is a symbolic link"));
    assert_int_equal(lstat(t.path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(t.path), 0);
    assert_int_equal(mkfifo(t.path, 0600), 0);
    assert_int_equal(open_file(), VR_INVALID);
    assert_non_null(strstr(t.sentence, "is no regular file"));
    assert_int_equal(unlink(t.path), 0);
    assert_int_equal(mkdir(t.path, 0700), 0);
    assert_int_equal(open_file(), VR_INVALID);
    assert_null(t.file);
}

static void
test_a_failure_is_told_once_and_tried_again(void **state)
{
    char temporary[112];
    (void)state;
    snprintf(temporary, sizeof temporary, "%s.tmp", t.path);
    assert_int_equal(open_file(), VR_OK);
    assert_int_equal(mkdir(temporary, 0700), 0);
    say(1, "one");
    wait_for(&t.failed, 1);
    assert_non_null(strstr(t.sentence, "cannot write"));
    say(2, "two");
    wait_for(&t.asked, 2);
    assert_int_equal(rmdir(temporary), 0);
    while (!t.saved) {
        say(3, "three");
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_int_equal(t.failed, 1);
    assert_int_equal(mkdir(temporary, 0700), 0);
    say(4, "four");
    close_file();
    assert_non_null(strstr(t.done_why, "cannot write"));
    assert_int_equal(rmdir(temporary), 0);
    assert_int_equal(open_file(), VR_OK);
    assert_int_equal(t.loaded.import.count, t.saved_messages);
    close_file();
}

static void
test_a_close_tries_what_failed_again(void **state)
{
    char temporary[112];
    (void)state;
    snprintf(temporary, sizeof temporary, "%s.tmp", t.path);
    assert_int_equal(mkdir(temporary, 0700), 0);
    assert_int_equal(open_file(), VR_OK);
    say(1, "one");
    wait_for(&t.failed, 1);
    assert_int_equal(rmdir(temporary), 0);
    close_file();
    assert_string_equal(t.done_why, "");
    assert_int_equal(open_file(), VR_OK);
    assert_int_equal(t.loaded.import.count, 1);
    close_file();
}

/* The file may have so many bytes, then writing fails in the middle. */
static void
test_a_write_that_stops_in_the_middle_changes_nothing(void **state)
{
    struct history_disk disk;
    struct rlimit few = {.rlim_cur = 100}, before;
    char why[HISTORY_WHY_BYTES], large[1000];
    enum vr_status status;
    size_t bytes;
    (void)state;
    memset(large, 'x', sizeof large);
    write_text(t.path, "old");
    assert_int_equal(history_disk_open(&disk, t.path, why, sizeof why), VR_OK);
    getrlimit(RLIMIT_FSIZE, &before);
    few.rlim_max = before.rlim_max;
    void (*action)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    status = history_disk_write(&disk, large, sizeof large, why, sizeof why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, action);
    assert_int_equal(status, VR_SYSTEM);
    char *text =
        history_disk_read(&disk, 100, &bytes, &status, why, sizeof why);
    assert_string_equal(text, "old");
    free(text);
    history_disk_close(&disk);
    assert_int_equal(empty_folder(), 1);
}

/* ---- kill -9 ---- */

/* Writes one state after the other, a byte into the pipe for each. */
static void
write_for_ever(int pipe_fd)
{
    struct history_disk disk;
    char why[HISTORY_WHY_BYTES];
    if (history_disk_open(&disk, t.path, why, sizeof why) != VR_OK)
        _exit(2);
    for (unsigned turn = 1;; turn++) {
        struct history_state state = {.history = t.history};
        if (history_add(t.history, HISTORY_USER, turn, 1, "some words") !=
            VR_OK)
            _exit(3);
        cJSON *json = history_document_make(&state);
        char *text = cJSON_PrintUnformatted(json);
        if (history_disk_write(&disk, text, strlen(text), why, sizeof why) !=
                VR_OK ||
            write(pipe_fd, "", 1) != 1)
            _exit(4);
        cJSON_free(text);
        cJSON_Delete(json);
    }
}

static void
kill_after(unsigned writes, unsigned spin)
{
    int fds[2], status;
    char byte;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0)
        write_for_ever(fds[1]);
    close(fds[1]);
    for (unsigned i = 0; i < writes; i++)
        assert_int_equal(read(fds[0], &byte, 1), 1);
    for (volatile unsigned i = 0; i < spin; i++)
        continue;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(fds[0]);
}

static void
test_a_kill_never_leaves_a_damaged_file(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        kill_after(1 + round % 3, round * 7919 % 400000);
        assert_int_equal(open_file(), VR_OK);
        assert_string_equal(t.loaded.damaged, "");
        assert_true(t.loaded.import.count >= 1 + round % 3);
        close_file();
    }
}

/* ---- want of memory ---- */

static void
test_any_allocation_may_fail(void **state)
{
    (void)state;
    if (!starve_works()) {
        print_message("skipped: only glibc lets malloc() be stood in for\n");
        skip();
    }
    long number = 0;
    bool more = true;
    for (; more; number++) {
        write_text(t.path, WHOLE);
        long live = starve_live();
        starve_at(number);
        enum vr_status status = open_file();
        more = starve_end();
        assert_true(status == VR_OK || status == VR_NO_MEMORY);
        if (status == VR_OK)
            close_file();
        history_loaded_fini(&t.loaded);
        struct history_state kept = {.history = t.history,
                                     .extra = cJSON_CreateObject()};
        starve_at(number);
        cJSON *json = history_document_make(&kept);
        more = starve_end() || more;
        cJSON_Delete(json);
        assert_int_equal(starve_live(), live);
    }
    assert_in_range(number, 10, 500);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_what_was_saved_is_read_again),
        T(test_many_changes_are_few_writes),
        T(test_a_close_waits_for_the_newest),
        T(test_it_may_be_closed_from_its_callback),
        T(test_one_owner_at_a_time),
        T(test_no_folder_is_told),
        T(test_what_is_damaged_is_set_aside),
        T(test_every_cut_of_a_file_is_damage),
        T(test_an_id_that_is_none_is_not_taken),
        T(test_what_is_no_file_is_left_alone),
        T(test_a_failure_is_told_once_and_tried_again),
        T(test_a_close_tries_what_failed_again),
        T(test_a_write_that_stops_in_the_middle_changes_nothing),
        T(test_a_kill_never_leaves_a_damaged_file),
        T(test_any_allocation_may_fail),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
