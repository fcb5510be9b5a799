#include "gateway/zmqx.h"

#include <errno.h>

#define AGAIN_AFTER_EINTR(call)             \
    int result;                             \
    do {                                    \
        result = call;                      \
    } while (result < 0 && errno == EINTR); \
    return result

int
zmqx_send(void *socket, const void *bytes, size_t count, int flags)
{
    AGAIN_AFTER_EINTR(zmq_send(socket, bytes, count, flags));
}

int
zmqx_recv(void *socket, void *bytes, size_t count, int flags)
{
    AGAIN_AFTER_EINTR(zmq_recv(socket, bytes, count, flags));
}

int
zmqx_msg_send(zmq_msg_t *message, void *socket, int flags)
{
    AGAIN_AFTER_EINTR(zmq_msg_send(message, socket, flags));
}

int
zmqx_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    AGAIN_AFTER_EINTR(zmq_msg_recv(message, socket, flags));
}

int
zmqx_getsockopt(void *socket, int option, void *value, size_t *bytes)
{
    AGAIN_AFTER_EINTR(zmq_getsockopt(socket, option, value, bytes));
}
