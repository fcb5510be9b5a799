#include "tools/toolhost/outbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tools/toolhost/fence.h"
#include "tools/toolhost/limit.h"

#define WAITING_MAX 256

struct letter {
    struct letter *next;
    char *text;
};

static struct {
    pthread_mutex_t lock;
    struct letter *first;
    struct letter **tail;
    unsigned count;
    int fd;
} outbox = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

bool
outbox_init(void)
{
    outbox.tail = &outbox.first;
    outbox.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return outbox.fd >= 0;
}

int
outbox_fd(void)
{
    return outbox.fd;
}

void
outbox_wake(void)
{
    int saved = errno;
    uint64_t one = 1;

    /* EAGAIN: it is readable already */
    if (write(outbox.fd, &one, sizeof one) < 0 && errno != EAGAIN)
        fence_check();
    errno = saved;
}

void
outbox_clear(void)
{
    uint64_t count;
    ssize_t n = read(outbox.fd, &count, sizeof count);

    if (n != (ssize_t)sizeof count && !(n < 0 && errno == EAGAIN))
        fence_end(EXIT_FAILURE, "its event descriptor is another: the plugin "
                                "closed what is not its own");
}

static bool
put(char *text, bool must)
{
    struct letter *letter = text ? malloc(sizeof *letter) : NULL;
    bool taken = false;

    if (letter) {
        letter->text = text;
        letter->next = NULL;
        pthread_mutex_lock(&outbox.lock);
        taken = must || outbox.count < WAITING_MAX;
        if (taken) {
            *outbox.tail = letter;
            outbox.tail = &letter->next;
            outbox.count++;
        }
        pthread_mutex_unlock(&outbox.lock);
    }
    if (!taken) {
        free(letter);
        free(text);
        return false;
    }
    outbox_wake();
    return true;
}

void
outbox_put(char *text)
{
    if (!put(text, true))
        limit_is_reached();
}

bool
outbox_try(char *text)
{
    return put(text, false);
}

char *
outbox_take(void)
{
    struct letter *letter;
    char *text;

    pthread_mutex_lock(&outbox.lock);
    letter = outbox.first;
    if (letter) {
        outbox.first = letter->next;
        if (!outbox.first)
            outbox.tail = &outbox.first;
        outbox.count--;
    }
    pthread_mutex_unlock(&outbox.lock);
    if (!letter)
        return NULL;
    text = letter->text;
    free(letter);
    return text;
}

void
outbox_return(char *text)
{
    struct letter *letter = malloc(sizeof *letter);

    if (!letter)
        limit_is_reached();
    letter->text = text;
    pthread_mutex_lock(&outbox.lock);
    letter->next = outbox.first;
    if (!outbox.first)
        outbox.tail = &letter->next;
    outbox.first = letter;
    outbox.count++;
    pthread_mutex_unlock(&outbox.lock);
}
