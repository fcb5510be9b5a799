#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc/ring_step.h"
#include "tests/death/doom.h"
#include "tests/death/lane.h"

static struct doom_list *list;
static struct doom_step target;
static doom_last_fn *last_words;
static unsigned seen;
static doom_hook_fn *step_hook;

void
doom_record(struct doom_list *steps)
{
    steps->count = 0;
    list = steps;
}

void
doom_at(const struct doom_step *step, doom_last_fn *last)
{
    target = *step;
    seen = 0;
    last_words = last;
}

void
doom_hook(doom_hook_fn *hook)
{
    step_hook = hook;
}

void
doom_off(void)
{
    list = NULL;
    target.name = NULL;
}

static void
write_down(const char *name)
{
    unsigned nth = 1;

    for (unsigned i = 0; i < list->count; i++)
        nth += strcmp(list->step[i].name, name) == 0;
    if (list->count == DOOM_STEPS)
        lane_fail("more than %d steps in one operation", DOOM_STEPS);
    list->step[list->count++] = (struct doom_step){name, nth};
}

void
ring_step(const char *name)
{
    if (step_hook != NULL)
        step_hook(name);
    if (list != NULL)
        write_down(name);
    if (target.name == NULL || strcmp(target.name, name) != 0 ||
        ++seen != target.nth)
        return;
    last_words();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

bool
doom_passed(const struct doom_list *steps, const struct doom_step *step,
            const char *name)
{
    bool passed = false;

    for (unsigned i = 0; i < steps->count; i++) {
        const struct doom_step *s = &steps->step[i];

        passed |= strcmp(s->name, name) == 0;
        if (strcmp(s->name, step->name) == 0 && s->nth == step->nth)
            return passed;
    }
    return passed;
}

bool
doom_reap(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        lane_fail("a child is lost");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        lane_fail("a child ended with status 0x%x", (unsigned)status);
    return false;
}

void
doom_kill_after(pid_t pid, uint64_t delay_ns)
{
    struct timespec delay = {.tv_nsec = (long)delay_ns};

    nanosleep(&delay, NULL);
    kill(pid, SIGKILL);
    if (!doom_reap(pid))
        lane_fail("a child ended by itself");
}

void
doom_trace_mark(void)
{
    static bool traced;

    /* Not allowed: the parent sees no stop by a tracer, and says so. */
    if (!traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(0);
    traced = true;
    raise(SIGSTOP);
}

/* Whether it stopped, and by which signal. */
static bool
stopped_by(pid_t pid, int signal)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        lane_fail("a traced child is lost");
    return WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

enum doom_trace
doom_kill_at(pid_t pid, unsigned instructions)
{
    bool whole = true;

    if (!stopped_by(pid, SIGSTOP))
        return DOOM_NO_PTRACE;
    for (unsigned i = 0; i < instructions && whole; i++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0)
            lane_fail("a traced child cannot be stepped");
        whole = stopped_by(pid, SIGTRAP);
    }
    kill(pid, SIGKILL);
    if (!doom_reap(pid))
        lane_fail("a traced child ended by itself");
    return whole ? DOOM_TRACED : DOOM_TOO_SHORT;
}
