/* A session's two rings with everybody at them who is healthy: the gateway's
 * side, a producer, a reader of each ring. A test does harm to it and then
 * asks whether known audio flows again. */
#ifndef TESTS_IPC_SCENE_H
#define TESTS_IPC_SCENE_H

#include "tests/ipc/harness.h"

struct scene {
    struct ring_host *in, *out;
    struct vr_writer *mic;   /* of `in` */
    struct vr_reader *ear;   /* of `in` */
    struct vr_reader *voice; /* the player of `out` */
    unsigned faults[RING_FAULT_COUNT];
};

/* Takes SIGBUS for the rings: in each test, for cmocka takes it in each. */
void scene_guard(void);

/* Opens rings and clients of `session`. Fails the test if that does not
 * work. */
void scene_open(struct scene *scene, const char *session);

/* Fine after a failure, too. */
void scene_close(struct scene *scene);

/* What the gateway does about once a second: looks, and makes a damaged ring
 * anew. Returns how many were. Fails the test if that does not work. */
unsigned scene_repair(struct scene *scene);

/* A bounded number of every call that there is, on every end. Never fails the
 * test but for what holds whatever a peer wrote: bounds, and that a reader who
 * is not disturbed any more comes to an end. `about` is for the message. */
void scene_use(struct scene *scene, const char *about);

/* The gateway's part of it. */
void scene_use_gateway(struct scene *scene);

/* New clients of every kind come by: served, or refused in a sentence that says
 * which ring and what to do. */
void scene_knock(const char *session);

/* Whether known audio goes through both rings, whole, in order, none missing,
 * some rounds on end, with scene_repair() meanwhile: all of the scenes, within
 * a limit that is far beyond any need. `about` is for the message. */
void scenes_flow(struct scene *scenes, size_t count, const char *about);

/* The one of a scene's rings. */
struct ring_host *scene_ring(struct scene *scene, enum vr_ring ring);

#endif
