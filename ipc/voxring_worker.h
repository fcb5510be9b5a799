/* voxring_worker: offer tools to the model from a process of your own.
 *
 * A worker connects to the gateway's worker socket, says who it is, and
 * answers calls. It does not matter who starts first, and it stays through
 * restarts of the gateway. Several processes with one name share the work.
 *
 *     static void
 *     lamp(struct vr_worker *worker, const struct vr_worker_call *call,
 *          void *arg)
 *     {
 *         switch_it(arg, strstr(call->arguments_json, "true") != NULL);
 *         vr_worker_complete(worker, call->token, 1, "{\"done\":true}");
 *     }
 *
 *     struct vr_worker_config config = {.name = "lamps"};
 *     struct vr_worker_tool tool = {.name = "lamp", .call = lamp,
 *         .description = "Switches the lamp. Use it when asked for light.",
 *         .input_schema = "{\"type\":\"object\",\"properties\":{\"on\":"
 *                         "{\"type\":\"boolean\"}},\"required\":[\"on\"]}"};
 *     if (vr_worker_open(&worker, &config, why, sizeof why) != VR_OK ||
 *         vr_worker_offer(worker, &tool, why, sizeof why) != VR_OK)
 *         return fail(why);
 *     vr_worker_run(worker);
 *     vr_worker_close(&worker);
 *
 * JSON goes in and out as text in UTF-8. tools/README.md of voxring describes
 * the protocol, for other languages. Structs may be grown at their end: fill
 * them from zero, by name.
 *
 * The library is a guest: it changes no signal disposition, prints nothing, and
 * its descriptors are closed on exec. It links libzmq, which has two threads of
 * its own for each worker, with all signals blocked. After fork() the child's
 * calls on an inherited worker return VR_STATE; vr_worker_close() frees what
 * can be freed there.
 *
 * Thread tags: [loop] one thread at a time, always the same: the one that
 * steps; [any] any thread, also inside a call, until vr_worker_close(). */
#ifndef VOXRING_WORKER_H
#define VOXRING_WORKER_H

#include "voxring.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bounds. What is beyond them is VR_LIMIT, or for calls an answer that says
 * so. */
#define VR_WORKER_TOOLS_MAX 64
#define VR_WORKER_CALLS_MAX 64
#define VR_WORKER_THREADS_MAX 32
#define VR_WORKER_MESSAGE_BYTES (1024 * 1024)

struct vr_worker;

/* One call. Valid while the tool's function runs; only the token may be
 * kept. */
struct vr_worker_call {
    uint64_t token;             /* names this call in the functions below */
    const char *tool;           /* which tool */
    const char *arguments_json; /* an object that fits the tool's schema */
    const char *session;        /* whose conversation; "" if none */
    const char *conversation;   /* its id; "" if none */
    const char *turn;           /* the turn's id; "" if none */
    uint64_t deadline_ns;       /* vr_now_ns() at which nobody waits any more;
                                 * UINT64_MAX: for ever */
};

/* Runs one call; must lead to one vr_worker_complete(), now or later. Without
 * config.threads it runs inside vr_worker_step(), and as long as it takes
 * nothing else of this worker happens: after 3 s the gateway takes the worker
 * for dead. What takes longer belongs on a thread. */
typedef void vr_worker_call_fn(struct vr_worker *worker,
                               const struct vr_worker_call *call, void *arg);

/* How to open. Only `name` is needed. Pointers need to live only during the
 * call, log_arg and call_arg as long as the worker. */
struct vr_worker_config {
    /* Who offers the tools, 1 to 64 of A-Z a-z 0-9 _ -: the gateway's config
     * refers to it. */
    const char *name;
    /* The gateway's runtime folder. NULL: see vr_runtime_dir(). */
    const char *runtime_dir;
    /* The worker socket, such as "ipc:///run/voxring/tools.sock", instead of
     * tools.sock in the runtime folder. */
    const char *endpoint;
    /* A file whose first line is the token that the gateway's config asks for.
     * Read again for each hello. NULL: none. */
    const char *token_file;
    /* Tells processes of one name apart in logs. NULL: "pid N". */
    const char *instance;
    /* Not NULL: gets every call of a name that nobody offers, where the
     * gateway's config lets it. */
    vr_worker_call_fn *catch_all;
    void *catch_all_arg;
    /* Calls run in so many threads of the library, at most
     * VR_WORKER_THREADS_MAX; 0: inside vr_worker_step(). */
    uint32_t threads;
    uint32_t reserved; /* 0 */
    /* May be NULL. Told what happens on its own: accepted, gateway gone. */
    vr_log_fn *log;
    void *log_arg;
};

enum vr_worker_mode {
    VR_WORKER_SYNC, /* the model waits silently for the result */
    VR_WORKER_ASYNC /* it may go on talking */
};

/* One tool. Pointers need to live only during the call, `arg` until it is
 * withdrawn and its calls are over. */
struct vr_worker_tool {
    const char *name;         /* 1 to 64 of A-Z a-z 0-9 _ - */
    const char *description;  /* when and why to use it: the model decides by
                               * this sentence */
    const char *input_schema; /* JSON Schema with "type":"object"; NULL: takes
                               * no input */
    enum vr_worker_mode mode;
    uint32_t serial;              /* not 0: one call at a time */
    uint32_t timeout_ms;          /* 0: 60 s for SYNC, no limit for ASYNC */
    uint32_t cancel_on_interrupt; /* not 0: cancelled when the user speaks */
    vr_worker_call_fn *call;
    void *arg;
};

/* ---- life -------------------------------------------------------------- */

/* Makes a worker; nothing is sent before the first step. *worker is the
 * caller's until vr_worker_close(); NULL after a failure, and `why` (may be
 * NULL) then says what was wrong and what to do. VR_INVALID: the config;
 * VR_NOT_FOUND: the token file; VR_SYSTEM, VR_NO_MEMORY. [any] */
VR_API enum vr_status vr_worker_open(struct vr_worker **worker,
                                     const struct vr_worker_config *config,
                                     char *why, size_t why_bytes) VR_NODISCARD;

/* Says goodbye: calls not answered fail at once. Waits for calls that run in
 * threads of the library. Frees and NULLs; NULL is fine. No other thread may
 * be in a call of this worker. [loop] */
VR_API void vr_worker_close(struct vr_worker **worker);

/* Offers a tool; before or after the gateway is there. The model has it with
 * the next stream, running conversations too. VR_INVALID: what is wrong with
 * it; VR_BUSY: that name is offered already; VR_LIMIT: too many, or their
 * texts are too long; `why` may be NULL. [any] */
VR_API enum vr_status vr_worker_offer(struct vr_worker *worker,
                                      const struct vr_worker_tool *tool,
                                      char *why, size_t why_bytes) VR_NODISCARD;

/* Offers it no longer; calls that run go on. VR_NOT_FOUND. [any] */
VR_API enum vr_status vr_worker_withdraw(struct vr_worker *worker,
                                         const char *name);

/* ---- work -------------------------------------------------------------- */

/* Works until vr_worker_stop() (VR_CANCELLED) or until the gateway refuses
 * this worker (VR_DENIED, vr_worker_error() says why and the remedy).
 * VR_STATE: in a forked child. [loop] */
VR_API enum vr_status vr_worker_run(struct vr_worker *worker);

/* Ends vr_worker_run() and the step in hand. Safe in a signal handler. [any] */
VR_API void vr_worker_stop(struct vr_worker *worker);

/* A descriptor for loops of one's own: when it can be read, step. The worker's;
 * closed with it. [any] */
VR_API int vr_worker_fd(const struct vr_worker *worker);

/* Waits for something to do, at most timeout_ms (below 0: for ever, 0: not at
 * all), and does it. VR_OK; VR_AGAIN if a signal handler ran; otherwise as
 * vr_worker_run(). [loop] */
VR_API enum vr_status vr_worker_step(struct vr_worker *worker, int timeout_ms);

/* 1 while a gateway has accepted this worker. [any] */
VR_API int vr_worker_is_ready(struct vr_worker *worker);

/* Why the gateway refused; "" if it did not. Lives as long as the worker.
 * [loop] */
VR_API const char *vr_worker_error(const struct vr_worker *worker);

/* ---- calls ------------------------------------------------------------- */

/* Ends a call, exactly once for each. `json` is JSON text, best an object:
 * {"time":"10:15"} or, with ok 0, {"error":"There is no such zone"}; plain text
 * is taken as well; NULL counts as {}. It is copied. VR_NOT_FOUND: it is over
 * already, was completed, or its gateway is gone. [any] */
VR_API enum vr_status vr_worker_complete(struct vr_worker *worker,
                                         uint64_t token, int ok,
                                         const char *json);

/* 1 once nobody waits for this call any more: long work should ask now and
 * then, stop, and complete with anything. Otherwise 0. [any] */
VR_API int vr_worker_is_cancelled(struct vr_worker *worker, uint64_t token);

/* Tells how far a call is, for whoever watches the bus; total 0 if unknown,
 * message NULL or a short text. More than ten a second are dropped. [any] */
VR_API void vr_worker_progress(struct vr_worker *worker, uint64_t token,
                               double done, double total, const char *message);

/* A line in the gateway's log under this worker's name. level is "error",
 * "warning", "info" or "debug". Dropped while there is no gateway. [any] */
VR_API void vr_worker_log(struct vr_worker *worker, const char *level,
                          const char *message);

/* ---- acting on the conversation ---------------------------------------- */

/* These need a grant in the gateway's config (workers.rules.NAME.grants) and,
 * but for publish, a call that is open. Each waits for the gateway's answer, at
 * most 5 s; on a thread other than the one that steps, somebody must step
 * meanwhile. VR_OK; VR_DENIED: not granted; VR_NOT_FOUND: the call is over;
 * VR_INVALID: the gateway refused what was given; VR_CLOSED: there is no
 * gateway; VR_TIMEOUT; VR_LIMIT: more than 32 at once. Then `why` (may be NULL)
 * has a sentence. */

/* Publishes a tool.event with `name` and `data_json` (any JSON, NULL: none) on
 * the bus; token 0: of no call. [any] */
VR_API enum vr_status vr_worker_publish(struct vr_worker *worker,
                                        uint64_t token, const char *name,
                                        const char *data_json, char *why,
                                        size_t why_bytes);

/* Says `text` to the model as if the user had written it. [any] */
VR_API enum vr_status vr_worker_text(struct vr_worker *worker, uint64_t token,
                                     const char *text, char *why,
                                     size_t why_bytes);

/* Changes the session's settings, as session.update does. [any] */
VR_API enum vr_status vr_worker_update(struct vr_worker *worker, uint64_t token,
                                       const char *config_json, char *why,
                                       size_t why_bytes);

/* What was said so far: *json is {"messages":[{"role","text"}],"revision"},
 * the caller's, by free(); NULL after a failure. [any] */
VR_API enum vr_status vr_worker_history(struct vr_worker *worker,
                                        uint64_t token, char **json, char *why,
                                        size_t why_bytes);

/* Adds a message; role is "user" or "assistant". [any] */
VR_API enum vr_status vr_worker_append(struct vr_worker *worker, uint64_t token,
                                       const char *role, const char *text,
                                       char *why, size_t why_bytes);

/* Ends the conversation once the response that follows this call has been
 * played, at most within_ms later (0: 30 s). `reason` may be NULL. [any] */
VR_API enum vr_status vr_worker_end(struct vr_worker *worker, uint64_t token,
                                    const char *reason, uint32_t within_ms,
                                    char *why, size_t why_bytes);

#ifdef __cplusplus
}
#endif
#endif
