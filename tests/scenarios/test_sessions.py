#!/usr/bin/python3
"""Sessions beside each other and one after another: what happens to one does
not touch the next, and what is closed leaves nothing."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults  # noqa: E402
from faults import (Asking, Endpoint, check_account, check_responses,  # noqa: E402
                    failed_with, refused, remote, wait_until)
from harness import Gateway  # noqa: E402
from speech import Microphone, say  # noqa: E402

STATE, CLOSED = -32001, -32004
SCRIPT = ["--ear", "script"]


class Sessions(unittest.TestCase):
    def check_ids(self, g, names):
        """Each session's events and log lines carry its own id."""
        ids = {}
        for e in g.bus.seen:
            if "subject" in e and e["subject"] in names:
                ids.setdefault(e["subject"], set()).add(e["conversation"])
                self.assertEqual(e["topic"].rsplit("/", 1)[1], e["subject"])
        for name in names:
            self.assertEqual(len(ids[name]), 1, name)
        self.assertEqual(len(set.union(*ids.values())), len(names))
        told = re.findall(r" \[([a-z]+) ([0-9A-Za-z-]+)\]", g.whole_log())
        for name, conversation in told:
            if name in names:
                self.assertIn(conversation, ids[name])
        self.assertLessEqual(set(names), {name for name, _ in told})

    def test_failure_of_one_does_not_disturb_another(self):
        config = {"sessions": {
            "good": {}, "bad": {"model": "amazon.nova-9-opera-v1:0"}}}
        with Endpoint() as end, remote(end, config) as g:
            g.wait_streaming("good")
            with Microphone(g, "good") as mic:
                mic.speak(say("hello robot"))
                g.bus.wait("speech", phase="started")
                for _ in range(5):
                    wait_until(lambda: g.call("session.get", session="bad")
                               ["state"] == "failed", "bad fails")
                    g.call("session.open", session="bad")
                g.bus.wait("transcript", role="user", text="hello robot")
                answer = g.call("session.text", session="good",
                                text="hello robot", wait="response")
                self.assertEqual(answer["text"], "Hello.")
            for e in g.bus.all("error"):
                self.assertEqual(e["subject"], "bad")
                self.assertEqual(e["data"]["code"], "ValidationException")
            stats = g.call("gateway.stats", session="good")["sessions"]["good"]
            check_account(stats)
            self.assertEqual(stats["input_frames"]["lost"], 0)
            self.assertEqual(stats["counters"]["errors_total"], 0)
            self.check_ids(g, ["good", "bad"])
            self.assertEqual(g.stop(), 0)
            check_responses(g.bus)

    def test_conversation_ids_given_and_minted(self):
        with Gateway({"sessions": {"a": {}}}, arguments=SCRIPT) as g:
            opened = g.call("session.open", session="b",
                            conversation="visit-2026-11-20")
            self.assertEqual(opened["conversation"], "visit-2026-11-20")
            for name in "ab":
                g.call("session.text", session=name, text="goodbye")
                wait_until(lambda: g.bus.poll(1) and any(
                    e.get("subject") == name and "turn.v1" in e["type"]
                    for e in g.bus.seen), "its turn")
            self.check_ids(g, ["a", "b"])
            listed = {s["session"]: s["conversation"]
                      for s in g.call("session.list")["sessions"]}
            self.assertEqual(listed["b"], "visit-2026-11-20")
            self.assertRegex(listed["a"], "^[0-9a-f-]{36}$")
            self.assertEqual(g.stop(), 0)

    def test_conversation_id_of_any_text(self):
        with Gateway({"sessions": {}}, arguments=SCRIPT) as g:
            refused(g, "session.open", -32602, "params.conversation",
                    session="b", conversation="x" * 2000)
            odd = "two\nlines \u00e9"
            g.call("session.open", session="b", conversation=odd)
            g.wait_streaming("b")
            self.assertEqual(g.bus.all("session.state")[-1]["conversation"], odd)
            self.assertNotRegex(g.whole_log(), "(?m)^lines")
            self.assertEqual(g.stop(), 0)

    def test_close_while_speaking_then_open_anew(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            asked = Asking(g, "session.text", session="robot",
                           text="tell me a story", wait="response")
            g.bus.wait("playback", phase="started")
            closing = Asking(g, "session.close", session="robot")
            failed_with(asked.end(), CLOSED)
            self.assertEqual(closing.end()["state"], "closed")
            check_responses(g.bus)
            self.assertEqual(g.rings(), [])
            g.call("session.open", session="robot", config={"voice": "amy"})
            answer = g.call("session.text", session="robot", text="hello robot",
                            wait="response")
            self.assertEqual(answer["text"], "Hello.")
            self.assertEqual(g.call("session.get", session="robot")["config"]
                             ["voice"], "amy")
            self.assertEqual(end.records(kind="violation"), [])
            self.assertEqual(g.stop(), 0)

    def test_while_closing(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            end.kill(19)
            first = Asking(g, "session.close", session="robot")
            g.bus.wait("session.state", state="closing")
            refused(g, "session.close", STATE, "closing", session="robot")
            refused(g, "session.text", CLOSED, "closing", session="robot",
                    text="late")
            refused(g, "session.interrupt", STATE, session="robot")
            error = None
            try:
                g.call("session.open", session="robot")
            except Exception as caught:
                error = caught
            self.assertIn(error.code, (STATE, -32006))
            self.assertEqual(first.end()["state"], "closed")
            end.kill(18)
            g.call("session.open", session="robot")
            g.wait_streaming()
            self.assertEqual(g.stop(), 0)

    @staticmethod
    def weight(g):
        """(descriptors, resident kB, rings) of the daemon."""
        pid = g.process.pid
        with open(f"/proc/{pid}/status") as f:
            rss = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
        return len(os.listdir(f"/proc/{pid}/fd")), rss, len(g.rings())

    def test_fifty_times_opened_and_closed_leaves_nothing(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()

            def once(i):
                g.call("session.open", session="guest")
                if i % 3 == 0:
                    g.bus.wait("session.state", state="streaming")
                g.call("session.close", session="guest")

            for i in range(10):
                once(i)
            g.bus.seen, g.bus.at = [], 0
            wait_until(lambda: len(g.rings()) == 2, "the guest's rings go")
            before = self.weight(g)
            for i in range(50):
                once(i)
            wait_until(lambda: self.weight(g)[0] <= before[0], "descriptors")
            after = self.weight(g)
            self.assertEqual(after[2], before[2])
            if "asan" not in os.environ.get("VOXRING_BUILD", ""):
                self.assertLess(after[1] - before[1], 1024, "kB grown")
            self.assertEqual([e["data"]["code"] for e in g.bus.all("error")],
                             [])
            self.assertEqual(end.records(kind="violation"), [])
            answer = g.call("session.text", session="robot", text="hello robot",
                            wait="response")
            self.assertEqual(answer["text"], "Hello.")
            self.assertEqual(g.stop(), 0)

    def test_sixteen_talk_at_once(self):
        names = [f"s{i}" for i in range(16)]
        with Endpoint() as end, remote(end, {"sessions": {}}) as g:
            for name in names:
                g.call("session.open", session=name)
            asked = [Asking(g, "session.text", session=name, text="hello robot",
                            wait="response") for name in names]
            self.assertEqual([a.end()["text"] for a in asked], ["Hello."] * 16)
            self.assertEqual(end.records(kind="violation"), [])
            for stats in g.call("gateway.stats")["sessions"].values():
                check_account(stats)
            self.assertEqual(g.stop(), 0)
            check_responses(g.bus)


class WithoutContinuation(unittest.TestCase):
    def test_a_session_ends_with_its_stream(self):
        script = dict(faults.SCRIPT,
                      faults=[{"fault": "cut", "after_ms": 300}])
        settings = {"sessions": {"robot": {
            "continuation": "off", "rotate_after_s": 0.2,
            "rotate_deadline_s": 0.3}}}
        with Endpoint(script) as end, remote(end, settings) as g:
            error = g.bus.wait("error")["data"]
            self.assertFalse(error["recoverable"])
            self.assertIn("session.open", error["remedy"])
            g.bus.wait("session.state", state="failed")
            self.assertEqual(len(end.records(kind="received",
                                             type="sessionStart")), 1)
            g.call("session.open", session="robot")
            g.wait_streaming()
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
