/* One line per command:
 *
 *   COMMAND(symbol, "name", "arguments", least, most, "what it does",
 *           "details and examples, shown by --help")
 *
 * least and most are counts of arguments. SYMBOL_run() is the command. */
COMMAND(text, "text", "SESSION TEXT|-", 2, 2,
    "says something to the model in writing, and prints its answer",
    "The model answers by voice, into the session's ring; its words are printed.\n"
    "`-` reads the text from standard input.\n"
    "\n"
    "  voxring text robot 'what time is it'\n"
    "  voxring text robot --wait accepted 'tell me a story'\n")
COMMAND(session_list, "session list", "", 0, 0,
    "names, states and models of all sessions",
    "  voxring session list\n"
    "  voxring session list --json | jq -r '.sessions[].session'\n")
COMMAND(session_get, "session get", "SESSION", 1, 1,
    "all that is known of one session, as JSON",
    "  voxring session get robot\n"
    "  voxring session get robot --json | jq -r .state\n")
COMMAND(session_open, "session open", "SESSION", 1, 1,
    "opens a session, with the file's settings or those given",
    "A stream costs money while it is open; `voxring session close` ends it.\n"
    "\n"
    "  voxring session open kitchen\n"
    "  voxring session open kitchen --config '{\"voice\": \"amy\"}'\n"
    "  voxring session open kitchen --config kitchen.jsonc\n")
COMMAND(session_close, "session close", "SESSION", 1, 1,
    "ends a conversation in the right order; its rings go away",
    "  voxring session close kitchen\n")
COMMAND(session_mute, "session mute", "SESSION", 1, 1,
    "sends silence to the model instead of the microphone",
    "The microphone's ring is drained and counted (as gated) all the same.\n"
    "\n"
    "  voxring session mute robot\n")
COMMAND(session_unmute, "session unmute", "SESSION", 1, 1,
    "sends the microphone again",
    "  voxring session unmute robot\n")
COMMAND(session_interrupt, "session interrupt", "SESSION", 1, 1,
    "stops the robot speaking, here and now",
    "  voxring session interrupt robot\n")
COMMAND(tool_list, "tool list", "", 0, 0,
    "the tools that the model is offered",
    "  voxring tool list\n"
    "  voxring tool list --json | jq '.tools[].input_schema'\n")
COMMAND(tool_call, "tool call", "NAME [JSON]", 1, 2,
    "calls a tool as the model would, and prints its result",
    "Without JSON the arguments are {}.\n"
    "\n"
    "  voxring tool call clock '{\"zone\": \"Europe/Rome\"}'\n")
COMMAND(stats, "stats", "", 0, 0,
    "counters of the gateway and the account of every frame",
    "  voxring stats\n"
    "  voxring stats --session robot --json | jq '.sessions.robot.tokens'\n")
COMMAND(log, "log", "[LEVELS]", 0, 1,
    "shows or changes the gateway's log levels",
    "LEVELS is a level for all topics, or TOPIC=LEVEL, parted by commas: levels\n"
    "are error, warn, info, debug and trace.\n"
    "\n"
    "  voxring log\n"
    "  voxring log info,bedrock=debug,wire=trace\n")
COMMAND(snapshot, "snapshot", "", 0, 0,
    "where each event topic stands, and the last states, as JSON",
    "For subscribers that missed events: ipc/events.md tells how to use it.\n"
    "\n"
    "  voxring snapshot | jq .states\n")
COMMAND(version, "version", "", 0, 0,
    "versions of this program and of the gateway",
    "  voxring version\n")
COMMAND(shutdown, "shutdown", "", 0, 0,
    "closes every session in the right order, then ends the gateway",
    "Returns once the gateway's sockets are gone.\n"
    "\n"
    "  voxring shutdown\n")
