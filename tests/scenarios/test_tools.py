#!/usr/bin/python3
"""Tools that are missing, wrong, slow or dying: the model gets one result for
each use, and the conversation goes on."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Asking, Endpoint, alive, check_responses,  # noqa: E402
                    children, logged, refused, remote, wait_until)
import harness  # noqa: E402
from harness import usual_plugins  # noqa: E402

NOT_FOUND, PARAMS, CLOSED, SHUTDOWN = -32000, -32602, -32004, -32008

PLUGIN = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "tools/voxring_tool.h"
static const struct voxring_host *host;
static int init(const struct voxring_host *h, const char *c, char *w, size_t n)
{ (void)c; (void)w; (void)n; host = h; %(init)s }
static void call(const struct voxring_call *call)
{ (void)call; %(call)s }
static const struct voxring_tool tools[] = {{
    .name = "%(name)s", .description = "Does something odd.",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"n\":"
        "{\"type\":\"integer\"},\"way\":{\"enum\":[\"up\",\"down\"]}},"
        "\"required\":[\"n\"]}",
    .mode = VOXRING_SYNC, .threading = VOXRING_SERIAL,
    .timeout_ms = %(timeout)d, .call = call}};
VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD, .name = "%(name)s", .version = "1.0", .tools = tools,
    .tool_count = 1, .tool_bytes = sizeof tools[0], .init = init};
%(after)s
"""

ANSWER = 'host->complete(call->token, VOXRING_OK, "{\\"done\\": true}");'
DIE = ("struct rlimit none = {0, 0}; setrlimit(RLIMIT_CORE, &none);"
       " signal(SIGSEGV, SIG_DFL); raise(SIGSEGV);")


def compile_plugin(folder, name, call=ANSWER, init="return 0;", timeout=5000,
                   text=PLUGIN, before="", after=""):
    source = os.path.join(folder, f"{name}.c")
    with open(source, "w") as f:
        f.write(before + text % {"name": name, "call": call, "init": init,
                                 "timeout": timeout, "after": after})
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC",
                    f"-I{harness.ROOT}", "-o",
                    os.path.join(folder, f"{name}.so"), source], check=True)


def uses(tool, say="It is done.", arguments=None, **more):
    """A line of a script by which the model uses a tool."""
    return dict({"hear": [f"use {tool}"], "say": say, "say_error": "It failed.",
                 "tool": {"name": tool, "arguments": arguments or {"n": 1}}},
                **more)


class Tools(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vr-tools-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def start(self, *lines, session=None, plugins=None):
        """(endpoint, gateway), both closed at the end of the scenario."""
        end = Endpoint({"first_audio_ms": 10, "lines": list(lines) + [
            {"hear": ["hello robot"], "say": "Hello."}]})
        self.addCleanup(end.close)
        g = remote(end, {"plugins": {"path": plugins or [
            usual_plugins(self.folder), self.folder]},
            "sessions": {"robot": session or {}}})
        self.addCleanup(g.close)
        return end, g

    def ask(self, g, text):
        return g.call("session.text", session="robot", text=text,
                      wait="response")

    def goes_on(self, end, g, stop=True):
        self.assertEqual(self.ask(g, "hello robot")["text"], "Hello.")
        self.assertEqual(end.records(kind="violation"), [])
        if stop:
            self.assertEqual(g.stop(), 0)
            check_responses(g.bus)
            self.one_result_each(end)

    def one_result_each(self, end):
        used = [r["body"]["event"]["toolUse"]["toolUseId"]
                for r in end.records(kind="sent", type="toolUse")]
        answered = [r["body"]["event"]["contentStart"]
                    ["toolResultInputConfiguration"]["toolUseId"]
                    for r in end.records(kind="received", type="contentStart")
                    if "toolResultInputConfiguration"
                    in r["body"]["event"]["contentStart"]]
        self.assertEqual(sorted(used), sorted(answered))

    def result(self, end, index=-1):
        return end.records(kind="received", type="toolResult")[index][
            "body"]["event"]["toolResult"]["content"]

    def test_missing_tool_is_named_and_the_session_goes_on(self):
        end, g = self.start(session={"tools": ["clock", "hammer", "saw"],
                                     "tools_wait_ms": 100})
        g.wait_streaming()
        warned = [x for x in logged(g, "hammer").splitlines()
                  if " warn " in x]
        self.assertEqual(len(warned), 1, warned)
        self.assertRegex(warned[0], "hammer.*saw")
        self.assertNotIn("clock", warned[0])
        prompt = end.records(kind="received", type="promptStart")[0]["body"]
        self.assertIn('"clock"', str(prompt).replace("'", '"'))
        self.assertNotIn("echo", str(prompt))
        self.goes_on(end, g)

    def test_wrong_abi_is_refused_with_the_reason(self):
        compile_plugin(self.folder, "future", text=PLUGIN.replace(
            "VOXRING_PLUGIN_HEAD,",
            ".abi_major = 99, .abi_minor = 0,"
            " .struct_size = sizeof(struct voxring_plugin),"))
        with open(os.path.join(self.folder, "text.so"), "w") as f:
            f.write("this is no library")
        compile_plugin(self.folder, "bare", text="int %(name)s_nothing;")
        compile_plugin(self.folder, "sulky", init='snprintf(w, n, "buy a key '
                       'first"); return -1;')
        compile_plugin(self.folder, "fine")
        end, g = self.start()
        # What was published before this subscriber was there is in the log.
        wait_until(lambda: g.call("tool.list")["complete"], "all are settled")
        offered = {t["name"] for t in g.call("tool.list")["tools"]
                   if t["kind"] == "plugin"}
        self.assertEqual(offered, {"clock", "echo", "fine"})
        states = {(e["data"]["provider"], e["data"]["state"]): e["data"]
                  for e in g.call("gateway.snapshot")["states"]
                  if "tool.registered" in e["type"]}
        log = logged(g, "[future]", "[text]", "[bare]", "[sulky]")
        for name, why in (("future", "99"), ("text", "."),
                          ("bare", "voxring_plugin"),
                          ("sulky", "buy a key first")):
            self.assertRegex(states[name, "refused"]["reason"], why)
            self.assertRegex(log, rf"(?m)(warn|error) tools \[{name}\].*{why}")
        self.goes_on(end, g)

    def test_missing_folder_is_told(self):
        end, g = self.start(plugins=["/nonexistent/plugins"])
        g.wait_streaming()
        logged(g, "/nonexistent/plugins cannot be read", "plugins.path")
        self.assertEqual([t for t in g.call("tool.list")["tools"]
                          if t["kind"] == "plugin"], [])
        self.goes_on(end, g)

    def test_crash_in_a_call_is_one_error(self):
        compile_plugin(self.folder, "bomb", call=DIE)
        end, g = self.start(uses("bomb"), session={"tools": ["bomb", "clock"],
                                                   "tools_wait_ms": 5000})
        self.assertEqual(self.ask(g, "use bomb")["text"], "It failed.")
        result = g.bus.all("tool.result")[0]["data"]
        self.assertEqual(result["outcome"], "error")
        self.assertRegex(result["reason"], "SIGSEGV|crash|signal|died")
        self.assertIn("error", self.result(end))
        error = g.bus.wait("error", code="tool_worker_crashed")["data"]
        self.assertTrue(error["recoverable"])
        self.assertRegex(error["message"], "^the process of bomb died: .*sig")
        self.goes_on(end, g, stop=False)
        self.assertEqual(self.ask(g, "use bomb")["text"], "It failed.")
        self.assertEqual(len(g.bus.all("tool.call")), 2)
        self.assertEqual(len(g.bus.all("tool.result")), 2)
        self.goes_on(end, g)

    def test_worker_killed_while_idle_comes_back(self):
        end, g = self.start(uses("clock", arguments={}),
                            session={"tools": ["clock"],
                                     "tools_wait_ms": 5000})
        g.wait_streaming()
        for pid in children(g.process.pid):
            os.kill(pid, signal.SIGKILL)
        g.bus.wait("error", code="tool_worker_crashed")
        wait_until(lambda: len([p for p in children(g.process.pid)
                                if alive(p)]) == 2, "both come back")
        self.assertEqual(self.ask(g, "use clock")["text"], "It is done.")
        self.goes_on(end, g)

    def test_slow_tool_is_answered_at_its_deadline(self):
        compile_plugin(self.folder, "snail", call="sleep(2);" + ANSWER,
                       timeout=300)
        end, g = self.start(uses("snail"), session={"tools": ["snail"],
                                                    "tools_wait_ms": 5000})
        self.assertEqual(self.ask(g, "use snail")["text"], "It failed.")
        result = g.bus.wait("tool.result", tool="snail")["data"]
        self.assertEqual(result["outcome"], "timeout")
        self.assertGreaterEqual(result["duration_seconds"], 0.29)
        self.assertIn("error", self.result(end))
        self.goes_on(end, g)

    def test_arguments_are_checked_before_the_plugin(self):
        compile_plugin(self.folder, "bomb", call=DIE)
        end, g = self.start(uses("bomb", arguments={"n": "three"}),
                            session={"tools": ["bomb"], "tools_wait_ms": 5000})
        g.wait_streaming()
        self.assertEqual(self.ask(g, "use bomb")["text"], "It failed.")
        self.assertRegex(self.result(end), "n")
        for wrong, word in (({}, "n"), ({"n": 1.5}, "n"),
                            ({"n": 1, "way": "left"}, "way")):
            answer = None
            try:
                answer = g.call("tool.call", tool="bomb", arguments=wrong)
            except harness.RpcError as error:
                self.assertEqual(error.code, PARAMS)
                self.assertRegex(error.message, word)
            if answer:
                self.assertEqual(answer["outcome"], "error")
                self.assertRegex(answer["reason"], word)
        self.assertEqual(g.bus.all("error"), [])
        self.goes_on(end, g)

    def test_tool_called_by_control(self):
        compile_plugin(self.folder, "fine")
        end, g = self.start()
        wait_until(lambda: g.call("tool.list")["complete"], "all are there")
        answer = g.call("tool.call", tool="fine", arguments={"n": 1})
        self.assertIn(answer["outcome"], ("ok", "result"))
        self.assertEqual(answer["content"], {"done": True})
        refused(g, "tool.call", NOT_FOUND, '"hammer"', tool="hammer")
        self.goes_on(end, g)

    def test_pending_call_at_shutdown(self):
        compile_plugin(self.folder, "snail", call="sleep(60);" + ANSWER,
                       timeout=60000)
        end, g = self.start(uses("snail"), session={"tools": ["snail"],
                                                    "tools_wait_ms": 5000})
        g.wait_streaming()
        asked = Asking(g, "session.text", session="robot", text="use snail",
                       wait="response")
        g.bus.wait("tool.call", tool="snail")
        by_control = Asking(g, "tool.call", tool="snail", arguments={"n": 1})
        wait_until(lambda: g.call("gateway.stats")["tools"]["pending"] == 2,
                   "both wait")
        pids = children(g.process.pid)
        self.assertEqual(g.stop(limit_s=8), 0)
        self.assertIn(asked.end().code, (CLOSED, SHUTDOWN))
        answer = by_control.end()
        if isinstance(answer, dict):
            self.assertEqual(answer["outcome"], "cancelled")
        else:
            self.assertIn(answer.code, (CLOSED, SHUTDOWN))
        results = [e["data"]["outcome"] for e in g.bus.all("tool.result")]
        self.assertIn("cancelled", results)
        self.assertIn("error", self.result(end))
        self.one_result_each(end)
        for pid in pids:
            wait_until(lambda: not alive(pid), "the tool's process ends", 5)

    def test_stream_lost_while_a_tool_runs(self):
        compile_plugin(self.folder, "snail", call="sleep(1);" + ANSWER)
        end, g = self.start(uses("snail"), session={"tools": ["snail"],
                                                    "tools_wait_ms": 5000})
        g.wait_streaming()
        asked = Asking(g, "session.text", session="robot", text="use snail",
                       wait="response")
        first = g.bus.wait("tool.call", tool="snail")["data"]
        end.kill()
        g.bus.wait("session.state", state="waiting")
        result = g.bus.wait("tool.result", call=first["call"])["data"]
        self.assertEqual(result["outcome"], "result")
        self.assertTrue(result["late"])
        end.start()
        # The question is said again; its call gets the result that is there.
        second = g.bus.wait("tool.call", tool="snail")["data"]
        again = g.bus.wait("tool.result", call=second["call"])["data"]
        self.assertLess(again["duration_seconds"], 0.5)
        self.assertEqual(asked.end()["text"], "It is done.")
        self.goes_on(end, g, stop=False)
        self.assertEqual(g.stop(), 0)
        self.assertEqual(len(g.bus.all("tool.result")), 2)

    def test_stranger_at_the_tool_socket(self):
        import json
        import zmq
        end, g = self.start()
        g.wait_streaming()
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.connect(f"ipc://{g.runtime}/tools.sock")
        for text in (b"", b"hello", b"\xff" * 100, b"[" * 5000, b'{"jsonrpc":'
                     b'"2.0","id":1,"method":"tools/list"}', json.dumps({
                         "jsonrpc": "2.0", "id": 2, "method": "voxring/hello",
                         "params": {"protocol": 1, "name": "clock",
                                    "token": "guessed"}}).encode()):
            socket.send(text)
        answer = None
        while socket.poll(5000):
            answer = json.loads(socket.recv_multipart()[-1])
            if answer.get("id") == 2:
                break
        self.assertEqual(answer["error"]["code"], -32001)
        socket.close(0)
        context.term()
        self.goes_on(end, g)


if __name__ == "__main__":
    unittest.main()
