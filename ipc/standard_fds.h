/* Descriptors 0, 1 and 2 for programs of voxring (not for the library, which
 * is a guest). */
#ifndef IPC_STANDARD_FDS_H
#define IPC_STANDARD_FDS_H

/* Opens /dev/null in place of each of the three that is closed: the next
 * descriptor made, a ring or a socket, would take its number, and whatever
 * prints would write into it. First thing in main(). [any] */
void standard_fds_fill(void);

#endif
