/* One line per configuration key. Define the macros that are wanted.
 *
 *   CONFIG_ROOT(path, kind, member, fallback, min, max, choices, check, unit,
 *               what)          a key of the file
 *   CONFIG_SESSION(path, ..., check, applies, unit, what)
 *                              a key of a session, below sessions.NAME
 *
 * kind: TEXT, PATH (relative ones start at the file's folder), PATHS (one or a
 * list), UINT, NUMBER, CHOICE (an enum, from 1), CHOICES (bits), NAMES (a list
 * or "*"), HISTORY, TARGETS, OBJECT, OBJECTS (an object of objects), PLUGINS,
 * MCP, WORKERS and TOOLS (entries by name, see config_provider.tbl.h). fallback:
 * JSON; null stands for "unset" or for what the code derives, as `what` says.
 * min and max: of a number, or of a text's bytes. choices: "a|b|c" or NULL.
 * check: a function of config_check.h, or NULL. applies: when session.update
 * takes effect: LIVE (at once), ROTATION (with the next stream), REOPEN (when
 * the session is opened anew). */
#ifndef CONFIG_ROOT
#define CONFIG_ROOT(path, kind, member, fallback, min, max, choices, check, \
                    unit, what)
#endif
#ifndef CONFIG_SESSION
#define CONFIG_SESSION(path, kind, member, fallback, min, max, choices, check, \
                       applies, unit, what)
#endif

CONFIG_ROOT("bedrock.region", TEXT, bedrock.region, "null", 1, 63, NULL,
            config_check_region, "",
            "the AWS region; by default AWS_REGION, else us-east-1")
CONFIG_ROOT("bedrock.model", TEXT, bedrock.model,
            "\"amazon.nova-2-sonic-v1:0\"", 1, 2048, NULL, NULL, "",
            "the model's id, for sessions that name none")
CONFIG_ROOT("bedrock.endpoint", TEXT, bedrock.endpoint, "null", 1, 512, NULL,
            config_check_endpoint, "",
            "https://HOST[:PORT] to use instead of the region's own")
CONFIG_ROOT("bedrock.ca_file", PATH, bedrock.ca_file, "null", 1, 4095, NULL,
            NULL, "",
            "PEM file of certificates to trust, by default the system's")
CONFIG_ROOT("bedrock.profile", TEXT, bedrock.profile, "null", 1, 128, NULL,
            NULL, "",
            "profile of the AWS credentials file; by default the environment, "
            "then AWS_PROFILE, then \"default\"")
CONFIG_ROOT("bedrock.connect_timeout_ms", UINT, bedrock.connect_timeout_ms,
            "10000", 100, 120000, NULL, NULL, "ms",
            "how long name lookup, TCP and TLS may take together")
CONFIG_ROOT(
    "bedrock.max_streams", UINT, bedrock.max_streams, "20", 1, 1000, NULL, NULL,
    "", "streams open at once, as the account allows; further sessions wait")
CONFIG_ROOT("bedrock.max_concurrent_handovers", UINT,
            bedrock.max_concurrent_handovers, "2", 1, 1000, NULL, NULL, "",
            "planned changes to a next stream at once; the others wait")
CONFIG_ROOT("bedrock.fallback", TARGETS, bedrock.fallback, "[]", 0, 0, NULL,
            NULL, "",
            "where to go on when the retries are spent, in this order: "
            "[{region, model, endpoint, ca_file}]")
CONFIG_ROOT(
    "bedrock.fallback_retry_s", NUMBER, bedrock.fallback_retry_s, "600", 0.2,
    86400, NULL, NULL, "s",
    "a session on a fallback tries the first target again after so long")
CONFIG_ROOT(
    "bedrock.retry_base_ms", UINT, bedrock.retry_base_ms, "250", 1, 60000,
    NULL, NULL, "ms",
    "longest pause before the first retry, doubled for each further one")
CONFIG_ROOT("bedrock.retry_cap_ms", UINT, bedrock.retry_cap_ms, "20000", 1,
            600000, NULL, NULL, "ms", "longest pause between retries")
CONFIG_ROOT("bedrock.retry_budget", UINT, bedrock.retry_budget, "8", 1, 64,
            NULL, NULL, "",
            "retries within retry_window_s, then the fallback or slow retries")
CONFIG_ROOT("bedrock.retry_window_s", NUMBER, bedrock.retry_window_s, "300",
            0.2, 86400, NULL, NULL, "s",
            "how long a retry counts against retry_budget")
CONFIG_ROOT("bedrock.retry_slow_s", NUMBER, bedrock.retry_slow_s, "30", 0.2,
            86400, NULL, NULL, "s",
            "pause between retries when the budget is spent")
CONFIG_ROOT("bedrock.healthy_after_s", NUMBER, bedrock.healthy_after_s, "20", 0,
            3600, NULL, NULL, "s",
            "a stream that lives so long and answers makes the next retry the "
            "first again")

CONFIG_ROOT("bus.events", TEXT, bus.events, "null", 7, 113, NULL,
            config_check_ipc, "",
            "where events are published; by default ipc:// and events.sock in "
            "the runtime folder")
CONFIG_ROOT("bus.control", TEXT, bus.control, "null", 7, 113, NULL,
            config_check_ipc, "",
            "where JSON-RPC requests are taken; by default control.sock there")
CONFIG_ROOT("bus.tools", TEXT, bus.tools, "null", 7, 113, NULL,
            config_check_ipc, "",
            "where tool workers connect; by default tools.sock there")

CONFIG_ROOT("plugins.path", PATHS, plugins.path, "null", 1, 4095, NULL, NULL,
            "",
            "folder of tool plugins (.so), or a list of folders; by default "
            "the one installed with voxringd")
CONFIG_ROOT("plugins.config", OBJECTS, plugins.config, "null", 0, 0, NULL, NULL,
            "", "settings handed to plugins, by the plugin's name")
CONFIG_ROOT("plugins.watch", CHOICE, plugins.watch, "\"on\"", 0, 0, "on|off",
            NULL, "",
            "on: plugins are loaded, replaced and removed when their files "
            "are; off: with tool.reload only")
CONFIG_ROOT("plugins.settle_ms", UINT, plugins.settle_ms, "300", 10, 60000,
            NULL, NULL, "ms",
            "a plugin's file is loaded once it has not changed for so long")
CONFIG_ROOT("plugins.rules", PLUGINS, plugins.rules, "{}", 0, 0, NULL, NULL, "",
            "limits and grants of plugins, by the plugin's name; \"*\" is for "
            "those not named")

CONFIG_ROOT("mcp", MCP, mcp, "{}", 0, 0, NULL, NULL, "",
            "servers of the Model Context Protocol, by a name for each; their "
            "tools are offered to the model")

CONFIG_ROOT("workers.accept", CHOICE, workers.accept, "\"any\"", 0, 0,
            "any|listed|none", NULL, "",
            "which processes may offer tools at bus.tools: any, those that "
            "workers.rules names, or none")
CONFIG_ROOT("workers.rules", WORKERS, workers.rules, "{}", 0, 0, NULL, NULL, "",
            "limits and grants of workers, by the name they say; \"*\" is for "
            "those not named")

CONFIG_ROOT("tool_settings", TOOLS, tool_settings, "{}", 0, 0, NULL, NULL, "",
            "by a tool's name, what holds instead of what its provider says")

CONFIG_ROOT("runtime_dir", TEXT, runtime_dir, "null", 1, 90, NULL,
            config_check_absolute, "",
            "folder for sockets and doorbells; by default "
            "$VOXRING_RUNTIME_DIR, else $XDG_RUNTIME_DIR/voxring, else "
            "/run/voxring as root, else /tmp/voxring-UID")
CONFIG_ROOT("instance", TEXT, instance, "null", 1, 32, NULL, config_check_name,
            "",
            "part of the rings' names, so that two gateways never meet; by "
            "default made from the runtime folder's path")
CONFIG_ROOT("log", TEXT, log, "\"info\"", 1, 512, NULL, config_check_log, "",
            "levels: error, warn, info, debug, trace or off, then per topic, "
            "\"info,wire=trace\"")
CONFIG_ROOT("ring.group", TEXT, ring.group, "null", 1, 64, NULL, NULL, "",
            "group whose members may use rings and sockets; by default only "
            "the owner may")

CONFIG_SESSION("model", TEXT, model, "null", 1, 2048, NULL, NULL, ROTATION, "",
               "the model's id; by default bedrock.model")
CONFIG_SESSION("model_family", TEXT, model_family, "null", 0, 0,
               "v1|nova2|nova2.5", NULL, ROTATION, "",
               "what the model can do, for ids voxring does not know; by "
               "default known from the id")
CONFIG_SESSION("voice", TEXT, voice, "\"matthew\"", 1, 64, NULL,
               config_check_voice, ROTATION, "",
               "the voice's id, in lower case")
CONFIG_SESSION("system_prompt", TEXT, system_prompt, "null", 1, 204800, NULL,
               NULL, ROTATION, "",
               "who the robot is and how it speaks; by default a short prompt "
               "for a helpful voice")
CONFIG_SESSION("system_prompt_file", PATH, system_prompt_file, "null", 1, 4095,
               NULL, NULL, ROTATION, "",
               "a file with the system prompt, instead of system_prompt")
CONFIG_SESSION(
    "history", HISTORY, history, "[]", 1, 51200, NULL, NULL, REOPEN, "",
    "earlier messages, [{\"role\": \"USER\" or \"ASSISTANT\", \"text\": ...}], "
    "beginning with USER; a last USER message is answered at the start")
CONFIG_SESSION("history_file", PATH, history_file, "null", 1, 4095, NULL, NULL,
               REOPEN, "",
               "a file that keeps the conversation across restarts of "
               "voxringd; by default it is forgotten with the session")
CONFIG_SESSION("history_limits.piece_bytes", UINT, history_limits.piece_bytes,
               "1000", 100, 51200, NULL, NULL, ROTATION, "bytes",
               "longest text in one event of the history, longer ones are cut "
               "into several")
CONFIG_SESSION("history_limits.total_bytes", UINT, history_limits.total_bytes,
               "40960", 100, 204800, NULL, NULL, ROTATION, "bytes",
               "history told to a new stream at most, the oldest is left out")
CONFIG_SESSION("history_limits.messages", UINT, history_limits.messages, "40",
               1, 1000, NULL, NULL, ROTATION, "",
               "messages of history told to a new stream at most")
CONFIG_SESSION("greeting", TEXT, greeting, "null", 1, 4096, NULL, NULL, REOPEN,
               "",
               "text sent to the model at the first open, so that the robot "
               "speaks first; by default it waits. A model that takes no text "
               "(v1) is spoken to instead, see trigger_clip")
CONFIG_SESSION("trigger_clip", PATH, trigger_clip, "null", 1, 4095, NULL, NULL,
               REOPEN, "",
               "a WAV file (16 bit, at most 10 s) spoken to a model that takes "
               "no text (v1), so that the robot speaks first; by default, if "
               "there is a greeting, the word \"ready\"")
CONFIG_SESSION("input.rate_hz", UINT, input.rate_hz, "16000", 0, 0,
               "8000|16000|24000|48000", NULL, REOPEN, "Hz",
               "sample rate of the ring that the microphone's process writes")
CONFIG_SESSION("input.channels", UINT, input.channels, "1", 0, 0, "1|2", NULL,
               REOPEN, "", "channels of that ring; stereo is mixed to mono")
CONFIG_SESSION("output.rate_hz", UINT, output.rate_hz, "24000", 0, 0,
               "8000|16000|24000|48000", NULL, REOPEN, "Hz",
               "sample rate of the ring that the speaker's process reads")
CONFIG_SESSION("output.channels", UINT, output.channels, "1", 0, 0, "1|2", NULL,
               REOPEN, "",
               "channels of that ring; stereo holds the same audio twice")
CONFIG_SESSION("model_input_rate_hz", UINT, model_input_rate_hz, "null", 0, 0,
               "8000|16000|24000", NULL, REOPEN, "Hz",
               "rate sent to the model; by default input.rate_hz, or 16000 "
               "where that is 48000")
CONFIG_SESSION("model_output_rate_hz", UINT, model_output_rate_hz, "null", 0, 0,
               "8000|16000|24000", NULL, REOPEN, "Hz",
               "rate asked of the model; by default output.rate_hz, or 24000 "
               "where that is 48000")
CONFIG_SESSION("chunk_ms", UINT, chunk_ms, "32", 10, 100, NULL, NULL, REOPEN,
               "ms", "audio in one event to the model")
CONFIG_SESSION("gap_ms", UINT, gap_ms, "300", 50, 5000, NULL, NULL, REOPEN,
               "ms",
               "silence is sent once no audio has come for so long; more than "
               "any producer's block")
CONFIG_SESSION(
    "connect_buffer_ms", UINT, connect_buffer_ms, "5000", 0, 30000, NULL, NULL,
    REOPEN, "ms",
    "audio captured while the stream is set up that is kept and sent")
CONFIG_SESSION("outage_buffer_s", UINT, outage_buffer_s, "30", 0, 600, NULL,
               NULL, REOPEN, "s",
               "audio the input ring keeps while the network is away")
CONFIG_SESSION("mode", CHOICE, mode, "\"always\"", 0, 0,
               "always|on_audio|manual", NULL, REOPEN, "",
               "when a stream is open, which costs money: always, from speech "
               "to idle_close_s, or by session.open and session.sleep alone")
CONFIG_SESSION(
    "idle_close_s", NUMBER, idle_close_s, "120", 0, 86400, NULL, NULL, LIVE,
    "s", "on_audio and manual: quiet for so long closes the stream; 0 never")
CONFIG_SESSION("max_session_s", NUMBER, max_session_s, "0", 0, 2592000, NULL,
               NULL, LIVE, "s",
               "a session ends so long after it was opened; 0 never")
CONFIG_SESSION("abandoned_s", NUMBER, abandoned_s, "300", 0, 2592000, NULL,
               NULL, LIVE, "s",
               "a session opened by control closes its stream when neither "
               "producer nor reader was there for so long; 0 never")
CONFIG_SESSION("speech.threshold_dbfs", NUMBER, speech.threshold_dbfs, "-45",
               -90, -1, NULL, NULL, REOPEN, "dBFS",
               "audio louder than this is taken for speech")
CONFIG_SESSION("speech.hangover_ms", UINT, speech.hangover_ms, "500", 20, 10000,
               NULL, NULL, REOPEN, "ms", "quiet for so long ends the speech")
CONFIG_SESSION("speech.preroll_ms", UINT, speech.preroll_ms, "300", 10, 5000,
               NULL, NULL, REOPEN, "ms",
               "audio from before the speech that is sent with it")
CONFIG_SESSION("continuation", CHOICE, continuation, "\"on\"", 0, 0, "on|off",
               NULL, LIVE, "",
               "on: the next stream takes over before the old one reaches its "
               "8 minutes; off: the session ends with its stream")
CONFIG_SESSION(
    "rotate_after_s", NUMBER, rotate_after_s, "360", 0.2, 470, NULL, NULL, LIVE,
    "s",
    "age from which a stream is replaced at the next pause, give or take 10 %")
CONFIG_SESSION("rotate_deadline_s", NUMBER, rotate_deadline_s, "450", 0.2, 475,
               NULL, NULL, LIVE, "s",
               "age at which a stream is replaced even in the middle of speech")
CONFIG_SESSION("rotate_gap_s", NUMBER, rotate_gap_s, "10", 0, 475, NULL, NULL,
               LIVE, "s", "rotations are at least so far apart")
CONFIG_SESSION("rotate_tool_wait_s", NUMBER, rotate_tool_wait_s, "30", 0, 300,
               NULL, NULL, LIVE, "s",
               "a rotation waits so long for open tool calls")
CONFIG_SESSION("credential_margin_s", NUMBER, credential_margin_s, "180", 0,
               3600, NULL, NULL, LIVE, "s",
               "a stream is replaced so long before its credentials expire")
CONFIG_SESSION(
    "deaf_after_s", NUMBER, deaf_after_s, "10", 0, 300, NULL, NULL, LIVE, "s",
    "a stream that does not react to speech for so long is replaced; 0 never")
CONFIG_SESSION("tools", NAMES, tools, "\"*\"", 1, 64, NULL, NULL, ROTATION, "",
               "tools the model may call, by name; \"*\" is all, [] none")
CONFIG_SESSION(
    "tools_wait_ms", UINT, tools_wait_ms, "500", 0, 30000, NULL, NULL, LIVE,
    "ms", "how long the start waits for tools that are named but not there yet")
CONFIG_SESSION("inference.max_tokens", UINT, inference.max_tokens, "1024", 1,
               65536, NULL, NULL, ROTATION, "", "longest answer, in tokens")
CONFIG_SESSION("inference.top_p", NUMBER, inference.top_p, "0.9", 0, 1, NULL,
               NULL, ROTATION, "", "nucleus sampling")
CONFIG_SESSION("inference.temperature", NUMBER, inference.temperature, "0.7", 0,
               1, NULL, NULL, ROTATION, "", "0 is dull, 1 lively")
CONFIG_SESSION("inference.for_tools", CHOICE, inference.for_tools,
               "\"as_set\"", 0, 0, "as_set|greedy", NULL, ROTATION, "",
               "greedy: while tools are offered, temperature 1 and top_p 1 are "
               "sent, with which some call tools more reliably")
CONFIG_SESSION("endpointing_sensitivity", TEXT, endpointing_sensitivity, "null",
               0, 0, "HIGH|MEDIUM|LOW", NULL, ROTATION, "",
               "how short a pause ends the user's turn (HIGH 1.5 s, LOW 2 s); "
               "by default not sent, the model decides")
CONFIG_SESSION("listen", CHOICE, listen, "\"always\"", 0, 0,
               "always|when_quiet", NULL, LIVE, "",
               "when_quiet sends silence while the robot speaks, for robots "
               "without echo cancelling")
CONFIG_SESSION("interrupt_on", CHOICES, interrupt_on,
               "[\"marker\", \"stop_reason\"]", 0, 0,
               "marker|stop_reason|speech_start", NULL, LIVE, "",
               "which signs of barge-in stop the robot speaking; speech_start "
               "alone may be a cough")
CONFIG_SESSION("tool_choice", TEXT, tool_choice, "null", 1, 64, NULL, NULL,
               ROTATION, "",
               "\"auto\", \"any\" or the name of the tool each answer begins "
               "with; by default not sent, which is auto")
CONFIG_SESSION("end_conversation", CHOICE, end_conversation, "\"off\"", 0, 0,
               "on|off", NULL, ROTATION, "",
               "on: the model is offered a tool of that name, with which it "
               "ends the conversation once its goodbye was played")
CONFIG_SESSION("cancelled_result", CHOICE, cancelled_result, "\"by_family\"", 0,
               0, "by_family|error|nothing", NULL, LIVE, "",
               "what the model is sent for a call that was cancelled; by "
               "default what its family expects")
CONFIG_SESSION("async_result_s", NUMBER, async_result_s, "300", 0, 3600, NULL,
               NULL, LIVE, "s",
               "the result of an asynchronous call is kept so long for the "
               "model to ask again")
CONFIG_SESSION("async_guidance", CHOICE, async_guidance, "\"on\"", 0, 0,
               "on|off", NULL, ROTATION, "",
               "on: models that are silent while a tool runs are told in the "
               "system prompt how to ask for the result again")
CONFIG_SESSION(
    "extra.session_start", OBJECT, extra.session_start, "null", 0, 0, NULL,
    NULL, ROTATION, "",
    "merged into the sessionStart event, for settings newer than voxring")
CONFIG_SESSION("extra.prompt_start", OBJECT, extra.prompt_start, "null", 0, 0,
               NULL, NULL, ROTATION, "", "merged into the promptStart event")

#undef CONFIG_ROOT
#undef CONFIG_SESSION
