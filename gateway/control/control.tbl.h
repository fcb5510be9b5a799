/* One line per control method: symbol, name, parameters, what it does.
 *
 * Parameters: "name:type", a ! marks what must be given. Types: text, uint,
 * number, bool, object, array, any, or words to choose from, a|b|c. Anything
 * not listed is refused. ipc/control.md documents each; a test compares. */
CONTROL_METHOD(session_open, "session.open", "session:text! conversation:text config:object history:array", "opens a session by name, with the file's settings or those given; wakes one that sleeps")
CONTROL_METHOD(session_close, "session.close", "session:text!", "ends a conversation in the right order")
CONTROL_METHOD(session_list, "session.list", "", "names and states of all sessions")
CONTROL_METHOD(session_get, "session.get", "session:text!", "one session: state, settings, rings, what its model can do")
CONTROL_METHOD(session_text, "session.text", "session:text! text:text! wait:accepted|response timeout_ms:uint", "says something to the model in writing")
CONTROL_METHOD(session_interrupt, "session.interrupt", "session:text!", "stops the robot speaking, here and now")
CONTROL_METHOD(session_mute, "session.mute", "session:text! muted:bool!", "sends silence instead of the microphone, or no more")
CONTROL_METHOD(session_update, "session.update", "session:text! config:object!", "changes settings of a conversation that runs")
CONTROL_METHOD(session_reset, "session.reset", "session:text! keep_history:bool", "ends what is being said and goes on with a new stream")
CONTROL_METHOD(session_rotate, "session.rotate", "session:text!", "changes to a new stream at the next turn boundary")
CONTROL_METHOD(session_sleep, "session.sleep", "session:text!", "ends the stream, keeps the session and its history")
CONTROL_METHOD(session_history, "session.history", "session:text!", "what was said, and its revision")
CONTROL_METHOD(history_append, "history.append", "session:text! role:user|assistant! text:text! pinned:bool revision:any", "adds a message to the history")
CONTROL_METHOD(history_replace, "history.replace", "session:text! messages:array! revision:any", "puts another history in place of this one")
CONTROL_METHOD(tool_list, "tool.list", "", "all tools, their providers and states")
CONTROL_METHOD(tool_call, "tool.call", "tool:text! arguments:object session:text timeout_ms:uint", "calls a tool as the model would")
CONTROL_METHOD(tool_reload, "tool.reload", "provider:text", "looks at the plugin folders now and starts providers anew")
CONTROL_METHOD(gateway_stats, "gateway.stats", "session:text", "counters of the gateway and of each session")
CONTROL_METHOD(gateway_version, "gateway.version", "", "version, epoch, libraries")
CONTROL_METHOD(gateway_snapshot, "gateway.snapshot", "", "where each event topic stands, and the last states")
CONTROL_METHOD(gateway_log, "gateway.log", "levels:text", "reads or changes the log's levels")
CONTROL_METHOD(gateway_shutdown, "gateway.shutdown", "", "closes every session, then ends voxringd")
