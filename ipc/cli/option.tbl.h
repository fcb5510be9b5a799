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
     FOR(session_interrupt) | FOR(tool_list) | FOR(tool_call) |             \
     FOR(tool_reload) | FOR(stats) |                                        \
     FOR(log) | FOR(snapshot) | FOR(version) | FOR(shutdown) |              \
     FOR(update) | FOR(reset) | FOR(rotate) | FOR(sleep) | FOR(history))
OPTION(raw_format, "raw", TEXT, FOR(send), "RATE,CHANNELS", "the input has no header: s16le at RATE Hz, frames interleaved")
OPTION(fast, "fast", FLAG, FOR(send), "", "as fast as the gateway reads, not in real time")
OPTION(live, "live", FLAG, FOR(send), "", "the input has a clock of its own: write what comes as it comes")
OPTION(strict, "strict", FLAG, FOR(send), "", "refuse audio that would have to be converted")
OPTION(no_drain, "no-drain", FLAG, FOR(send), "", "end without waiting until the gateway has read all")
OPTION(silence_before_ms, "silence-before", COUNT, FOR(send), "MS", "silence written before the audio")
OPTION(silence_after_ms, "silence-after", COUNT, FOR(send), "MS", "silence written after the audio")
OPTION(input_ring, "in", FLAG, FOR(record), "", "record the microphone's ring, not the model's voice")
OPTION(player, "player", FLAG, FOR(record), "", "be the session's loudspeaker")
OPTION(raw, "raw", FLAG, FOR(record), "", "write s16le without a header")
OPTION(silence, "silence", FLAG, FOR(record), "", "with --player: write silence while nothing plays")
OPTION(past_ms, "past", COUNT, FOR(record), "MS", "begin so long before now, as far as it is still there")
OPTION(seconds_ms, "seconds", SECONDS, FOR(record), "N", "end after N seconds")
OPTION(until_idle_ms, "until-idle", COUNT, FOR(record), "MS", "end when nothing came for so long after the first audio")
OPTION(keep, "keep", FLAG, FOR(record), "", "go on with the next gateway when this one ends")
OPTION(session, "session", TEXT, FOR(tail) | FOR(stats) | FOR(tool_call), "NAME", "only of that session; for a tool, the one it works for")
OPTION(count, "count", COUNT, FOR(tail) | FOR(ring_watch), "N", "end after N events, or lines")
OPTION(interval_ms, "interval", COUNT, FOR(ring_watch), "MS", "how often (1000)")
OPTION(stale, "stale", FLAG, FOR(ring_rm), "", "of dead gateways")
OPTION(dry_run, "dry-run", FLAG, FOR(ring_rm), "", "remove nothing, say what would be")
OPTION(wait, "wait", TEXT, FOR(text), "accepted|response", "until the text was sent, or until the answer is complete (default)")
OPTION(config, "config", TEXT, FOR(session_open) | FOR(update) | FOR(tool_test), "FILE|JSON", "settings as in the configuration file: the session's, or the plugin's own")
OPTION(conversation, "conversation", TEXT, FOR(session_open), "ID", "the conversation's id; by default one is made")
OPTION(history, "history", TEXT, FOR(session_open), "FILE|JSON", "what was said before: [{role, text}], or a file of voxring history --json")
OPTION(forget, "forget", FLAG, FOR(reset), "", "without the history")
OPTION(append, "append", TEXT, FOR(history), "ROLE", "adds TEXT as said by ROLE: user or assistant")
OPTION(pinned, "pinned", FLAG, FOR(history), "", "with --append: never dropped for lack of room")
OPTION(replace, "replace", TEXT, FOR(history), "FILE|JSON", "puts these messages in the place of all")
OPTION(revision, "revision", TEXT, FOR(history), "N", "change it only if its revision is still N")
OPTION(async, "async", FLAG, FOR(tool_new), "", "a tool that works on while the model talks")
OPTION(output, "output", TEXT, FOR(tool_new), "FILE", "where to write it (NAME.c)")
OPTION(no_calls, "no-calls", FLAG, FOR(tool_test), "", "call nothing: for tools that act, such as a robot's")
OPTION(repeat, "repeat", COUNT, FOR(tool_test), "N", "how often each tool is called to find leaks (1000)")
OPTION(prometheus, "prometheus", FLAG, FOR(stats), "", "in Prometheus' text format")
OPTION(timeout_ms, "timeout", COUNT, CALLS | FOR(send) | FOR(tail) | FOR(tool_test), "MS", "give up after so long (send: without any progress)")
OPTION(json, "json", FLAG, CALLS | FOR(tool_test) | FOR(ring_ls) | FOR(ring_stat), "", "print the answer as one line of JSON")
OPTION(control, "control", TEXT, CALLS, "ENDPOINT", "the control socket, if not ipc:// and control.sock in DIR")
OPTION(events, "events", TEXT, FOR(tail), "ENDPOINT", "the event socket, if not ipc:// and events.sock in DIR")
OPTION(runtime_dir, "runtime-dir", TEXT, ANY, "DIR", "the gateway's runtime folder")
OPTION(connect_timeout_ms, "connect-timeout", COUNT, ANY, "MS", "wait so long for a gateway that is just starting (3000)")
OPTION(help, "help", FLAG, ANY, "", "this")
#undef CALLS
