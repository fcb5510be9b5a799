#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ring_holder.h"

#define NAME_WORDS (RING_NAME_BYTES / 8)

static void
make_printable(char name[RING_NAME_BYTES])
{
    name[RING_NAME_BYTES - 1] = '\0';
    for (char *c = name; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    if (name[0] == '\0')
        memcpy(name, "?", 2);
}

void
ring_holder_sign(_Atomic uint32_t *pid, _Atomic uint64_t *name_words,
                 const char *name)
{
    char text[RING_NAME_BYTES] = "";
    uint64_t words[NAME_WORDS];

    if (name == NULL)
        name = program_invocation_short_name;
    memcpy(text, name, strnlen(name, sizeof text - 1));
    make_printable(text);
    memcpy(words, text, sizeof words);
    /* Relaxed: read for display, and made printable by whoever reads. */
    for (size_t i = 0; i < NAME_WORDS; i++)
        atomic_store_explicit(&name_words[i], words[i], memory_order_relaxed);
    atomic_store_explicit(pid, (uint32_t)getpid(), memory_order_relaxed);
}

/* The state is the letter behind the last ')': the name before it may hold
 * anything. */
bool
ring_holder_is_stopped(uint32_t pid)
{
    char path[32], text[512];
    const char *state;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%lu/stat", (unsigned long)pid);
    fd = pid != 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    state = strrchr(text, ')');
    return state != NULL && state[1] == ' ' &&
           (state[2] == 'T' || state[2] == 't');
}

void
ring_holder_read(struct ring_holder_card *card, _Atomic uint32_t *pid,
                 _Atomic uint64_t *name_words)
{
    uint64_t words[NAME_WORDS];

    /* Relaxed: a name that changes meanwhile may come out mixed. */
    for (size_t i = 0; i < NAME_WORDS; i++)
        words[i] = atomic_load_explicit(&name_words[i], memory_order_relaxed);
    memcpy(card->name, words, sizeof words);
    make_printable(card->name);
    card->pid = atomic_load_explicit(pid, memory_order_relaxed);
    card->stopped = ring_holder_is_stopped(card->pid);
}
