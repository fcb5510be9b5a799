#!/usr/bin/python3
"""Tools in processes of somebody's own: they join a conversation that runs,
share work, die and come back; and who may offer what."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Asking, logged, refused, wait_until  # noqa: E402
import harness  # noqa: E402
from recorded import Marker, difference, said  # noqa: E402
from workers import Working, tool, uses  # noqa: E402

REFUSED, NOT_FOUND = -32001, -32000
EXAMPLE = os.path.join(harness.ROOT, "tools", "examples", "worker.py")


class Workers(Working):
    def example(self, g):
        child = subprocess.Popen([EXAMPLE, g.runtime])

        def end():
            child.kill()
            child.wait()
        self.addCleanup(end)
        return child

    # ---- joining ----

    def test_the_example_joins_a_conversation_that_runs(self):
        end, g = self.start(uses("add", "That is {add.sum}.",
                                 {"a": 2, "b": 3}))
        with Marker(g, seed=3) as marker:
            self.assertEqual(self.ask(g), "Hello.")
            self.example(g)
            event = g.bus.wait("tool.registered", tool="add")["data"]
            self.assertEqual(event, {"tool": "add", "provider": "example-py",
                                     "state": "offered", "kind": "worker"})
            self.gained(end, g, "add", "clock")
            self.assertEqual(self.ask(g, "use add"), "That is 5.")
            marker.stop()
            wait_until(lambda: g.call("gateway.stats")["sessions"]["robot"][
                "input_frames"]["pending"] < 512, "all is sent")
        call = g.bus.wait("tool.call", tool="add")["data"]
        self.assertEqual((call["provider"], call["kind"], call["mode"]),
                         ("example-py", "worker", "sync"))
        result = g.bus.wait("tool.result", call=call["call"])["data"]
        self.assertEqual((result["outcome"], result["content"],
                          result["delivery"], result["provider"]),
                         ("result", {"sum": 5}, "answer", "example-py"))
        self.finish(end, g)
        streams = [end.told(n) for n in end.streams()]
        self.assertNotIn("add", streams[0]["tools"])
        self.assertIn("add", streams[-1]["tools"])
        received = marker.frames()[:0]
        for number in end.streams():
            received += said(end.audio(number))
        wrote = marker.frames()
        self.assertLess(len(wrote) - len(received), 512)
        self.assertIsNone(difference(received, wrote[:len(received)]))

    def test_its_list_changes(self):
        end, g = self.start(uses("lift"), uses("drop", "Dropped {drop.n}."))
        arm = self.peer(g, "arm", tool("lift", {"done": True}))
        self.gained(end, g, "lift")
        self.assertEqual(self.ask(g, "use lift"), "It is done.")
        arm.do("offer", **tool("drop", {"n": 3}))
        self.gained(end, g, "lift", "drop")
        self.assertEqual(self.ask(g, "use drop"), "Dropped 3.")
        arm.do("withdraw", name="lift")
        self.lost(end, g, "lift")
        refused(g, "tool.call", NOT_FOUND, "lift", tool="lift", arguments={})
        self.assertEqual(self.ask(g, "use drop"), "Dropped 3.")
        arm.close()
        self.lost(end, g, "drop")
        states = [(e["data"]["tool"], e["data"]["state"])
                  for e in g.bus.all("tool.registered")
                  if e["data"]["provider"] == "arm"]
        self.assertEqual(states, [("lift", "offered"), ("drop", "offered"),
                                  ("lift", "gone"), ("drop", "gone")])
        self.finish(end, g)

    def test_the_gateway_restarts(self):
        end, g = self.start(uses("add", "That is {add.sum}.",
                                 {"a": 2, "b": 3}), uses("lift"))
        child = self.example(g)
        arm = self.peer(g, "arm", tool("lift", {"done": True}))
        self.gained(end, g, "add", "lift")
        for sig in (signal.SIGTERM, signal.SIGKILL):
            g.process.send_signal(sig)
            g.process.wait(20)
            g.start()
            g.wait_streaming()
            self.gained(end, g, "add", "lift")
            self.assertEqual(self.ask(g, "use add"), "That is 5.")
            self.assertEqual(self.ask(g, "use lift"), "It is done.")
        self.assertIsNone(child.poll())
        arm.close()
        self.lost(end, g, "lift")
        self.assertEqual(g.stop(), 0)

    # ---- sharing ----

    def pair(self, g, *tools):
        return [self.peer(g, "arm", *tools, instance=side)
                for side in ("left", "right")]

    def both_there(self, g):
        wait_until(lambda: g.whole_log().count("the worker arm (") >= 2,
                   "both have told their tools")

    def test_two_processes_share_the_work(self):
        lines = uses("lift", "All is up.", parallel=True)
        lines["tool"] = [{"name": "lift", "arguments": {"n": n}}
                         for n in range(4)]
        end, g = self.start(lines)
        arms = self.pair(g, tool("lift"))
        self.both_there(g)
        self.gained(end, g, "lift")
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        calls = [[arm.called(), arm.called()] for arm in arms]
        self.assertEqual(sorted(c["arguments"]["n"] for two in calls
                                for c in two), [0, 1, 2, 3])
        self.assertEqual({c["session"] for two in calls for c in two},
                         {"robot"})
        for arm, two in zip(arms, calls):
            for call in two:
                arm.finish(call, {"up": call["arguments"]["n"]})
        self.assertEqual(asked.end()["text"], "All is up.")
        self.assertEqual(sorted(c["up"] for _, c in self.results(end)),
                         [0, 1, 2, 3])
        # one that leaves takes nothing with it
        arms[0].close()
        g.call("tool.call", tool="clock", arguments={})
        self.assertNotIn(("lift", "gone"), [
            (e["data"]["tool"], e["data"]["state"])
            for e in g.bus.all("tool.registered")])
        answer = Asking(g, "tool.call", tool="lift", arguments={"n": 9})
        arms[1].finish(arms[1].called(), {"up": 9})
        self.assertEqual(answer.end()["content"], {"up": 9})
        self.finish(end, g)

    def test_killed_in_mid_call_and_the_other_takes_the_next(self):
        end, g = self.start(uses("lift", "Up {lift.up}."))
        arms = self.pair(g, tool("lift"))
        self.both_there(g)
        self.gained(end, g, "lift")
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        wait_until(lambda: any(arm.count("called") for arm in arms),
                   "one is called")
        busy, other = sorted(arms, key=lambda arm: -arm.count("called"))
        busy.called()
        busy.kill()
        self.assertEqual(asked.end()["text"], "It failed.")
        result = g.bus.wait("tool.result", tool="lift")["data"]
        self.assertEqual((result["outcome"], result["provider"],
                          result["delivery"]), ("error", "arm", "answer"))
        self.assertRegex(result["failure"],
                         r"arm \((left|right)\) is gone.*heard")
        self.assertRegex(result["next"], "another process.*takes its place")
        self.assertEqual(len(self.results(end)), 1)
        self.assertRegex(self.results(end)[0][1]["error"], "lift|arm")
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        other.finish(other.called(), {"up": 2})
        self.assertEqual(asked.end()["text"], "Up 2.")
        self.assertNotIn("gone", [e["data"]["state"] for e in
                                  g.bus.all("tool.registered")])
        self.finish(end, g)

    def test_a_successor_takes_what_waits(self):
        end, g = self.start(uses("lift", "Up {lift.up}."))
        arm = self.peer(g, "arm", tool("lift"))
        self.gained(end, g, "lift")
        streams = len(end.streams())
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        arm.called()
        arm.kill()
        self.assertEqual(asked.end()["text"], "It failed.")
        result = g.bus.wait("tool.result", tool="lift")["data"]
        self.assertRegex(result["next"], "wait.*for a process of that name")
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        g.bus.wait("tool.call", tool="lift")
        arm = self.peer(g, "arm", tool("lift"))
        arm.finish(arm.called(), {"up": 3})
        self.assertEqual(asked.end()["text"], "Up 3.")
        self.assertEqual(len(end.streams()), streams)
        self.finish(end, g)

    def test_one_that_leaves_in_mid_call(self):
        end, g = self.start(uses("lift"))
        arm = self.peer(g, "arm", tool("lift"))
        self.gained(end, g, "lift")
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        arm.called()
        arm.close()
        self.assertEqual(asked.end()["text"], "It failed.")
        result = g.bus.wait("tool.result", tool="lift")["data"]
        self.assertRegex(result["failure"], "the worker arm .* has left")
        self.lost(end, g, "lift")
        self.assertEqual(self.ask(g), "Hello.")
        self.finish(end, g)

    # ---- who may ----

    def gateway(self, **workers):
        g = harness.Gateway({"sessions": {}, "workers": workers}, local=False)
        self.addCleanup(g.close)
        return g

    def refusal(self, g, *words, name="arm", **more):
        peer = self.peer(g, name, tool("lift", {"done": True}), **more)
        told = peer.told("refused")
        self.assertEqual(told["refused"], REFUSED)
        for word in words:
            self.assertRegex(told["why"], word)
        logged(g, told["why"][:60])
        peer.close()

    def accepted(self, g, name="arm", **more):
        peer = self.peer(g, name, tool("lift", {"done": True}), **more)
        wait_until(lambda: "lift" in [t["name"] for t in
                                      g.call("tool.list")["tools"]],
                   "it offers its tool")
        self.assertEqual(g.call("tool.call", tool="lift", arguments={})[
            "content"], {"done": True})
        peer.close()

    def test_names_that_are_taken(self):
        end, g = self.start(uses("clock", "At {clock.time}."), config={
            "mcp": {"files": {"command": "/nonexistent/server"}}})
        self.refusal(g, "clock", "plugin", r"clock\.so", name="clock")
        self.refusal(g, "MCP", "files", name="files")
        self.refusal(g, "name must be", name="no spaces")
        event = g.bus.wait("tool.registered", provider="clock",
                           state="refused")["data"]
        self.assertEqual(event["kind"], "worker")
        self.peer(g, "arm", tool("clock", {"time": "late"}),
                  tool("lift", {"done": True}))
        self.gained(end, g, "lift")
        event = g.bus.wait("tool.registered", provider="arm",
                           tool="clock")["data"]
        self.assertEqual(event["state"], "refused")
        self.assertRegex(event["reason"], r"clock.*clock\.so.*arm")
        self.assertNotIn("late", self.ask(g, "use clock"))
        self.assertEqual(self.result(g)["provider"], "clock")
        self.finish(end, g)

    def result(self, g):
        return g.bus.wait("tool.result")["data"]

    def test_none_are_accepted(self):
        g = self.gateway(accept="none")
        self.refusal(g, "workers.accept is none")
        self.assertEqual(g.stop(), 0)

    def test_only_those_that_are_listed(self):
        g = self.gateway(accept="listed", rules={"arm": {}})
        self.refusal(g, "workers.accept is listed", "leg", name="leg")
        self.accepted(g)
        self.assertEqual(g.stop(), 0)

    def test_a_token_from_a_file(self):
        folder = tempfile.mkdtemp(prefix="vr-token-")
        self.addCleanup(shutil.rmtree, folder)
        right, wrong, gone = (os.path.join(folder, name)
                              for name in ("right", "wrong", "gone"))
        for path, text in ((right, "all-right\n"), (wrong, "all-wrong\n"),
                           (gone, "x")):
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
                f.write(text)
        g = self.gateway(accept="listed", rules={
            "arm": {"token_file": right}, "leg": {"token_file": gone}})
        os.unlink(gone)
        self.refusal(g, "sent no token", "token_file")
        self.refusal(g, "wrong token", token_file=wrong)
        self.refusal(g, "cannot be checked", gone, name="leg",
                     token_file=wrong)
        self.accepted(g, token_file=right)
        self.assertNotRegex(g.whole_log(), "all-right|all-wrong")
        self.assertEqual(g.stop(), 0)

    def test_tools_that_are_not_listed(self):
        end, g = self.start(config={"workers": {"rules": {
            "arm": {"tools": ["lift"]}}}})
        self.peer(g, "arm", tool("lift", {}), tool("drop", {}))
        self.gained(end, g, "lift")
        self.assertNotIn("drop", self.told(end, g))
        event = g.bus.wait("tool.registered", tool="drop")["data"]
        self.assertEqual(event["state"], "refused")
        self.assertIn("workers.rules.arm.tools", event["reason"])
        self.finish(end, g)

    def test_a_worker_for_everything(self):
        end, g = self.start(
            uses("lift", "Up {lift.up}."), session={"rotate_gap_s": 120},
            config={"workers": {"rules": {"any": {"catch_all": True}}}})
        arm = self.peer(g, "arm", tool("lift", {"up": 1}))
        self.peer(g, "other", catch_all=True)
        logged(g, "workers.rules.other.catch_all")
        self.gained(end, g, "lift")
        refused(g, "tool.call", NOT_FOUND, "dance", tool="dance", arguments={})
        any_ = self.peer(g, "any", catch_all=True)
        wait_until(lambda: "any" in [p["name"] for p in
                                     g.call("tool.list")["providers"]
                                     if p["state"] == "ready"], "it is there")
        self.assertEqual(self.ask(g, "use lift"), "Up 1.")
        # the model still knows the tool of one that has gone
        arm.close()
        g.bus.wait("tool.registered", tool="lift", state="gone")
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        call = any_.called()
        self.assertEqual((call["called"], call["session"]), ("lift", "robot"))
        any_.finish(call, {"up": 7})
        self.assertEqual(asked.end()["text"], "Up 7.")
        asked = Asking(g, "tool.call", tool="dance", arguments={"n": 2})
        call = any_.called()
        self.assertEqual((call["called"], call["arguments"]),
                         ("dance", {"n": 2}))
        any_.finish(call, {"danced": 2})
        self.assertEqual(asked.end()["content"], {"danced": 2})
        self.finish(end, g)


if __name__ == "__main__":
    unittest.main()
