/* A ZeroMQ socket to the gateway, known to be answered. */
#ifndef IPC_CLI_SOCKET_H
#define IPC_CLI_SOCKET_H

#include <zmq.h>

#include "ipc/cli/command.h"

/* Largest message taken from the gateway. */
#define SOCKET_MESSAGE_BYTES (16 << 20)

struct socket {
    const struct cli *cli;
    void *context;
    void *socket;  /* a ZMQ socket of the type asked for */
    void *monitor; /* tells when the other side comes and goes */
    char endpoint[PATH_MAX + 64];
};

/* Makes a socket of a ZMQ type, ready for options and socket_connect(). The
 * endpoint is `given`, or, for NULL, ipc:// and `file` in the runtime folder.
 * After a failure (an exit code; a line was printed) nothing is left to close.
 * [any] */
int socket_open(struct socket *s, const struct cli *cli, int type,
                const char *given, const char *file);

/* Connects and waits until the gateway has answered, at most the time that
 * --connect-timeout gives. CLI_ABSENT, after a line that says what is lacking;
 * CLI_INTERRUPTED. [any] */
int socket_connect(struct socket *s);

/* What socket_wait() saw. */
enum socket_news {
    SOCKET_MESSAGE, /* socket can be read */
    SOCKET_GONE,    /* the connection broke */
    SOCKET_BACK,    /* and is there again */
    SOCKET_NOTHING, /* deadline passed */
    SOCKET_STOPPED  /* stop_wanted() */
};

/* Waits until deadline_ns at most; messages come first. [any] */
enum socket_news socket_wait(struct socket *s, uint64_t deadline_ns);

/* Closes what is open. [any] */
void socket_close(struct socket *s);

#endif
