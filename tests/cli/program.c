#include "tests/cli/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/cli/wav.h"

#define PROGRAMS_MAX 128
#define ARGUMENTS_MAX 24
#define LIMIT_S 30

char program_dir[64];
static struct program *programs[PROGRAMS_MAX];
static size_t program_count;

static void
remove_files(void)
{
    DIR *dir = opendir(program_dir);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
    rmdir(program_dir);
}

int
program_up(void **state)
{
    (void)state;
    snprintf(program_dir, sizeof program_dir, "/tmp/vr-cli-XXXXXX");
    return mkdtemp(program_dir) ? 0 : -1;
}

int
program_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < program_count; i++) {
        if (programs[i]->code < 0) {
            kill(programs[i]->pid, SIGKILL);
            waitpid(programs[i]->pid, NULL, 0);
        }
        free(programs[i]);
    }
    program_count = 0;
    remove_files();
    return 0;
}

const char *
program_path(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", program_dir, name);
    return path;
}

static void
open_as(int fd, const char *path, int flags)
{
    int opened = open(path, flags, 0600);
    if (opened < 0 || dup2(opened, fd) < 0)
        _exit(99);
    close(opened);
}

/* In the child. */
static void
become(const char *input, const char *name, const char *const *arguments)
{
    const char *build = getenv("VOXRING_BUILD");
    const char *all[ARGUMENTS_MAX + 4];
    char path[512], errors[512];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/voxring", build ? build : "build");
    all[count++] = path;
    for (; *arguments && count < ARGUMENTS_MAX; arguments++)
        all[count++] = *arguments;
    all[count] = NULL;
    setenv("VOXRING_RUNTIME_DIR", program_dir, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(LIMIT_S);
    open_as(0, input ? input : "/dev/null", O_RDONLY);
    open_as(1, program_path(name), O_WRONLY | O_CREAT | O_TRUNC);
    snprintf(errors, sizeof errors, "%s/%s.err", program_dir, name);
    open_as(2, errors, O_WRONLY | O_CREAT | O_TRUNC);
    execv(path, (char *const *)all);
    _exit(98);
}

struct program *
program_start(const char *input, const char *const *arguments)
{
    char name[32];
    struct program *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_true(program_count < PROGRAMS_MAX);
    snprintf(name, sizeof name, "out%zu", program_count);
    p->code = -1;
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0)
        become(input, name, arguments);
    programs[program_count++] = p;
    return p;
}

static void
read_text(const char *name, char *text, size_t size)
{
    int fd = open(program_path(name), O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

bool
program_ended(struct program *program)
{
    int status;
    char name[32];
    size_t index = 0;
    if (program->code >= 0)
        return true;
    if (waitpid(program->pid, &status, WNOHANG) != program->pid)
        return false;
    program->code =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    while (programs[index] != program)
        index++;
    snprintf(name, sizeof name, "out%zu", index);
    read_text(name, program->out, sizeof program->out);
    snprintf(name, sizeof name, "out%zu.err", index);
    read_text(name, program->err, sizeof program->err);
    return true;
}

int
program_wait(struct program *program)
{
    while (!program_ended(program))
        program_pause();
    return program->code;
}

void
program_await(struct program *program, const char *text)
{
    char name[32];
    size_t index = 0;
    while (programs[index] != program)
        index++;
    snprintf(name, sizeof name, "out%zu", index);
    for (bool ended = false;; program_pause()) {
        char now[sizeof program->out];
        read_text(name, now, sizeof now);
        if (strstr(now, text))
            return;
        if (ended)
            fail_msg("no \"%s\" in: %s%s", text, now, program->err);
        ended = program_ended(program);
    }
}

struct program *
program_run(const char *input, const char *const *arguments)
{
    struct program *p = program_start(input, arguments);
    program_wait(p);
    return p;
}

const char *
program_file(const char *name, const void *bytes, size_t count)
{
    const char *path = program_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
    return path;
}

uint8_t *
program_bytes(const char *name, size_t *count)
{
    FILE *file = fopen(program_path(name), "rb");
    uint8_t *bytes = malloc(1 << 22);
    assert_non_null(file);
    assert_non_null(bytes);
    *count = fread(bytes, 1, 1 << 22, file);
    fclose(file);
    return bytes;
}

const char *
program_wav(const char *name, uint32_t rate_hz, uint32_t channels,
            const int16_t *samples, size_t frames)
{
    size_t bytes = frames * channels * sizeof *samples;
    uint8_t *file = malloc(WAV_HEADER_BYTES + bytes);
    assert_non_null(file);
    wav_header(file, rate_hz, channels, bytes);
    memcpy(file + WAV_HEADER_BYTES, samples, bytes);
    const char *path = program_file(name, file, WAV_HEADER_BYTES + bytes);
    free(file);
    return path;
}

void
program_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}
