/* The program voxring-local, callable for tests. */
#ifndef GATEWAY_LOCAL_PROGRAM_H
#define GATEWAY_LOCAL_PROGRAM_H

/* Runs until SIGTERM or SIGINT; the exit status. Ignores SIGPIPE from then on.
 * [loop] */
int program_run(int argc, char **argv);

#endif
