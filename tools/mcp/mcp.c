#include "tools/mcp/mcp.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "tools/mcp/bridge.h"
#include "tools/mcp/guard.h"
#include "tools/mcp/setup.h"
#include "tools/toolhost/boot.h"

#define WHY_BYTES 1024

const char *
mcp_usage(void)
{
    return "  voxring-toolhost --mcp               as voxringd starts it, for "
           "an\n"
           "                                       MCP server\n"
           "  voxring-toolhost --mcp COMMAND|URL [OPTIONS]\n"
           "                                       makes the tools of an MCP\n"
           "                                       server tools of the "
           "gateway\n"
           "                                       that runs: a command line "
           "in\n"
           "                                       quotes, or http(s)://...\n"
           "  voxring-toolhost --check --mcp COMMAND|URL [OPTIONS]\n"
           "                                       prints its tools as JSON\n"
           "    --name NAME           of the provider [from the command]\n"
           "    --prefix TEXT         in front of each tool's name\n"
           "    --allow TOOL          only this one (again for more)\n"
           "    --env NAME[=VALUE]    a variable for the server\n"
           "    --cwd DIR             its folder\n"
           "    --headers-file FILE   lines \"Name: value\" for a URL\n"
           "    --token-file FILE     what the gateway's config asks for\n"
           "    --runtime-dir DIR     the gateway's runtime folder\n"
           "    --endpoint ADDRESS    or its socket, ipc://...\n";
}

/* The descriptors that we were started with are none of the server's
 * business. */
static void
hide_descriptors(void)
{
    close_range(BOOT_FD, ~0u, CLOSE_RANGE_CLOEXEC);
}

static int
run(struct setup *setup)
{
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        fprintf(stderr, "voxring-toolhost: libcurl cannot be started\n");
        return EXIT_FAILURE;
    }
    status = bridge_run(setup);
    curl_global_cleanup();
    setup_fini(setup);
    return status;
}

static int
serve(void)
{
    struct setup setup;
    char why[WHY_BYTES];

    if (fcntl(BOOT_FD, F_SETFD, FD_CLOEXEC) != 0) {
        fprintf(stderr, "%s", mcp_usage());
        return 2;
    }
    boot_close_others();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (setup_read_boot(&setup, why, sizeof why) == VR_OK)
        return run(&setup);
    fprintf(stderr, "voxring-toolhost: %s\n", why);
    return EXIT_FAILURE;
}

int
mcp_main(int argc, char **argv)
{
    struct setup setup;
    char why[WHY_BYTES];

    if (argc >= 2 && strcmp(argv[1], "--guard") == 0)
        return guard_main(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("%s", mcp_usage());
        return EXIT_SUCCESS;
    }
    if (argc == 1 && strcmp(argv[0], "--mcp") == 0)
        return serve();
    hide_descriptors();
    if (setup_read_arguments(&setup, argc, argv, why, sizeof why) == VR_OK)
        return run(&setup);
    fprintf(stderr, "voxring-toolhost: %s\n", why);
    return 2;
}
