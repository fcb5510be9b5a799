/* Stands between the bridge and a server that it runs, in a process of its
 * own, so that the server and all its children end when the bridge does, even
 * killed.
 *
 * The server gets a process group. SIGTERM to the guard goes to that group;
 * SIGHUP, which also comes when the bridge dies, kills it. When the server
 * ends, what is left of the group is killed, and the guard ends as the server
 * did. */
#ifndef TOOLS_MCP_GUARD_H
#define TOOLS_MCP_GUARD_H

/* Runs `argv[1]` with the arguments behind it, for the bridge whose process id
 * `argv[0]` is. Returns the exit status. [any] */
int guard_main(int argc, char **argv);

#endif
