/* One line per command:
 *
 *   COMMAND(symbol, "name", "arguments", least, most, "what it does",
 *           "details and examples, shown by --help")
 *
 * least and most are counts of arguments. SYMBOL_run() is the command. */
COMMAND(send, "send", "SESSION FILE|-", 2, 2,
    "writes a WAV or raw audio into a session's microphone ring",
    "Becomes the session's producer: nobody else may be it meanwhile. The audio\n"
    "goes in as a microphone would give it, in real time, and the command ends\n"
    "when the gateway has read all of it. FILE is a WAV (PCM or float, any rate\n"
    "and number of channels); what differs from the ring's format is converted.\n"
    "`-` reads standard input. A pipe that ends or waits is fine; one with its\n"
    "own clock, such as a microphone's, may be sent with --live.\n"
    "\n"
    "  voxring send robot hello.wav\n"
    "  espeak-ng --stdout 'what time is it' | voxring send robot -\n"
    "  arecord -q -t raw -f S16_LE -r 16000 -c 1 |\n"
    "      voxring send robot - --raw 16000,1 --live\n")
COMMAND(record, "record", "SESSION FILE|-", 2, 2,
    "writes what a session says (or hears) to a WAV, or raw to stdout",
    "Reads the voice of the model as it comes, which is faster than it is\n"
    "spoken, and all of it, also what an interruption then made void. With\n"
    "--player it is the session's loudspeaker instead: it takes the audio in\n"
    "real time, tells the gateway what was played, and drops what is flushed,\n"
    "so that the file holds what a person would have heard. There is one player\n"
    "a session. `-` writes raw s16le to standard output.\n"
    "\n"
    "The WAV is whole whenever this program ends, be it by SIGKILL.\n"
    "\n"
    "  voxring record robot reply.wav --player --seconds 20\n"
    "  voxring record robot heard.wav --in --until-idle 5000\n"
    "  voxring record robot - --player --silence |\n"
    "      aplay -q -t raw -f S16_LE -r 24000 -c 1\n")
COMMAND(ring_ls, "ring ls", "[SESSION|NAME...]", 0, 32,
    "lists the rings of this machine, also those of dead gateways",
    "For each: format, seconds of room, its gateway (living, stopped or dead, by\n"
    "the kernel's lock), who holds its lease (the producer of `in`, the player\n"
    "of `out`), how many readers have a slot, where the writer is and up to\n"
    "where the gateway has read or the player has played, the lag between, and\n"
    "all frames lost. What is wrong with a ring, or why it cannot be opened, is\n"
    "a line with `!`. It is the rings of all gateways; with --runtime-dir, of\n"
    "that folder's. No gateway is asked, and none notices.\n"
    "\n"
    "  voxring ring ls\n"
    "  voxring ring ls --json | jq -r '.rings[] | select(.wrong != []) | .name'\n")
COMMAND(ring_stat, "ring stat", "SESSION|NAME [in|out]", 1, 2,
    "shows all of a ring, or of a session's two, living or dead",
    "Layout, positions, the newest flush and commit, losses of each, who is\n"
    "there, who was, and how loud the last 100 ms and the last second are (peak\n"
    "and RMS in dB of full scale). Of a damaged ring it shows what it can, and\n"
    "what is wrong. --json: ipc/cli/README.md lists the members.\n"
    "\n"
    "  voxring ring stat robot\n"
    "  voxring ring stat robot in --json | jq '.rings[0].levels'\n")
COMMAND(ring_watch, "ring watch", "SESSION|NAME", 1, 1,
    "shows a ring's rate, level, lag and losses once a second",
    "On a terminal a table, else a line for each ring. It wakes nobody, takes no\n"
    "reader's slot, and goes on when the gateway dies, comes back or makes the\n"
    "ring anew, which it says. The level is that of the frames that came since\n"
    "the line before, of their last second at most.\n"
    "\n"
    "  voxring ring watch robot\n"
    "  voxring ring watch robot --interval 200 --count 50 >levels.txt\n")
COMMAND(ring_rm, "ring rm", "[SESSION|NAME...]", 0, 32,
    "removes the rings and doorbells that dead gateways left",
    "Whether a gateway is dead is what the kernel's lock says; a stopped one is\n"
    "not. The doorbell goes with its ring if the runtime folder is certain: it\n"
    "is the one given, or the ring's name was made from it. A gateway that\n"
    "starts again with its folder removes all this by itself.\n"
    "\n"
    "  voxring ring rm --stale --dry-run\n"
    "  voxring ring rm --stale\n")
COMMAND(tail, "tail", "[TYPE...]", 0, 32,
    "prints events of the bus, one JSON document a line",
    "Each line is one CloudEvents document; ipc/events.md tells what is in it.\n"
    "Without TYPE it is every event but the heartbeat. Events that were lost,\n"
    "seen by the topics' sequences and the heartbeats, are a line on stderr.\n"
    "When the gateway ends, tail waits for the next one.\n"
    "\n"
    "  voxring tail transcript tool.call\n"
    "  voxring tail turn --session robot --count 1 --timeout 60000\n"
    "  voxring tail error | jq -r '.data.message + \" \" + .data.remedy'\n")
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
    "  voxring session open kitchen --config kitchen.jsonc\n"
    "  voxring session open kitchen --history yesterday.json\n")
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
COMMAND(update, "update", "SESSION KEY=VALUE...", 1, 64,
    "changes settings of a running conversation",
    "Each key takes effect as its kind allows: at once, with the next stream\n"
    "(which is opened beside the present one and takes over at the next turn's\n"
    "boundary, so that nobody notices), or only when the session is opened\n"
    "anew; the answer says which. A dot in KEY parts objects. VALUE is JSON if\n"
    "it can be read as such, @FILE the text in a file, else itself a text. A\n"
    "JSON object may stand for several.\n"
    "\n"
    "  voxring update robot voice=amy\n"
    "  voxring update robot inference.temperature=0.4 'tools=[\"clock\"]'\n"
    "  voxring update robot system_prompt=@pirate.txt\n"
    "  voxring update robot '{\"rotate_after_s\": 300}'\n"
    "  voxring update robot --config robot.jsonc\n")
COMMAND(reset, "reset", "SESSION", 1, 1,
    "ends what is being said and goes on with a new stream",
    "The conversation goes on with its history; with --forget, without it.\n"
    "\n"
    "  voxring reset robot\n"
    "  voxring reset robot --forget\n")
COMMAND(rotate, "rotate", "SESSION", 1, 1,
    "changes to a next stream now, without anybody noticing",
    "The next stream is opened beside the present one and takes over at the\n"
    "next turn's boundary. Sessions do this by themselves before a stream's\n"
    "time is up; `voxring tail stream` shows it.\n"
    "\n"
    "  voxring rotate robot\n")
COMMAND(sleep, "sleep", "SESSION", 1, 1,
    "closes the stream, which costs money, and keeps the conversation",
    "Audio, a text or `voxring session open` wakes it, as its mode has it; then\n"
    "it goes on with its history.\n"
    "\n"
    "  voxring sleep robot\n")
COMMAND(history, "history", "SESSION [TEXT|-]", 1, 2,
    "shows what was said so far, adds to it, or replaces it",
    "Without options it is printed. --append ROLE adds TEXT (`-`: standard\n"
    "input) as said by the user or the assistant; --pinned keeps it however\n"
    "long the conversation becomes. --replace FILE puts other messages in its\n"
    "place: an array of {role, text}, or what --json has printed. The model\n"
    "learns of a change with the next stream; `voxring rotate` has it now.\n"
    "\n"
    "  voxring history robot\n"
    "  voxring history robot --append user --pinned 'My name is Ada.'\n"
    "  voxring history robot --json >yesterday.json\n"
    "  voxring history robot --replace yesterday.json\n")
COMMAND(tool_list, "tool list", "", 0, 0,
    "the tools that the model is offered, and who offers them",
    "First the tools: name, kind and name of who offers it (plugin, mcp, worker\n"
    "or builtin), sync or async, and what the model reads. Then who offers\n"
    "tools, or would but for the reason given.\n"
    "\n"
    "  voxring tool list\n"
    "  voxring tool list --json | jq '.tools[].input_schema'\n")
COMMAND(tool_call, "tool call", "NAME [JSON]", 1, 2,
    "calls a tool as the model would, and prints its result",
    "Without JSON the arguments are {}.\n"
    "\n"
    "  voxring tool call clock '{\"zone\": \"Europe/Rome\"}'\n")
COMMAND(tool_reload, "tool reload", "[PROVIDER]", 0, 1,
    "starts plugins and MCP servers anew, in running conversations too",
    "Calls that run are finished by the old process. Without PROVIDER it is all\n"
    "of them; files that were changed are found by the gateway itself.\n"
    "\n"
    "  voxring tool reload\n"
    "  voxring tool reload weather\n")
COMMAND(tool_new, "tool new", "NAME", 1, 1,
    "writes the source of a working plugin, to be made your own",
    "The file is NAME.c, which must not be there yet. It is a whole tool with a\n"
    "parameter, a setting and errors; with --async one that works in a thread of\n"
    "its own, tells its progress and can be cancelled. What is printed builds\n"
    "and tries it. No gateway is needed.\n"
    "\n"
    "  voxring tool new greet\n"
    "  voxring tool new walk --async --output src/walk.c\n")
COMMAND(tool_test, "tool test", "PLUGIN.so [NAME [JSON]]", 1, 3,
    "tries a plugin without a gateway, and says what is wrong with it",
    "The plugin runs in voxring-toolhost as the gateway would run it, and this\n"
    "program is its gateway. Each tool is called with input that fits its\n"
    "schema, with input that does not, cancelled, and called many times; so a\n"
    "tool that acts on the world does so: --no-calls only loads it and checks\n"
    "what it offers. --timeout lowers the tools' own limits. With NAME it is one\n"
    "call, whose result is printed; without JSON its arguments are {}.\n"
    "\n"
    "  voxring tool test greet.so\n"
    "  voxring tool test greet.so greet '{\"name\": \"Ada\"}'\n"
    "  voxring tool test robot.so --no-calls --config '{\"endpoint\": \"x\"}'\n")
COMMAND(stats, "stats", "", 0, 0,
    "counters of the gateway and the account of every frame",
    "--prometheus prints them in Prometheus' text format 0.0.4. Each scrape is\n"
    "one run, for example for the textfile collector of node_exporter, which\n"
    "must never see half a file.\n"
    "\n"
    "  voxring stats\n"
    "  voxring stats --session robot --json | jq '.sessions.robot.tokens'\n"
    "  voxring stats --prometheus >voxring.new && mv voxring.new voxring.prom\n")
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
