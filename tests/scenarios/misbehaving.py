"""Plugins that do what their C text says, in a conversation; and what holds
whatever they do."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (alive, check_responses, check_tools,  # noqa: E402
                    children, remote, wait_until)
import harness  # noqa: E402
from recorded import Recorder  # noqa: E402
from test_tools import compile_plugin  # noqa: E402

V1 = "amazon.nova-sonic-v1:0"
PATIENT_MS = 20000  # of tools that are to answer in time

# The tools NAME and NAME_async; DIRT is a folder to leave signs in.
SOURCE = r"""
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tools/voxring_tool.h"
static const struct voxring_host *host;
static void wait_for(const char *name)
{ char path[4096]; snprintf(path, sizeof path, "DIRT/%%s", name);
  while (access(path, F_OK)) usleep(1000); }
static void sign(const char *name)
{ char path[4096]; snprintf(path, sizeof path, "DIRT/%%s", name);
  close(open(path, O_CREAT | O_WRONLY, 0600)); }
static int init(const struct voxring_host *h, const char *c, char *w, size_t n)
{ struct rlimit none = {0, 0}; (void)c; (void)w; (void)n; (void)wait_for;
  (void)sign; host = h; setrlimit(RLIMIT_CORE, &none); %(init)s }
static void done(const struct voxring_call *call)
{ host->complete(call->token, VOXRING_OK, "{\"done\": \"yes\"}"); }
static void call(const struct voxring_call *call)
{ (void)done; %(call)s }
#define TOOL(tool_name, how) { \
    .name = tool_name, .description = "Misbehaves.", .mode = how, \
    .threading = VOXRING_SERIAL, .timeout_ms = %(timeout)d, \
    .flags = FLAGS, .call = call}
static const struct voxring_tool tools[] = {
    TOOL("%(name)s", VOXRING_SYNC), TOOL("%(name)s_async", VOXRING_ASYNC)};
VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD, .name = "%(name)s", .version = "1.0", .tools = tools,
    .tool_count = 2, .tool_bytes = sizeof tools[0], .init = init};
%(after)s
"""


def text_of(source, **names):
    for name, value in names.items():
        source = source.replace(name, value)
    return source


class Misbehaving(unittest.TestCase):
    def setUp(self):
        self.own = tempfile.mkdtemp(prefix="vr-faults-")
        self.addCleanup(shutil.rmtree, self.own, True)
        self.folder = os.path.join(self.own, "bad")
        self.dirt = os.path.join(self.own, "dirt")
        for folder in (self.folder, self.dirt):
            os.mkdir(folder, 0o755)
        self.born = set()

    def plugin(self, name, call="done(call);", timeout=PATIENT_MS, flags="0",
               **more):
        compile_plugin(self.folder, name, call=call, timeout=timeout,
                       text=text_of(SOURCE, DIRT=self.dirt, FLAGS=flags),
                       **dict({"init": "return 0;"}, **more))

    def begin(self, lines, session=None, settled=True, **rules):
        """(endpoint, gateway); `settled`: once each plugin has come or not."""
        end = Recorder({"first_audio_ms": 10, "endpoint_ms": 300,
                        "audio_speed_percent": 10000, "lines": lines})
        self.addCleanup(end.close)
        g = remote(end, {
            "sessions": {"robot": dict({"rotate_after_s": 400,
                                        "tools_wait_ms": 8000,
                                        "rotate_gap_s": 0.1},
                                       **(session or {}))},
            "plugins": {"path": [harness.usual_plugins(self.own), self.folder],
                        "settle_ms": 50, "rules": rules}})
        self.addCleanup(g.close)
        if settled:
            wait_until(lambda: g.call("tool.list")["complete"], "all are there")
        g.wait_streaming()
        return end, g

    def sign(self, name):
        with open(os.path.join(self.dirt, name), "w"):
            pass

    def signed(self, name):
        return os.path.exists(os.path.join(self.dirt, name))

    # ---- lines of the endpoint's script ----

    def line(self, tool, **more):
        return dict({"hear": [f"use {tool}"], "say": f"{tool} is done.",
                     "say_error": f"{tool} failed.", "tool": {"name": tool}},
                    **more)

    def well(self):
        """The next utterance, for which another plugin is needed."""
        return {"hear": ["are you well"], "say": "{echo.text}.",
                "say_error": "Not at all.",
                "tool": {"name": "echo", "arguments": {"text": "All is well"}}}

    # ---- what holds whatever happens ----

    def ask(self, g, text):
        return g.call("session.text", session="robot", text=text,
                      wait="response")["text"]

    def is_well(self, g):
        self.assertEqual(self.ask(g, "are you well"), "All is well.")

    def results(self, end):
        """The endpoint's: what each tool use was answered with, by its id."""
        found = {}
        names = {}
        for r in end.records(kind="received"):
            event = r["body"].get("event", {})
            begun = event.get("contentStart", {})
            if "toolResultInputConfiguration" in begun:
                names[begun["contentName"]] = begun[
                    "toolResultInputConfiguration"]["toolUseId"]
            told = event.get("toolResult")
            if told:
                found.setdefault(names[told["contentName"]], []).append(
                    told["content"])
        return found

    def uses(self, end):
        return [r["body"]["event"]["toolUse"]
                for r in end.records(kind="sent", type="toolUse")]

    def one_result_each(self, end):
        found = self.results(end)
        for use in self.uses(end):
            self.assertEqual(len(found.pop(use["toolUseId"], [])), 1, use)
        self.assertEqual(found, {})

    def remember(self, g):
        self.born.update(children(g.process.pid))

    def gone(self):
        """Processes that tools have left behind have ended, too."""
        pids = list(self.born) + [int(f[4:]) for f in os.listdir(self.dirt)
                                  if f.startswith("pid.")]
        wait_until(lambda: not any(alive(p) for p in pids), f"{pids} end", 10)

    def finish(self, end, g):
        self.remember(g)
        self.assertEqual(end.records(kind="violation"), [])
        self.assertEqual(g.stop(), 0)
        check_responses(g.bus)
        check_tools(g.bus)
        self.gone()
        self.assertEqual(os.listdir(g.runtime), [])
        self.assertEqual(g.rings(), [])

    def all_of(self, g, kind, tool):
        wait_until(lambda: [e for e in g.bus.all(kind)
                            if e["data"]["tool"] == tool], f"{kind} {tool}")
        return [e for e in g.bus.all(kind) if e["data"]["tool"] == tool]

    def turn_with(self, g, tool):
        while True:
            turn = g.bus.wait("turn")["data"]
            if tool in [t["tool"] for t in turn["tools"]]:
                return turn
