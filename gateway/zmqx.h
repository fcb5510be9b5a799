/* ZeroMQ calls that a signal cannot fail. Even with ZMQ_DONTWAIT libzmq polls,
 * and a SIGCHLD or SIGTERM at that moment makes it return EINTR, with nothing
 * done: taken for an error, an event or an answer would be lost. */
#ifndef GATEWAY_ZMQX_H
#define GATEWAY_ZMQX_H

#include <stddef.h>

#include <zmq.h>

/* As the functions of zmq.h that they are named after, tried again after
 * EINTR. [loop] */
int zmqx_send(void *socket, const void *bytes, size_t count, int flags);
int zmqx_recv(void *socket, void *bytes, size_t count, int flags);
int zmqx_msg_send(zmq_msg_t *message, void *socket, int flags);
int zmqx_msg_recv(zmq_msg_t *message, void *socket, int flags);
int zmqx_getsockopt(void *socket, int option, void *value, size_t *bytes);

#endif
