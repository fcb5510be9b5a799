/* A voxring-toolhost under test, with the test as its gateway. Programs come
 * from the folder in the variable VOXRING_BUILD, "build" if it is not set. */
#ifndef TESTS_TOOLS_HOSTED_H
#define TESTS_TOOLS_HOSTED_H

#include <stddef.h>
#include <sys/types.h>

#define HOSTED_WAIT_MS 20000

/* tools/call of a tool without arguments. */
#define HOSTED_CALL(id, tool)                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"tools/call\","      \
    "\"params\":{\"name\":\"" tool "\",\"_meta\":{\"progressToken\":" #id \
    "}}}"

struct hosted {
    char dir[64];
    void *context;
    void *router;
    int boot_fd;   /* our end */
    int output_fd; /* what it writes to stdout and stderr */
    pid_t pid;
    unsigned char peer[256];
    size_t peer_bytes;
    char text[65536]; /* what was heard last */
};

extern struct hosted hosted;

/* Setup and teardown of each test. [any] */
int hosted_setup(void **state);
int hosted_teardown(void **state);

/* Compiles tests/tools/plugins/SOURCE.c to the folder's NAME.so. [any] */
void hosted_compile(const char *source, const char *name, const char *flags);

/* Starts the program with a boot pipe, to which `boot` is written. [any] */
void hosted_launch(const char *plugin, const char *boot);

/* The same for NAME.so; `members` more members of the start message. [any] */
void hosted_launch_plugin(const char *name, const char *members);

/* Closes the boot pipe. [any] */
void hosted_close_boot(void);

/* Waits for the program's end: its status, or 1000 and a signal. [any] */
int hosted_await_exit(void);

/* What it wrote to stdout and stderr until its end, into hosted.text. [any] */
void hosted_read_output(void);

/* Receives one message into hosted.text. [any] */
void hosted_hear(void);

/* Whether there is none within some ms. [any] */
int hosted_is_silent(int ms);

void hosted_say(const char *text);

/* Says, hears, and expects `part` in it. [any] */
void hosted_ask(const char *text, const char *part);

/* Hears and expects `part`. [any] */
void hosted_expect(const char *part);

/* Runs the program by hand, expects `part` in its output; its status. [any] */
int hosted_run(const char *arguments, const char *part);

/* Whether the programs are built with a sanitizer. [any] */
int hosted_is_sanitized(void);

#endif
