/* The bridge as a process, with the test as its gateway and the fake server
 * behind it. */
#ifndef TESTS_MCP_GATEWAY_H
#define TESTS_MCP_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define GATEWAY_WAIT_MS 20000

struct gateway {
    char dir[64];
    char endpoint[100];
    void *context;
    void *router;
    int boot_fd; /* our end, -1: none */
    int log_fd;  /* what the bridge writes to stdout and stderr */
    pid_t pid;
    unsigned char peer[256];
    size_t peer_bytes;
    char *text; /* the last message */
    size_t text_bytes;
    char log[65536];
    size_t log_bytes;
    pid_t http_pid; /* the fake server's, 0: none */
    int http_in;    /* its end is the server's */
    int http_out;
    int port;
    unsigned memory_mb; /* of the server, for gateway_start(); 0: no limit */
};

/* For each test. */
int gateway_setup(void **state);
int gateway_teardown(void **state);

/* The one there is. */
extern struct gateway gateway;

/* Starts the bridge as a child, with `mcp` as that member of the start
 * message. */
void gateway_start(const char *mcp);

/* The same with the fake server over stdio, and more members behind it. */
void gateway_start_fake(const char *mode, const char *more);

/* Starts the fake HTTP server; its port is in gateway.port. */
void gateway_start_http(const char *mode);

/* Starts the bridge with these arguments, NULL at the end. */
void gateway_run(const char *const *arguments);

/* The next message that is no log message, in gateway.text; those go to
 * gateway.log. */
void gateway_hear(void);

/* The next message must contain `part`. */
void gateway_expect(const char *part);

void gateway_say(const char *text);

/* Waits for the hello and lets it in. */
void gateway_welcome(void);

/* Calls a tool with the call id, and waits for what contains `part`. */
void gateway_call(const char *id, const char *tool, const char *arguments,
                  const char *part);

/* Waits until the log contains `part`. */
void gateway_await_log(const char *part);

/* Waits for the bridge's end; its exit status, or 1000 and its signal. */
int gateway_await_exit(void);

/* Waits until there is no such process. */
void gateway_await_gone(pid_t pid);

#endif
