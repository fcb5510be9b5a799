#!/usr/bin/python3
"""Every way in which a tool can misbehave, synchronous and asynchronous, on
both families of models: one result for each use, and the conversation, the
other plugins and the machine are none the worse for it."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Asking, logged, wait_until  # noqa: E402
import harness  # noqa: E402
import misbehaving  # noqa: E402
from misbehaving import PATIENT_MS, V1  # noqa: E402
from speech import Microphone, say  # noqa: E402

# There memory is not limited: shadow memory would be counted, too.
SANITIZED = os.path.basename(harness.BUILD) in ("asan", "tsan")


class Way:
    """How a tool misbehaves, and what is told of it: the outcome, and
    patterns of tool.result's reason, failure and next (None: there is none),
    and members of its content."""

    def __init__(self, call, outcome="result", reason=None, failure=None,
                 next_=None, content=None, timeout=PATIENT_MS):
        self.call, self.outcome, self.reason = call, outcome, reason
        self.failure, self.next, self.timeout = failure, next_, timeout
        self.content = content or {}

    @staticmethod
    def dies(call, how):
        return Way(call, "error", how, how, r"starts again in \d+ ms")

    @staticmethod
    def late(call):
        return Way(call, "timeout", "did not answer within 300 ms",
                   "did not answer within 300 ms", "new process takes over",
                   timeout=300)

    @staticmethod
    def answers(call, **content):
        return Way(call, content=content or {"done": "yes"})


DEFAULT = "signal(SIGSEGV, SIG_DFL); signal(SIGABRT, SIG_DFL);"
WAYS = {
    "crash": Way.dies(DEFAULT + "raise(SIGSEGV);", "signal 11|SIGSEGV"),
    "abort": Way.dies(DEFAULT + "abort();", "signal 6|SIGABRT"),
    "leave": Way.dies("exit(0);", "exit|ended|left"),
    "leave_at_once": Way.dies("_exit(9);", "status 9|exit"),
    "hang": Way.late("while (!host->is_cancelled(call->token)) usleep(1000);"),
    "hang_for_ever": Way.late("for (;;) pause();"),
    "spin": Way.late("volatile int i = 0; for (;;) { i++; usleep(100); }"),
    "forget": Way.late(""),
    "come_late": Way.late("while (!host->is_cancelled(call->token))"
                          " usleep(1000); usleep(200000); done(call);"
                          "done(call);"),
    "flood": Way.answers("for (int i = 0; i < 20000; i++) { printf(\"line %d"
                         " of a flood\\n\", i); fprintf(stderr, \"%d\\n\", i);"
                         " } fflush(stdout); done(call);"),
    "print": Way.answers(
        'printf("{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"result\\":{}}\\n");'
        "fflush(stdout); done(call);"),
    "fork": Way("int s = 0; pid_t p = fork(); if (p == 0) return;"
                "waitpid(p, &s, 0); done(call);",
                content={"done": "yes"}),
    "fork_and_answer": Way.answers(
        "int s = 0; pid_t p = fork(); if (p == 0) { host->complete("
        'call->token, VOXRING_OK, "{\\"done\\": \\"copy\\"}"); return; }'
        "waitpid(p, &s, 0); done(call);"),
    "daemon": Way.answers(
        "pid_t p = fork(); if (p == 0) { setsid(); if (fork()) _exit(0);"
        ' char n[80]; snprintf(n, sizeof n, "pid.%d", (int)getpid()); sign(n);'
        ' sign("daemon"); for (;;) pause(); } waitpid(p, NULL, 0);'
        ' wait_for("daemon"); done(call);'),
    "close_all": Way.dies("for (int i = 3; i < 1000; i++) close(i);"
                          "done(call);", "descriptor|closed|status|signal 6"),
    "huge": Way("char *t = malloc(3 << 20); memset(t, 'x', 3 << 20);"
                't[0] = t[(3 << 20) - 2] = \'"\'; t[(3 << 20) - 1] = 0;'
                "host->complete(call->token, VOXRING_OK, t); free(t);",
                "error", "bytes|large|long", "its answer has 3145727 bytes",
                r"goes on; plugins\.rules\.huge\.result_bytes"),
    "bytes": Way('host->complete(call->token, VOXRING_OK,'
                 ' "{\\"done\\": \\"\\xff\\xfe\\"}");', "error", "UTF-8",
                 "its answer is not UTF-8", "it goes on"),
    "prose": Way.answers("host->complete(call->token, VOXRING_OK,"
                         ' "no {JSON");', result="no {JSON"),
    "nothing": Way.answers("host->complete(call->token, VOXRING_OK, NULL);"),
    "twice": Way.answers(
        "done(call); host->complete(call->token, VOXRING_ERROR, \"{}\");"
        "host->complete(call->token + 64, VOXRING_OK, \"{}\");"
        "host->complete(0, VOXRING_OK, NULL);"),
    "progress": Way.answers(
        "double odd[] = {-1, NAN, INFINITY, 1e308};"
        "for (int i = 0; i < 2000; i++) host->progress(call->token + i / 500,"
        " odd[i % 4], odd[i / 4 % 4], i % 2 ? NULL : \"\\xff odd\");"
        "done(call); host->progress(call->token, 1, 1, \"over\");"),
}
WAYS["nothing"].content = {}
if not SANITIZED:
    WAYS["leak"] = Way(
        "while (!host->is_cancelled(call->token)) { char *b = malloc(1 << 20);"
        " if (b) memset(b, 1, 1 << 20); usleep(500); }", "error",
        "more than its 32 MiB", r"memory_mb", r"starts again in \d+ ms")
# They never become tools.
UNBORN = {
    "dies_loading": ({"after": "static void __attribute__((constructor)) dies"
                      "(void) { _exit(9); }"}, "5 starts failed.*status 9"),
    "crashes_loading": ({"after": "static void __attribute__((constructor))"
                         " dies(void) { struct rlimit none = {0, 0};"
                         " setrlimit(RLIMIT_CORE, &none);" + DEFAULT +
                         "raise(SIGSEGV); }"}, "5 starts failed.*(11|SEGV)"),
    "dies_beginning": ({"init": "exit(3);"}, "."),
    "crashes_beginning": ({"init": DEFAULT + "abort();"},
                          "5 starts failed.*(6|ABRT)"),
}


def mode_name(name, mode):
    return name if mode == "sync" else f"{name}_async"


class Faults(misbehaving.Misbehaving):
    # ---- the matrix ----

    def told(self, g, way, tool, outcome=None):
        """The bus says whose fault it was and what comes next."""
        call = g.bus.wait("tool.call", tool=tool)["data"]
        told = g.bus.wait("tool.result", call=call["call"])["data"]
        self.assertEqual(told["outcome"], outcome or way.outcome, told)
        self.assertEqual(told["provider"], tool.removesuffix("_async"))
        for member, pattern in (("reason", way.reason),
                                ("failure", way.failure), ("next", way.next)):
            if pattern is None:
                self.assertNotIn(member, told)
            else:
                self.assertRegex(told.get(member, ""), pattern, (member, told))
        if way.outcome == "result":
            for key, value in way.content.items():
                self.assertEqual(told["content"].get(key), value, told)
        else:
            self.assertIn("error", told["content"])
        return told

    def descriptors(self, g):
        return len(os.listdir(f"/proc/{g.process.pid}/fd"))

    def suffer(self, mode):
        for name, way in WAYS.items():
            self.plugin(name, way.call, way.timeout)
        self.plugin("steady", 'wait_for("gate"); done(call);')
        lines = [self.line(mode_name(n, mode)) for n in WAYS] + [self.well()]
        end, g = self.begin(lines, leak={"memory_mb": 32})
        self.remember(g)
        before = self.descriptors(g)
        waiting = Asking(g, "tool.call", tool="steady", arguments={})
        for name, way in WAYS.items():
            with self.subTest(way=name, mode=mode):
                self.one_way(g, name, way, mode)
        self.remember(g)
        self.sign("gate")
        self.assertEqual(waiting.end()["content"], {"done": "yes"})
        self.recovered(g, before)
        self.bounded(g, mode)
        self.one_result_each(end)
        self.finish(end, g)

    def one_way(self, g, name, way, mode):
        tool = mode_name(name, mode)
        said = "done" if way.outcome == "result" else "failed"
        self.assertRegex(self.ask(g, f"use {tool}"), rf"{tool} .*{said}\.$")
        self.assertEqual(self.told(g, way, tool)["delivery"], "answer")
        self.is_well(g)

    def recovered(self, g, descriptors):
        """All are ready again, whatever was done to them; what hung is gone."""
        def ready():
            providers = g.call("tool.list")["providers"]
            self.remember(g)
            return all(p["state"] == "ready" and p["workers"] <= 1
                       for p in providers)
        wait_until(ready, "all are ready")
        wait_until(lambda: self.descriptors(g) <= descriptors,
                   "no descriptor is left behind")
        self.assertEqual(g.call("gateway.stats")["tools"]["pending"], 0)

    def bounded(self, g, mode):
        """What was said too much is dropped, and that is told or counted."""
        log = logged(g, "[flood] wrote too much", "[flood] says: line 0 of")
        self.assertLess(log.count("[flood] says"), 2000)
        progress = self.all_of(g, "tool.progress", mode_name("progress", mode))
        self.assertLess(len(progress), 50)
        self.assertNotIn("over", [e["data"].get("message") for e in progress])
        tools = g.call("gateway.stats")["tools"]
        self.assertGreaterEqual(tools["late_results_total"], 1)

    def test_every_way_of_a_synchronous_tool(self):
        self.suffer("sync")

    def test_every_way_of_an_asynchronous_tool(self):
        self.suffer("async")

    def test_asynchronous_tools_of_a_silent_model(self):
        """v1 has the placeholder as the one result; what came is kept."""
        ways = {n: WAYS[n] for n in ("crash", "hang_for_ever", "forget",
                                     "come_late", "huge", "twice")}
        for name, way in ways.items():
            self.plugin(name, way.call, way.timeout)
        lines = []
        for name in ways:
            lines += [self.line(name + "_async", on="speech", say="Yes."),
                      dict(self.well(), on="speech", say="Well.")]
        end, g = self.begin(lines, session={"model": V1})
        with Microphone(g) as mic:
            for name, way in ways.items():
                tool = name + "_async"
                mic.speak(say("do"))
                turn = self.turn_with(g, tool)
                self.assertEqual(turn["assistant_text"], "Yes.")
                told = next(e["data"] for e in self.all_of(
                    g, "tool.result", tool))
                self.assertEqual(told["outcome"], way.outcome)
                self.assertEqual(told["delivery"], "kept")
                self.assertEqual(told["provider"], name)
                self.assertRegex(told.get("failure", ""), way.failure or "^$")
                self.assertRegex(told.get("next", ""), way.next or "^$")
                mic.speak(say("well"))
                turn = self.turn_with(g, "echo")
                self.assertEqual(turn["assistant_text"], "Well.")
        for content in self.results(end).values():
            self.assertRegex(content[0], "running|All is well")
        self.one_result_each(end)
        self.finish(end, g)

    # ---- loading ----

    def provider(self, g, name):
        return [p for p in g.call("tool.list")["providers"]
                if p["name"] == name][0]

    def test_plugins_that_die_when_they_are_loaded(self):
        for name, (how, _) in UNBORN.items():
            self.plugin(name, **how)
        self.plugin("fine")
        end, g = self.begin([self.line("fine"), self.well()])
        for name, (_, why) in UNBORN.items():
            wait_until(lambda: self.provider(g, name)["state"] == "refused",
                       f"{name} is given up")
            self.assertRegex(self.provider(g, name)["reason"], why)
            logged(g, f"[{name}]")
        offered = {t["name"] for t in g.call("tool.list")["tools"]
                   if t["kind"] == "plugin"}
        self.assertEqual(offered, {"clock", "echo", "fine", "fine_async"})
        self.assertEqual(self.ask(g, "use fine"), "fine is done.")
        self.is_well(g)
        self.one_result_each(end)
        self.finish(end, g)

    def test_plugin_that_is_slow_to_start(self):
        """The conversation does not wait for it, and gains it later."""
        self.plugin("late", init='wait_for("gate"); return 0;')
        end, g = self.begin([self.line("late"), self.well()],
                            {"tools_wait_ms": 100}, settled=False)
        wait_until(lambda: "echo" in [t["name"] for t in
                                      g.call("tool.list")["tools"]], "echo")
        self.assertFalse(g.call("tool.list")["complete"])
        self.sign("gate")
        g.bus.wait("tool.registered", tool="late", state="offered")
        g.bus.wait("stream", phase="current", reason="the tools changed")
        self.assertEqual(self.ask(g, "use late"), "late is done.")
        self.is_well(g)
        self.one_result_each(end)
        self.finish(end, g)

    def test_plugin_that_never_starts(self):
        self.plugin("never", init="for (;;) pause();")
        end, g = self.begin([self.well()], {"tools": ["echo", "never"],
                                            "tools_wait_ms": 300},
                            settled=False)
        logged(g, "never")
        self.is_well(g)
        self.finish(end, g)


if __name__ == "__main__":
    unittest.main()
