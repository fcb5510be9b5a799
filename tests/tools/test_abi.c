/* The plugin ABI is frozen: these numbers may be added to, never changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "tests/tools/shell.h"
#include "tools/voxring_tool.h"

#define AT(type, member, offset) \
    assert_int_equal(offsetof(struct type, member), offset)

static void
layout_of_64_bit_machines(void **state)
{
    (void)state;
    if (sizeof(void *) != 8)
        skip();
    assert_int_equal(VOXRING_TOOL_ABI_MAJOR, 1);
    AT(voxring_host, struct_size, 0);
    AT(voxring_host, abi_major, 4);
    AT(voxring_host, abi_minor, 6);
    AT(voxring_host, complete, 8);
    AT(voxring_host, is_cancelled, 16);
    AT(voxring_host, progress, 24);
    AT(voxring_host, log, 32);
    AT(voxring_host, now_ns, 40);
    AT(voxring_host, get_service, 48);
    AT(voxring_host, config, 56);
    AT(voxring_host, publish, 64);
    assert_int_equal(sizeof(struct voxring_host), 72);
    AT(voxring_conversation, struct_size, 0);
    AT(voxring_conversation, reserved, 4);
    AT(voxring_conversation, text, 8);
    AT(voxring_conversation, update, 16);
    AT(voxring_conversation, history, 24);
    AT(voxring_conversation, append, 32);
    AT(voxring_conversation, end, 40);
    assert_int_equal(sizeof(struct voxring_conversation), 48);
    AT(voxring_call, struct_size, 0);
    AT(voxring_call, reserved, 4);
    AT(voxring_call, token, 8);
    AT(voxring_call, tool, 16);
    AT(voxring_call, input_json, 24);
    AT(voxring_call, session, 32);
    AT(voxring_call, conversation, 40);
    AT(voxring_call, turn, 48);
    AT(voxring_call, deadline_ns, 56);
    assert_int_equal(sizeof(struct voxring_call), 64);
    AT(voxring_tool, name, 0);
    AT(voxring_tool, description, 8);
    AT(voxring_tool, input_schema, 16);
    AT(voxring_tool, mode, 24);
    AT(voxring_tool, threading, 28);
    AT(voxring_tool, timeout_ms, 32);
    AT(voxring_tool, flags, 36);
    AT(voxring_tool, call, 40);
    assert_int_equal(sizeof(struct voxring_tool), 48);
    AT(voxring_plugin, struct_size, 0);
    AT(voxring_plugin, abi_major, 4);
    AT(voxring_plugin, abi_minor, 6);
    AT(voxring_plugin, name, 8);
    AT(voxring_plugin, version, 16);
    AT(voxring_plugin, tools, 24);
    AT(voxring_plugin, tool_count, 32);
    AT(voxring_plugin, tool_bytes, 36);
    AT(voxring_plugin, init, 40);
    AT(voxring_plugin, fini, 48);
    assert_int_equal(sizeof(struct voxring_plugin), 56);
}

static void
values(void **state)
{
    (void)state;
    assert_int_equal(VOXRING_CANCEL_ON_INTERRUPT, 1);
    assert_int_equal(VOXRING_OK, 0);
    assert_int_equal(VOXRING_ERROR, 1);
    assert_int_equal(VOXRING_LOG_ERROR, 1);
    assert_int_equal(VOXRING_LOG_DEBUG, 4);
    assert_int_equal(VOXRING_SYNC, 0);
    assert_int_equal(VOXRING_ASYNC, 1);
    assert_int_equal(VOXRING_SERIAL, 0);
    assert_int_equal(VOXRING_PARALLEL, 1);
}

static void
the_header_stands_alone(void **state)
{
    static const char *const compilers[] = {
        "cc -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c",
        "command -v c++ >/dev/null || exit 0; "
        "c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++",
    };
    char command[300];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "%s tools/voxring_tool.h",
                 compilers[i]);
        assert_int_equal(shell(command), 0);
    }
}

/* A plugin of this minor in a host of 1.0, whose vtable ends earlier: what lies
 * behind is not the plugin's to read. */
static void
a_newer_plugin_can_tell_an_older_host(void **state)
{
    const size_t old_bytes = offsetof(struct voxring_host, config);
    const struct voxring_host head = {.struct_size = (uint32_t)old_bytes,
                                      .abi_major = 1};
    void *old = malloc(old_bytes);
    const struct voxring_plugin *plugin;
    char dir[64], command[300], path[100], why[200] = "";
    void *library;

    (void)state;
    snprintf(dir, sizeof dir, "%.40s/abi-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command,
             "cc -std=gnu11 -w -I. -shared -fPIC -pthread -o %s/keen.so "
             "tests/tools/plugins/keen.c",
             dir);
    assert_int_equal(shell(command), 0);
    snprintf(path, sizeof path, "%s/keen.so", dir);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(shell(command), 0);
    assert_non_null(library);
    plugin = dlsym(library, "voxring_plugin");
    assert_non_null(plugin);
    memcpy(old, &head, old_bytes);
    assert_int_not_equal(plugin->init(old, "{}", why, sizeof why), 0);
    assert_string_equal(why, "this host has ABI 1.0, 1.1 is needed");
    free(old);
}

/* What 1.0 had lies where it lay. */
static void
the_layout_of_1_0_is_kept(void **state)
{
    static const char program[] =
        "{ sed 's/voxring_/old_/g;s/VOXRING_/OLD_/g' "
        "tests/tools/plugins/voxring_tool_1_0.h; "
        "echo '#include \"tools/voxring_tool.h\"'; "
        "for m in host.struct_size host.complete host.is_cancelled "
        "host.progress host.log host.now_ns host.get_service "
        "call.struct_size call.token call.tool call.input_json call.session "
        "call.conversation call.turn call.deadline_ns tool.name "
        "tool.description tool.input_schema tool.mode tool.threading "
        "tool.timeout_ms tool.call plugin.struct_size plugin.abi_major "
        "plugin.abi_minor plugin.name plugin.version plugin.tools "
        "plugin.tool_count plugin.tool_bytes plugin.init plugin.fini; do "
        "s=${m%.*} f=${m#*.}; echo \"_Static_assert("
        "offsetof(struct old_$s, $f) == offsetof(struct voxring_$s, $f) && "
        "sizeof(((struct old_$s *)0)->$f) == "
        "sizeof(((struct voxring_$s *)0)->$f), \\\"$m\\\");\"; done; "
        "echo '_Static_assert(sizeof(struct old_call) == sizeof(struct "
        "voxring_call) && sizeof(struct old_tool) == sizeof(struct "
        "voxring_tool), \"sizes\");'; } | "
        "cc -std=c11 -I. -fsyntax-only -x c -";

    (void)state;
    assert_int_equal(shell(program), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_of_64_bit_machines),
        cmocka_unit_test(values),
        cmocka_unit_test(the_header_stands_alone),
        cmocka_unit_test(the_layout_of_1_0_is_kept),
        cmocka_unit_test(a_newer_plugin_can_tell_an_older_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
