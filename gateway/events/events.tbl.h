/* One line per event type: symbol, name on the bus, what a snapshot keeps of
 * it (0 nothing, 1 the last of each session, 2 the last of each tool), and
 * what it tells. Their data: gateway/events/fields.tbl.h. */
EVENT(session_state, "session.state", 1, "a session moved to another state")
EVENT(speech, "speech", 0, "the user began or ended speaking")
EVENT(transcript, "transcript", 0, "a piece of what was said, by either side")
EVENT(response, "response", 0, "an answer of the model began or ended")
EVENT(turn, "turn", 0, "the sum of one turn: texts, tools, latencies, tokens")
EVENT(interruption, "interruption", 0, "an answer was cut short")
EVENT(playback, "playback", 0, "the speaker started, finished or was flushed")
EVENT(capture, "capture", 0, "the microphone's audio starved, resumed or was lost")
EVENT(tool_call, "tool.call", 0, "a tool was called")
EVENT(tool_result, "tool.result", 0, "a tool call ended")
EVENT(tool_registered, "tool.registered", 2, "a tool came, was refused, or went")
EVENT(usage, "usage", 0, "tokens spent: since the last event, and in total")
EVENT(metrics, "metrics", 0, "the audio account and other counters")
EVENT(error, "error", 1, "something failed: what, why, what to do")
EVENT(heartbeat, "heartbeat", 0, "the gateway lives; last sequence of each topic")
