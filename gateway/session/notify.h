/* Telling the service manager how we are (sd_notify(3)'s protocol), without
 * its library: one datagram. */
#ifndef GATEWAY_SESSION_NOTIFY_H
#define GATEWAY_SESSION_NOTIFY_H

/* Sends a state such as "READY=1" to $NOTIFY_SOCKET; nothing happens where
 * nobody listens. Never blocks. [loop] */
void notify_supervisor(const char *state);

#endif
