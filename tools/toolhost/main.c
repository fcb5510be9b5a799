/* voxring-toolhost: runs one plugin for the gateway, or makes an MCP server's
 * tools its own, in a process of its own. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ipc/standard_fds.h"
#include "tools/mcp/mcp.h"
#include "tools/toolhost/boot.h"
#include "tools/toolhost/gate.h"
#include "tools/toolhost/fence.h"
#include "tools/toolhost/library.h"
#include "tools/toolhost/limit.h"

#define WHY_BYTES 1024

static struct library library;

static int
usage(FILE *out)
{
    fprintf(
        out,
        "voxring-toolhost runs one tool plugin for voxringd, or makes the\n"
        "tools of an MCP server tools of the gateway.\n"
        "\n"
        "  voxring-toolhost PLUGIN.so           as voxringd starts it: the\n"
        "                                       start message comes on\n"
        "                                       descriptor 3\n"
        "  voxring-toolhost --check PLUGIN.so   says whether the plugin can\n"
        "                                       be loaded, and prints its\n"
        "                                       tools as JSON\n"
        "%s"
        "  voxring-toolhost --help | --version\n",
        mcp_usage());
    return out == stdout ? EXIT_SUCCESS : 2;
}

/* With LD_BIND_NOW a plugin that lacks a function is found out at once, as
 * when the gateway loads it; the linker reads it only at a program's start. */
static void
bind_now(char **argv)
{
    if (getenv("LD_BIND_NOW"))
        return;
    if (setenv("LD_BIND_NOW", "1", 1) == 0)
        execv("/proc/self/exe", argv);
}

static int
check(char **argv)
{
    char why[WHY_BYTES];
    char *list;

    bind_now(argv);
    if (library_load(&library, argv[2], why, sizeof why) != VR_OK) {
        fprintf(stderr, "%s\n", why);
        return EXIT_FAILURE;
    }
    list = library_list_json(&library);
    printf("%s\n", list ? list : "{}");
    free(list);
    return EXIT_SUCCESS;
}

static int
serve(const char *path)
{
    struct boot boot;
    char why[WHY_BYTES];
    enum vr_status status;
    int result;

    if (fcntl(BOOT_FD, F_SETFD, FD_CLOEXEC) != 0)
        return usage(stderr);
    /* the plugin may hang before anybody can read the pipe's end */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    boot_close_others();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (boot_read(&boot, BOOT_FD, why, sizeof why) != VR_OK) {
        fprintf(stderr, "voxring-toolhost: %s\n", why);
        return EXIT_FAILURE;
    }
    limit_set(boot.memory_bytes, boot.concurrent_calls);
    status = library_load(&library, path, why, sizeof why);
    fence_watch_exit();
    result = gate_serve(&boot, &library, status == VR_OK ? NULL : why);
    fflush(stdout);
    /* no destructors: the plugin's threads may still be running */
    _exit(result);
}

static bool
is_for_mcp(char **argv)
{
    for (size_t i = 1; argv[i]; i++) {
        if (strcmp(argv[i], "--mcp") == 0)
            return true;
    }
    return false;
}

int
main(int argc, char **argv)
{
    standard_fds_fill();
    fence_init();
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("voxring-toolhost %s\n", VOXRING_VERSION);
        return EXIT_SUCCESS;
    }
    if (is_for_mcp(argv))
        return mcp_main(argc - 1, argv + 1);
    if (argc == 3 && strcmp(argv[1], "--check") == 0)
        return check(argv);
    if (argc == 2 && argv[1][0] != '-')
        return serve(argv[1]);
    return usage(stderr);
}
