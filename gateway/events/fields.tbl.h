/* The data of every event type, one line per member:
 *
 *   F(kind, member, "path", need, "what it is")
 *
 * kind: TEXT a string; U64 a 64-bit number, decimal text in JSON; COUNT a
 * whole number; SECONDS a number of seconds; NUMBER another number; FLAG true
 * or false; JSON an object or other value, LIST an array, both taken over by
 * the event. need: MUST (always there) or MAY (a FLAG then only if it is true).
 * A path with dots nests. ipc/events.md and ipc/schemas/ say the same, and a
 * test compares. */

#define EVENT_FIELDS_session_state(F)                                          \
    F(TEXT, state, "state", MUST, "the state now")                             \
    F(TEXT, previous, "previous", MAY, "the state before, absent at first")    \
    F(TEXT, reason, "reason", MUST, "the event that moved it")                 \
    F(COUNT, stream, "stream", MAY, "generation of the stream it is about")    \
    F(TEXT, model, "model", MAY, "the model's id")                             \
    F(TEXT, voice, "voice", MAY, "the voice's id")                             \
    F(COUNT, retry_in_ms, "retry_in_ms", MAY, "when the next stream is tried")

#define EVENT_FIELDS_stream(F)                                                 \
    F(TEXT, phase, "phase", MUST,                                              \
      "opening, current, ending, ended or dropped")                            \
    F(COUNT, stream, "stream", MUST,                                           \
      "its generation, counted from 1 in the session")                         \
    F(TEXT, reason, "reason", MUST, "why, in words")                           \
    F(TEXT, model, "model", MAY, "the model's id")                             \
    F(TEXT, region, "region", MAY, "the AWS region")                           \
    F(SECONDS, age_seconds, "age_seconds", MAY, "since it was begun")          \
    F(TEXT, request_id, "request_id", MAY, "AWS's id of the request")          \
    F(COUNT, history_messages, "history_messages", MAY,                        \
      "messages of history it was told")                                       \
    F(COUNT, history_bytes, "history_bytes", MAY, "the bytes of their texts")  \
    F(U64, boundary_frame, "boundary_frame", MAY,                              \
      "first in-ring frame that goes to this stream")                          \
    F(U64, resent_from_frame, "resent_from_frame", MAY,                        \
      "first in-ring frame that goes to it again")                             \
    F(TEXT, replay, "replay", MAY,                                             \
      "none, text or audio: how the unanswered words were said again")         \
    F(SECONDS, gap_seconds, "gap_seconds", MAY, "without a stream")

#define EVENT_FIELDS_speech(F)                                                 \
    F(TEXT, phase, "phase", MUST, "started or ended")                          \
    F(TEXT, source, "source", MUST, "who noticed: model or gateway")           \
    F(U64, in_ring_frame, "in_ring_frame", MAY, "where in the input ring")     \
    F(COUNT, offset_ms, "offset_ms", MAY, "the model's own time of it")        \
    F(U64, turn, "turn", MAY, "the turn it belongs to")

#define EVENT_FIELDS_transcript(F)                                             \
    F(TEXT, role, "role", MUST, "user or assistant")                           \
    F(TEXT, stage, "stage", MUST, "speculative (to be said) or final")         \
    F(U64, turn, "turn", MUST, "the turn's id")                                \
    F(U64, response, "response", MAY, "the response's id, assistant only")     \
    F(TEXT, text, "text", MUST, "this piece")                                  \
    F(TEXT, turn_text, "turn_text", MUST, "all of the side's pieces so far")   \
    F(FLAG, trigger, "trigger", MAY,                                           \
      "it is the clip that made the model speak first, nobody said it")        \
    F(U64, out_from_frame, "out_from_frame", MAY, "its audio, first frame")    \
    F(U64, out_to_frame, "out_to_frame", MAY, "its audio, frame past the end")

#define EVENT_FIELDS_history(F)                                                \
    F(TEXT, phase, "phase", MUST,                                              \
      "added, replaced, trimmed, loaded, saved or damaged")                    \
    F(U64, revision, "revision", MUST, "grows with each change")               \
    F(COUNT, messages, "messages", MUST, "how many it holds")                  \
    F(COUNT, bytes, "bytes", MUST, "of their texts")                           \
    F(COUNT, dropped_messages, "dropped_messages", MAY,                        \
      "how many the limits took out")                                          \
    F(TEXT, reason, "reason", MAY, "who or what did it")

#define EVENT_FIELDS_response(F)                                               \
    F(TEXT, phase, "phase", MUST, "started or ended")                          \
    F(U64, response, "response", MUST, "the response's id")                    \
    F(U64, turn, "turn", MUST, "the turn's id")                                \
    F(TEXT, status, "status", MAY,                                             \
      "complete, interrupted or error; when ended")                            \
    F(TEXT, text, "text", MAY, "what it said, when ended")                     \
    F(U64, out_from_frame, "out_from_frame", MAY, "its audio, first frame")    \
    F(U64, out_to_frame, "out_to_frame", MAY, "its audio, frame past the end")

#define EVENT_FIELDS_turn(F)                                                   \
    F(U64, turn, "turn", MUST, "the turn's id")                                \
    F(COUNT, stream, "stream", MAY, "generation of the stream it ended on")    \
    F(TEXT, user_text, "user_text", MUST, "what the user said")                \
    F(TEXT, assistant_text, "assistant_text", MUST, "what the model said")     \
    F(LIST, tools, "tools", MUST, "[{tool, call, outcome}]")                   \
    F(SECONDS, first_text_seconds,                                             \
      "latency.end_of_speech_to_first_text_seconds", MAY,                      \
      "end of the user's speech to the first text")                            \
    F(SECONDS, first_audio_seconds,                                            \
      "latency.end_of_speech_to_first_audio_seconds", MAY,                     \
      "end of the user's speech to the first audio")                           \
    F(SECONDS, user_seconds, "durations.user_seconds", MAY,                    \
      "how long the user spoke")                                               \
    F(SECONDS, assistant_seconds, "durations.assistant_seconds", MAY,          \
      "how much audio the model sent")                                         \
    F(SECONDS, response_seconds, "durations.response_seconds", MAY,            \
      "the answer, from its first event to its last")                          \
    F(SECONDS, total_seconds, "durations.total_seconds", MAY,                  \
      "from the turn's begin to its end")                                      \
    F(COUNT, input_speech_tokens, "tokens.input.speech_tokens", MUST,          \
      "spent in this turn")                                                    \
    F(COUNT, input_text_tokens, "tokens.input.text_tokens", MUST,              \
      "spent in this turn")                                                    \
    F(COUNT, output_speech_tokens, "tokens.output.speech_tokens", MUST,        \
      "spent in this turn")                                                    \
    F(COUNT, output_text_tokens, "tokens.output.text_tokens", MUST,            \
      "spent in this turn")                                                    \
    F(NUMBER, output_per_second, "tokens.output_per_second", MAY,              \
      "output tokens of both kinds per second of the answer")                  \
    F(COUNT, heard_ms, "heard_ms", MAY, "how much of the answer was played")   \
    F(COUNT, lost_ms, "lost_ms", MAY,                                          \
      "how much of it was lost on the way to the loudspeaker")                 \
    F(FLAG, estimated, "estimated", MUST,                                      \
      "heard_ms comes from the clock, as no player reports")                   \
    F(FLAG, interrupted, "interrupted", MUST, "the user cut the answer short")

#define EVENT_FIELDS_interruption(F)                                           \
    F(U64, response, "response", MAY, "the response cut, if one was open")     \
    F(U64, turn, "turn", MUST, "the turn it belonged to")                      \
    F(TEXT, reason, "reason", MUST,                                            \
      "marker, stop_reason, speech_start, user_text or control")               \
    F(COUNT, heard_ms, "heard_ms", MUST, "how much of it was played")          \
    F(FLAG, estimated, "estimated", MUST,                                      \
      "heard_ms comes from the clock, as no player reports")                   \
    F(U64, flush_to_frame, "flush_to_frame", MUST,                             \
      "audio before this frame is not to be played")

#define EVENT_FIELDS_playback(F)                                               \
    F(TEXT, phase, "phase", MUST,                                              \
      "started, finished, flushed, lost, player_continued or player_lost")     \
    F(U64, response, "response", MAY, "the response it belongs to")            \
    F(U64, from_frame, "from_frame", MUST, "first frame")                      \
    F(U64, to_frame, "to_frame", MUST, "frame past the end")                   \
    F(U64, frames, "frames", MAY, "how many frames are lost")                  \
    F(FLAG, estimated, "estimated", MUST,                                      \
      "comes from the clock, as no player reports")

#define EVENT_FIELDS_capture(F)                                                \
    F(TEXT, phase, "phase", MUST,                                              \
      "starved, resumed, lost, producer_attached, producer_continued or "      \
      "producer_lost")                                                         \
    F(U64, frames, "frames", MAY, "how many frames it is about")               \
    F(U64, in_ring_frame, "in_ring_frame", MAY, "where in the input ring")     \
    F(TEXT, reason, "reason", MAY, "why frames are lost")                      \
    F(TEXT, producer, "producer", MAY, "the producer's name for itself")

#define EVENT_FIELDS_tool_call(F)                                              \
    F(U64, call, "call", MUST, "the gateway's id of the call")                 \
    F(TEXT, tool, "tool", MUST, "the tool's name")                             \
    F(JSON, arguments, "arguments", MUST, "what it is called with")            \
    F(U64, turn, "turn", MAY, "the turn that called it, if the model did")     \
    F(U64, response, "response", MAY, "the response that called it")           \
    F(TEXT, tool_use_id, "tool_use_id", MAY, "the model's id of the call")     \
    F(TEXT, provider, "provider", MAY, "who offers the tool")                  \
    F(TEXT, kind, "kind", MAY, "plugin, mcp, worker or builtin")               \
    F(TEXT, mode, "mode", MAY,                                                 \
      "sync (the model waits) or async (it talks on)")                         \
    F(U64, joins, "joins", MAY,                                                \
      "the call, running already, whose result it gets")

#define EVENT_FIELDS_tool_progress(F)                                          \
    F(U64, call, "call", MUST, "the gateway's id of the call")                 \
    F(TEXT, tool, "tool", MUST, "the tool's name")                             \
    F(NUMBER, done, "done", MUST, "how much is done, in the tool's own unit")  \
    F(NUMBER, total, "total", MAY, "of how much")                              \
    F(TEXT, message, "message", MAY, "what it is doing")

#define EVENT_FIELDS_tool_result(F)                                            \
    F(U64, call, "call", MUST, "the gateway's id of the call")                 \
    F(TEXT, tool, "tool", MUST, "the tool's name")                             \
    F(TEXT, outcome, "outcome", MUST, "result, error, timeout or cancelled")   \
    F(JSON, content, "content", MAY, "what the model was told")                \
    F(SECONDS, duration_seconds, "duration_seconds", MUST,                     \
      "from the call to its end, queueing included")                           \
    F(TEXT, reason, "reason", MAY, "why there is no result")                   \
    F(FLAG, late, "late", MAY,                                                 \
      "its stream was gone: told to the next one as text, or kept")            \
    F(TEXT, provider, "provider", MAY, "who offers the tool")                  \
    F(TEXT, failure, "failure", MAY, "how its provider failed")                \
    F(TEXT, next, "next", MAY, "what happens to its provider next")            \
    F(TEXT, delivery, "delivery", MAY,                                         \
      "answer, text, kept or nothing: how the model gets it")

#define EVENT_FIELDS_tool_registered(F)                                        \
    F(TEXT, tool, "tool", MUST, "the tool's name")                             \
    F(TEXT, provider, "provider", MUST, "who offers it")                       \
    F(TEXT, state, "state", MUST, "offered, replaced, refused or gone")        \
    F(TEXT, reason, "reason", MAY, "why it was refused or is gone")            \
    F(TEXT, kind, "kind", MAY, "plugin, mcp, worker or builtin")

#define EVENT_FIELDS_tool_event(F)                                             \
    F(TEXT, provider, "provider", MUST, "who tells it")                        \
    F(TEXT, name, "name", MUST, "the provider's name for it")                  \
    F(JSON, data, "data", MAY, "what it tells")                                \
    F(U64, call, "call", MAY, "the call it belongs to")                        \
    F(TEXT, tool, "tool", MAY, "that call's tool")

#define EVENT_FIELDS_usage(F)                                                  \
    F(COUNT, delta_input_speech_tokens, "delta.input.speech_tokens", MUST,     \
      "since the last usage event")                                            \
    F(COUNT, delta_input_text_tokens, "delta.input.text_tokens", MUST,         \
      "since the last usage event")                                            \
    F(COUNT, delta_output_speech_tokens, "delta.output.speech_tokens", MUST,   \
      "since the last usage event")                                            \
    F(COUNT, delta_output_text_tokens, "delta.output.text_tokens", MUST,       \
      "since the last usage event")                                            \
    F(COUNT, total_input_speech_tokens, "total.input.speech_tokens", MUST,     \
      "since the conversation began")                                          \
    F(COUNT, total_input_text_tokens, "total.input.text_tokens", MUST,         \
      "since the conversation began")                                          \
    F(COUNT, total_output_speech_tokens, "total.output.speech_tokens", MUST,   \
      "since the conversation began")                                          \
    F(COUNT, total_output_text_tokens, "total.output.text_tokens", MUST,       \
      "since the conversation began")

#define EVENT_FIELDS_metrics(F)                                                \
    F(U64, in_produced, "input.produced_frames_total", MUST,                   \
      "written by producers; sent + gated + lost + pending")                   \
    F(U64, in_sent, "input.sent_frames_total", MUST, "handed to TLS")          \
    F(U64, in_gated, "input.gated_frames_total", MUST,                         \
      "replaced by silence: muted, or listening when quiet")                   \
    F(U64, in_lost, "input.lost_frames_total", MUST,                           \
      "overwritten or lost with ring or stream")                               \
    F(U64, in_pending, "input.pending_frames", MUST, "waiting in the ring")    \
    F(U64, in_resent, "input.resent_frames_total", MUST,                       \
      "sent again after a cut")                                                \
    F(U64, in_inserted, "input.inserted_frames_total", MUST,                   \
      "silence that no producer wrote")                                        \
    F(U64, in_capacity, "input.capacity_frames", MAY, "of the input ring")     \
    F(U64, out_received, "output.received_frames_total", MUST,                 \
      "sent by the model; played + flushed + pending + lost")                  \
    F(U64, out_played, "output.played_frames_total", MUST, "played")           \
    F(U64, out_flushed, "output.flushed_frames_total", MUST,                   \
      "not played because of an interruption")                                 \
    F(U64, out_pending, "output.pending_frames", MUST, "to be played yet")     \
    F(U64, out_lost, "output.lost_frames_total", MUST,                         \
      "lost with their ring, or as too much waited")                           \
    F(U64, out_capacity, "output.capacity_frames", MAY, "of the output ring")  \
    F(COUNT, streams_open, "streams.open", MAY,                                \
      "streams of this session, the next and closing ones included")           \
    F(SECONDS, stream_age_seconds, "streams.age_seconds", MAY,                 \
      "of the current stream")                                                 \
    F(COUNT, rotations, "streams.rotations_total", MAY,                        \
      "planned changes to a next stream")                                      \
    F(COUNT, reconnects, "streams.reconnects_total", MAY,                      \
      "new streams after a loss")                                              \
    F(COUNT, replays, "streams.replays_total", MAY,                            \
      "utterances said again, as text or audio")                               \
    F(COUNT, deaf, "streams.deaf_total", MAY,                                  \
      "streams replaced because they did not react")                           \
    F(COUNT, history_messages, "history.messages", MAY,                        \
      "messages in the history")                                               \
    F(COUNT, history_bytes, "history.bytes", MAY, "of their texts")            \
    F(SECONDS, first_text_p50_seconds,                                         \
      "latency.end_of_speech_to_first_text_p50_seconds", MAY,                  \
      "half of the turns were faster")                                         \
    F(SECONDS, first_text_p95_seconds,                                         \
      "latency.end_of_speech_to_first_text_p95_seconds", MAY,                  \
      "95 % of the turns were faster")                                         \
    F(SECONDS, first_audio_p50_seconds,                                        \
      "latency.end_of_speech_to_first_audio_p50_seconds", MAY,                 \
      "half of the turns were faster")                                         \
    F(SECONDS, first_audio_p95_seconds,                                        \
      "latency.end_of_speech_to_first_audio_p95_seconds", MAY,                 \
      "95 % of the turns were faster")                                         \
    F(JSON, counters, "counters", MUST,                                        \
      "further counters by name, in Prometheus' manner")

#define EVENT_FIELDS_error(F)                                                  \
    F(TEXT, class_, "class", MUST,                                             \
      "retry, closed, peer, config or bug: what to do about it")               \
    F(TEXT, code, "code", MUST, "AWS's exception name or the gateway's code")  \
    F(TEXT, message, "message", MUST, "what happened, and where")              \
    F(TEXT, remedy, "remedy", MUST, "what to do")                              \
    F(TEXT, component, "component", MUST, "the part that failed")              \
    F(TEXT, ring, "ring", MAY, "the name of the ring that it is about")        \
    F(FLAG, recoverable, "recoverable", MUST,                                  \
      "the session, or the gateway, goes on by itself")                        \
    F(COUNT, http_status, "http_status", MAY, "if there was a response")       \
    F(TEXT, request_id, "request_id", MAY, "AWS's id of the request")          \
    F(COUNT, retry_in_ms, "retry_in_ms", MAY, "when it is tried again")

#define EVENT_FIELDS_heartbeat(F)                                              \
    F(TEXT, epoch, "epoch", MUST, "this run of the gateway")                   \
    F(SECONDS, uptime_seconds, "uptime_seconds", MUST, "since the start")      \
    F(COUNT, interval_ms, "interval_ms", MUST, "until the next heartbeat")     \
    F(FLAG, complete, "complete", MUST,                                        \
      "every topic is listed, not only those used of late")                    \
    F(JSON, sequences, "sequences", MUST, "{topic: last sequence}")
