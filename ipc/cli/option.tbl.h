/* One line per option:
 *
 *   OPTION(member, "name", KIND, commands, "ARGUMENT", "what it does")
 *
 * KIND: FLAG (bool), TEXT (const char *), COUNT (int64_t, whole, -1 when not
 * given) or SECONDS (int64_t in ms, given as seconds, -1 when not given).
 * commands: ANY, or FOR(symbol) of each command that takes it. */
#define CALLS                                                               \
    (FOR(text) | FOR(session_list) | FOR(session_get) | FOR(session_open) | \
     FOR(session_close) | FOR(session_mute) | FOR(session_unmute) |         \
     FOR(session_interrupt) | FOR(tool_list) | FOR(tool_call) | FOR(stats) | \
     FOR(log) | FOR(snapshot) | FOR(version) | FOR(shutdown))
OPTION(session, "session", TEXT, FOR(stats) | FOR(tool_call), "NAME", "only of that session; for a tool, the one it works for")
OPTION(wait, "wait", TEXT, FOR(text), "accepted|response", "until the text was sent, or until the answer is complete (default)")
OPTION(config, "config", TEXT, FOR(session_open), "FILE|JSON", "the session's settings, as in the configuration file")
OPTION(conversation, "conversation", TEXT, FOR(session_open), "ID", "the conversation's id; by default one is made")
OPTION(timeout_ms, "timeout", COUNT, CALLS, "MS", "give up after so long (send: without any progress)")
OPTION(json, "json", FLAG, CALLS, "", "print the gateway's answer as one line of JSON")
OPTION(control, "control", TEXT, CALLS, "ENDPOINT", "the control socket, if not ipc:// and control.sock in DIR")
OPTION(runtime_dir, "runtime-dir", TEXT, ANY, "DIR", "the gateway's runtime folder")
OPTION(connect_timeout_ms, "connect-timeout", COUNT, ANY, "MS", "wait so long for a gateway that is just starting (3000)")
OPTION(help, "help", FLAG, ANY, "", "this")
#undef CALLS
