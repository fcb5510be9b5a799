/* One line per key of an entry that is about one provider of tools, or about
 * one tool. Define the macros that are wanted.
 *
 *   CONFIG_PLUGIN(key, kind, member, fallback, min, max, choices, check, unit,
 *                 what)        plugins.rules.NAME
 *   CONFIG_MCP(...)            mcp.NAME
 *   CONFIG_WORKER(...)         workers.rules.NAME
 *   CONFIG_TOOL(...)           tool_settings.TOOL
 *
 * As in config.tbl.h, and these kinds: FLAG; TEXTS (a list of texts); ENV
 * (environment variables, a list of names or {NAME: value}); MAYBE_FLAG and
 * MAYBE_NUMBER (below 0 while unset). A line of several kinds of providers
 * stands in CONFIG_EACH or CONFIG_CHILD. */
#ifndef CONFIG_PLUGIN
#define CONFIG_PLUGIN(key, kind, member, fallback, min, max, choices, check, \
                      unit, what)
#endif
#ifndef CONFIG_MCP
#define CONFIG_MCP(key, kind, member, fallback, min, max, choices, check, \
                   unit, what)
#endif
#ifndef CONFIG_WORKER
#define CONFIG_WORKER(key, kind, member, fallback, min, max, choices, check, \
                      unit, what)
#endif
#ifndef CONFIG_TOOL
#define CONFIG_TOOL(key, kind, member, fallback, min, max, choices, check, \
                    unit, what)
#endif
#define CONFIG_CHILD(...) CONFIG_PLUGIN(__VA_ARGS__) CONFIG_MCP(__VA_ARGS__)
#define CONFIG_EACH(...) CONFIG_CHILD(__VA_ARGS__) CONFIG_WORKER(__VA_ARGS__)

CONFIG_MCP("command", TEXT, command, "null", 1, 4095, NULL, NULL, "",
           "the program that is the server and speaks by its standard input "
           "and output; either this or url")
CONFIG_MCP("args", TEXTS, args, "[]", 0, 4095, NULL, NULL, "",
           "what the command is started with")
CONFIG_MCP("cwd", PATH, cwd, "null", 1, 4095, NULL, NULL, "",
           "the folder the command is started in; by default voxringd's")
CONFIG_MCP("url", TEXT, url, "null", 1, 2048, NULL, config_check_url, "",
           "where a server listens for streamable HTTP; https, or http on this "
           "machine")
CONFIG_MCP("headers_file", PATH, headers_file, "null", 1, 4095, NULL, NULL, "",
           "a file of HTTP headers for url, one a line, \"Authorization: "
           "Bearer ...\"; not to be open to everybody")
CONFIG_MCP("prefix", TEXT, prefix, "null", 1, 32, NULL, config_check_prefix, "",
           "put before the names of its tools, so that two servers may offer "
           "the same name")
CONFIG_MCP("allow", NAMES, allow, "\"*\"", 1, 128, NULL, NULL, "",
           "the tools that are offered, by the server's own names; \"*\" is "
           "all")
CONFIG_PLUGIN("memory_mb", UINT, memory_mb, "512", 0, 1048576, NULL, NULL, "MB",
              "memory its process may use; 0 is no limit")
CONFIG_MCP("memory_mb", UINT, memory_mb, "0", 0, 1048576, NULL, NULL, "MB",
           "memory its process may use; 0 is no limit")
CONFIG_EACH("timeout_s", NUMBER, timeout_s, "0", 0, 86400, NULL, NULL, "s",
            "a call ends so long after it was made; 0 is what the tool says")
CONFIG_EACH("result_bytes", UINT, result_bytes, "262144", 1024, 1048576, NULL,
            NULL, "bytes", "the longest result; a longer one is an error")
CONFIG_CHILD("concurrent_calls", UINT, concurrent_calls, "8", 1, 64, NULL, NULL,
             "", "calls at once; further ones wait")
CONFIG_WORKER("concurrent_calls", UINT, concurrent_calls, "16", 1, 64, NULL,
              NULL, "", "calls at once to one process; further ones wait")
CONFIG_EACH("grants", CHOICES, grants, "[\"publish\"]", 0, 0,
            "publish|text|update|history|end", NULL, "",
            "what its tools may do beside answering: publish events; send "
            "text, change settings, read and add to the history of the "
            "conversation that calls, end it")
CONFIG_CHILD("env", ENV, env, "[]", 0, 0, NULL, NULL, "",
             "environment variables it gets: names, to pass voxringd's own on, "
             "or {NAME: \"value\"}, null passing on")
CONFIG_WORKER("tools", NAMES, tools, "\"*\"", 1, 64, NULL, config_check_tool,
              "", "tools it may offer, by name; \"*\" is all, [] none")
CONFIG_WORKER("token_file", PATH, token_file, "null", 1, 4095, NULL, NULL, "",
              "a file whose content the worker must send as its token; not to "
              "be open to everybody")
CONFIG_WORKER("catch_all", FLAG, catch_all, "false", 0, 0, NULL, NULL, "",
              "true: it may take the calls of names that nobody offers")

CONFIG_TOOL("mode", CHOICE, mode, "null", 0, 0, "sync|async", NULL, "",
            "sync: the model waits for the result; async: it talks on")
CONFIG_TOOL("timeout_s", MAYBE_NUMBER, timeout_s, "null", 0, 86400, NULL, NULL,
            "s", "a call ends so long after it was made; 0 is no limit")
CONFIG_TOOL("cancel_on_interrupt", MAYBE_FLAG, cancel_on_interrupt, "null", 0,
            0, NULL, NULL, "",
            "true: its calls are cancelled when the user interrupts the robot")
CONFIG_TOOL("description", TEXT, description, "null", 1, 4096, NULL, NULL, "",
            "what the model is told of it")

#undef CONFIG_EACH
#undef CONFIG_CHILD
#undef CONFIG_PLUGIN
#undef CONFIG_MCP
#undef CONFIG_WORKER
#undef CONFIG_TOOL
