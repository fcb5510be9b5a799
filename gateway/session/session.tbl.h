/* The session's state machine.
 *
 * SESSION_STATE(name, what is true in it)
 * SESSION_EVENT(name, what happened)
 * SESSION_EDGE(from, event, to, action): the action runs after the move was
 * told; settle, fail, recover and rest run before, so that what hung on the
 * stream is told before its end is.
 *
 * An event without an edge in a state changes nothing and is counted. */
#ifndef SESSION_STATE
#define SESSION_STATE(name, what)
#endif
#ifndef SESSION_EVENT
#define SESSION_EVENT(name, what)
#endif
#ifndef SESSION_EDGE
#define SESSION_EDGE(from, event, to, action)
#endif

SESSION_STATE(idle, "nothing is begun; the rings exist")
SESSION_STATE(queued, "waits for one of bedrock.max_streams to be free")
SESSION_STATE(connecting, "waiting for TCP, TLS and HTTP/2")
SESSION_STATE(preparing, "connected; waiting for the tools it names")
SESSION_STATE(starting, "set up and sending audio; not answered yet")
SESSION_STATE(streaming, "the endpoint has answered; the conversation runs")
SESSION_STATE(waiting, "the stream is lost; the next is tried by itself")
SESSION_STATE(asleep, "no stream, by its mode or by wish; it can be woken")
SESSION_STATE(closing, "ending what was begun; reading the last events")
SESSION_STATE(closed, "ended in order; nothing is open")
SESSION_STATE(failed, "the stream is lost; its error says why")

SESSION_EVENT(open, "a stream may be opened")
SESSION_EVENT(full, "a stream is wanted, and there is no room for one")
SESSION_EVENT(connected, "the connection stands")
SESSION_EVENT(tools_ready, "every named tool is there, or the wait is over")
SESSION_EVENT(answered, "the endpoint accepted the stream")
SESSION_EVENT(handed_over, "the next stream has taken the place of this one")
SESSION_EVENT(cut, "the stream is lost, another will be tried")
SESSION_EVENT(sleep, "no stream is wanted for now")
SESSION_EVENT(close, "asked to close")
SESSION_EVENT(ended, "the stream ended after our end")
SESSION_EVENT(lost, "the stream or the way to it failed for good")
SESSION_EVENT(deadline, "the time for closing has passed")

SESSION_EDGE(idle, open, connecting, connect)
SESSION_EDGE(idle, full, queued, nothing)
SESSION_EDGE(idle, sleep, asleep, rest)
SESSION_EDGE(idle, close, closed, settle)
SESSION_EDGE(queued, open, connecting, connect)
SESSION_EDGE(queued, sleep, asleep, rest)
SESSION_EDGE(queued, close, closed, settle)
SESSION_EDGE(connecting, connected, preparing, prepare)
SESSION_EDGE(connecting, cut, waiting, recover)
SESSION_EDGE(connecting, lost, failed, fail)
SESSION_EDGE(connecting, sleep, asleep, rest)
SESSION_EDGE(connecting, close, closed, settle)
SESSION_EDGE(preparing, tools_ready, starting, set_up)
SESSION_EDGE(preparing, cut, waiting, recover)
SESSION_EDGE(preparing, lost, failed, fail)
SESSION_EDGE(preparing, sleep, asleep, rest)
SESSION_EDGE(preparing, close, closing, wind_up)
SESSION_EDGE(starting, answered, streaming, ready)
SESSION_EDGE(starting, cut, waiting, recover)
SESSION_EDGE(starting, lost, failed, fail)
SESSION_EDGE(starting, sleep, asleep, rest)
SESSION_EDGE(starting, close, closing, wind_up)
SESSION_EDGE(streaming, handed_over, streaming, nothing)
SESSION_EDGE(streaming, cut, waiting, recover)
SESSION_EDGE(streaming, lost, failed, fail)
SESSION_EDGE(streaming, sleep, asleep, rest)
SESSION_EDGE(streaming, close, closing, wind_up)
SESSION_EDGE(waiting, open, connecting, connect)
SESSION_EDGE(waiting, full, queued, nothing)
SESSION_EDGE(waiting, lost, failed, fail)
SESSION_EDGE(waiting, sleep, asleep, rest)
SESSION_EDGE(waiting, close, closed, settle)
SESSION_EDGE(asleep, open, connecting, connect)
SESSION_EDGE(asleep, full, queued, nothing)
SESSION_EDGE(asleep, close, closed, settle)
SESSION_EDGE(closing, ended, closed, settle)
SESSION_EDGE(closing, lost, closed, settle)
SESSION_EDGE(closing, deadline, closed, settle)
SESSION_EDGE(failed, open, connecting, connect)
SESSION_EDGE(failed, full, queued, nothing)
SESSION_EDGE(failed, close, closed, settle)

#undef SESSION_STATE
#undef SESSION_EVENT
#undef SESSION_EDGE
