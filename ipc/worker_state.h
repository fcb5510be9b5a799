/* What the files of the worker share. The socket and the link belong to the
 * thread that steps; everything below `lock` is under it. */
#ifndef IPC_WORKER_STATE_H
#define IPC_WORKER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "ipc/voxring_worker.h"

#define WORKER_NAME_BYTES 65
#define WORKER_ASKS_MAX 32
/* Messages waiting for the socket. Beyond the first bound what may be lost is
 * dropped; beyond the second nothing more is read. */
#define WORKER_OUTBOX_LOSSY 128
#define WORKER_OUTBOX_FULL 256

enum worker_link {
    WORKER_LINK_HELLO, /* no hello accepted yet, or anew */
    WORKER_LINK_READY,
    WORKER_LINK_REFUSED /* for good */
};

struct worker_offer {
    char name[WORKER_NAME_BYTES]; /* "": free */
    char *json;                   /* its entry in tools/list */
    bool serial;
    vr_worker_call_fn *call;
    void *arg;
};

struct worker_task {
    uint64_t token; /* 0: free */
    char *id;       /* as JSON */
    char *progress_token;
    char *tool, *arguments, *session, *conversation, *turn;
    uint64_t deadline_ns;
    uint64_t progress_ns; /* when the last one went out */
    vr_worker_call_fn *call;
    void *arg;
    bool serial;
    bool entered;   /* the function was called */
    bool returned;  /* and has returned */
    bool completed; /* an answer is out, or nobody wants one */
    bool cancelled;
};

struct worker_ask {
    uint64_t id; /* 0: free */
    bool answered;
    enum vr_status status;
    cJSON *result;
    char why[VR_ERROR_BYTES];
};

struct worker_text {
    struct worker_text *next;
    char *text;
};

struct vr_worker {
    pid_t pid; /* of the process that opened it */
    char name[WORKER_NAME_BYTES];
    char *endpoint, *token_file, *instance;
    vr_worker_call_fn *catch_all;
    void *catch_all_arg;
    vr_log_fn *log;
    void *log_arg;
    pthread_t *threads;
    unsigned thread_count;
    int poll_fd, wake_fd, timer_fd;
    atomic_bool stopped;
    atomic_bool ready;
    atomic_bool stepping; /* `stepper` is known */
    pthread_t stepper;

    /* the thread that steps */
    void *context, *socket;
    enum worker_link link;
    bool gone_told;
    uint64_t hello_count;
    uint64_t hello_ns, sent_ns, heard_ns; /* 0: never */
    uint64_t heartbeat_ns, expires_ns;
    uint64_t ping_count;
    char refusal[VR_ERROR_BYTES];

    pthread_mutex_t lock;
    pthread_cond_t work;   /* for the library's threads */
    pthread_cond_t answer; /* for who asks the gateway */
    bool closing;
    struct worker_offer offers[VR_WORKER_TOOLS_MAX];
    struct worker_task tasks[VR_WORKER_CALLS_MAX];
    uint64_t task_count; /* ever */
    struct worker_ask asks[WORKER_ASKS_MAX];
    uint64_t ask_count; /* ever */
    struct worker_text *first, **last;
    unsigned waiting; /* of them */
};

#endif
