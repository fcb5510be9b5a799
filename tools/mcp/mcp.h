/* voxring-toolhost --mcp: makes the tools of a Model Context Protocol server
 * tools of the gateway. It is a client of the server and a worker of the
 * gateway. */
#ifndef TOOLS_MCP_MCP_H
#define TOOLS_MCP_MCP_H

/* The server ended: it is the gateway that starts both again. */
#define MCP_EXIT_ENDED 5

/* Runs the bridge; `argv` is everything after the program's name, `--mcp`
 * and `--check` included, and ends with NULL as main's. With `--mcp` alone the
 * start message of the gateway is read from descriptor 3. Returns the exit
 * status of the process. [any] once per process, on the main thread, before
 * there are others */
int mcp_main(int argc, char **argv);

/* The lines about `--mcp` for the program's own usage. [any] */
const char *mcp_usage(void);

#endif
