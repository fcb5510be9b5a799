#!/usr/bin/python3
"""What a conversation remembers: over streams, changes by control, limits, and
the death of the gateway."""
import json
import os
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (check_account, logged, refused, remote,  # noqa: E402
                    wait_until)
from recorded import Recorder  # noqa: E402
from speech import Loudspeaker, Microphone, say  # noqa: E402

STATE, PARAMS, LIMIT, EXISTS = -32001, -32602, -32005, -32006
QUIET = {"rotate_after_s": 400, "rotate_deadline_s": 470, "rotate_gap_s": 0.1}
SCRIPT = {"first_audio_ms": 10, "endpoint_ms": 400, "lines": [
    {"hear": ["hello robot"], "say": "Hello."},
    {"hear": ["count"], "on": "text", "say": "One. Two. Three."},
    {"hear": ["*"], "on": "text", "say": "I see."}]}


class Base(unittest.TestCase):
    def start(self, session=None, **more):
        """(endpoint, gateway), both closed at the end of the scenario."""
        end = Recorder(SCRIPT)
        self.addCleanup(end.close)
        g = remote(end, {"sessions": {"robot": dict(QUIET, **(session or {}))}},
                   **more)
        self.addCleanup(g.close)
        g.wait_streaming()
        return end, g

    def ask(self, g, text="hello robot", session="robot"):
        return g.call("session.text", session=session, text=text,
                      wait="response")["text"]

    def history(self, g, session="robot"):
        return g.call("session.history", session=session)

    def texts(self, g):
        return [m["text"] for m in self.history(g)["messages"]]

    def told(self, end, number):
        return [(m["role"], m["text"]) for m in end.told(number)["history"]]

    def rotate(self, g, reason="asked for"):
        if reason == "asked for":
            g.call("session.rotate", session="robot")
        return g.bus.wait("stream", phase="current", reason=reason)["data"]

    def finish(self, end, g):
        self.assertEqual(end.records(kind="violation"), [])
        self.assertEqual(g.stop(), 0)


class History(Base):
    def test_it_is_told_with_turns_and_times(self):
        end, g = self.start()
        self.ask(g)
        self.ask(g, "count")
        told = self.history(g)
        self.assertEqual([(m["role"], m["text"], m["turn"])
                          for m in told["messages"]], [
            ("user", "hello robot", "1"), ("assistant", "Hello.", "1"),
            ("user", "count", "2"), ("assistant", "One. Two. Three.", "2")])
        for m in told["messages"]:
            self.assertRegex(m["time"], r"^20\d\d-\d\d-\d\dT.*Z$")
            self.assertFalse(m["interrupted"] or m["pinned"])
        self.assertEqual(int(told["revision"]), int(g.bus.all("history")[-1]
                                                    ["data"]["revision"]))
        self.finish(end, g)

    def test_interrupted_answers_are_marked(self):
        end, g = self.start()
        with Loudspeaker(g):
            g.call("session.text", session="robot", text="count")
            g.bus.wait("playback", phase="started")
            g.call("session.interrupt", session="robot")
            g.bus.wait("interruption")
        wait_until(lambda: any(m["interrupted"] for m in
                               self.history(g)["messages"]), "it is marked")
        self.finish(end, g)

    def test_append_and_replace_with_revisions(self):
        end, g = self.start()
        self.ask(g)
        before = self.history(g)["revision"]
        g.call("history.append", session="robot", role="user",
               text="The user is called Ada.", pinned=True, revision=before)
        news = self.rotate(g, "the history was changed")
        self.assertEqual(news["history_messages"], 3)
        error = refused(g, "history.append", STATE, before, session="robot",
                        role="user", text="Too late.", revision=before)
        now = self.history(g)["revision"]
        self.assertEqual(error.data["revision"], now)
        self.assertNotIn("Too late.", self.texts(g))
        answer = g.call("history.replace", session="robot", revision=now,
                        messages=[
                            {"role": "user", "text": "hello robot"},
                            {"role": "assistant", "text": "Good day."}])
        self.assertGreater(int(answer["revision"]), int(now))
        self.rotate(g, "the history was changed")
        for wrong in ({"role": "robot", "text": "x"}, {"role": "user"},
                      {"role": "user", "text": 7}, "hello"):
            refused(g, "history.replace", PARAMS, "messages", session="robot",
                    messages=[wrong])
        refused(g, "history.append", PARAMS, "role", session="robot",
                role="system", text="x")
        self.assertEqual(self.texts(g), ["hello robot", "Good day."])
        self.finish(end, g)
        self.assertEqual(self.told(end, 2)[-1],
                         ("USER", "The user is called Ada."))
        self.assertEqual(self.told(end, 3), [
            ("USER", "hello robot"), ("ASSISTANT", "Good day.")])

    def test_pinned_survives_and_limits_are_told(self):
        end, g = self.start({"history_limits": {"messages": 6}})
        g.call("history.append", session="robot", role="user",
               text="Never forget this.", pinned=True)
        for n in range(8):
            self.ask(g, f"thing number {n}")
        self.assertEqual(len(self.texts(g)), 12)  # twice what a stream gets
        self.assertIn("Never forget this.", self.texts(g))
        trimmed = [e["data"] for e in g.bus.all("history")
                   if e["data"]["phase"] == "trimmed"]
        self.assertEqual(sum(t["dropped_messages"] for t in trimmed), 5)
        for _ in range(2):
            news = self.rotate(g)
        self.finish(end, g)
        told = self.told(end, news["stream"])
        self.assertLessEqual(len(told), 6)
        self.assertEqual(told[0][0], "USER")
        self.assertTrue(told[0][1].startswith("Never forget this."), told)
        self.assertIn("thing number 7", " ".join(t for _, t in told))

    def test_long_texts_reach_a_stream_in_pieces_of_whole_letters(self):
        text = "Grüße von Zoë – 日本語。 " * 100
        end, g = self.start({"history_limits": {"piece_bytes": 200}})
        g.call("history.replace", session="robot", messages=[
            {"role": "user", "text": text},
            {"role": "assistant", "text": "Yes."}])
        news = self.rotate(g, "the history was changed")
        self.finish(end, g)
        told = self.told(end, news["stream"])
        self.assertEqual(told[0][0], "USER")
        pieces = [r["body"]["event"]["textInput"]["content"] for r in
                  end.records(kind="received", type="textInput")]
        self.assertGreater(len(pieces), len(text.encode()) // 200)
        for piece in pieces:
            self.assertLessEqual(len(piece.encode()), 200)
            self.assertNotIn("\ufffd", piece)
        self.assertEqual("".join(t for r, t in told if r == "USER")
                         .replace(" ", ""), text.replace(" ", ""))

    def test_session_open_takes_one_over(self):
        end, g = self.start()
        opened = g.call("session.open", session="guest", history=[
            {"role": "system", "content": "Be nice."},
            {"role": "User", "content": [
                {"type": "text", "text": "I am"},
                {"type": "input_text", "text": "Ada."},
                {"type": "image_url", "image_url": {"url": "x"}}]},
            {"role": "assistant", "content": None,
             "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "7"},
            {"role": "assistant", "content": "Hello Ada."}])
        for word in ("system", "tool", "part"):
            self.assertIn(word, opened["left_out"])
        g.wait_streaming("guest")
        self.assertEqual([(m["role"], m["text"]) for m in
                          self.history(g, "guest")["messages"]],
                         [("user", "I am Ada."), ("assistant", "Hello Ada.")])
        refused(g, "session.open", EXISTS, "history", session="guest",
                history=[])
        refused(g, "session.open", PARAMS, r"history\[0\]", session="other",
                history=[{"role": "robot", "content": "x"}])
        wait_until(lambda: "other" not in [s["session"] for s in
                                           g.call("session.list")["sessions"]],
                   "the refused session is gone")
        self.finish(end, g)
        self.assertEqual(self.told(end, 2), [("USER", "I am Ada."),
                                             ("ASSISTANT", "Hello Ada.")])


class Files(Base):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vr-history-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.path = os.path.join(self.folder, "robot.json")

    def saved(self, *words):
        def there():
            try:
                with open(self.path, encoding="utf-8") as f:
                    text = json.dumps(json.load(f))
            except OSError:
                return False
            return all(w in text for w in words)
        wait_until(there, f"{words} are on the disk")

    def test_killed_gateway_goes_on_with_its_conversation(self):
        end, g = self.start({"history_file": self.path})
        with Microphone(g) as mic, Loudspeaker(g) as speaker:
            self.ask(g, "count")
            before = g.call("session.get", session="robot")["conversation"]
            self.saved("count", "One. Two. Three.")
            g.process.send_signal(signal.SIGKILL)
            g.process.wait(10)
            g.start()
            g.wait_streaming()
            loaded = g.call("session.get", session="robot")
            self.assertEqual(loaded["conversation"], before)
            self.assertEqual(self.texts(g), ["count", "One. Two. Three."])
            wait_until(lambda: mic.stats.attach_count == 2 and
                       speaker.stats.attach_count == 2, "both attach again")
            del speaker.heard[:]
            mic.speak(say("hello robot"))
            turn = g.bus.wait("turn", user_text="hello robot")["data"]
            self.assertEqual(turn["turn"], "2")
            self.assertEqual(turn["assistant_text"], "Hello.")
            wait_until(lambda: any(speaker.heard), "it is heard")
        check_account(g.call("gateway.stats")["sessions"]["robot"])
        self.finish(end, g)
        self.assertEqual(self.told(end, 2), [
            ("USER", "count"), ("ASSISTANT", "One. Two. Three.")])
        self.saved("hello robot", "Hello.", "count")
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_stopped_gateway_goes_on_and_greets_once(self):
        end, g = self.start({"history_file": self.path,
                             "greeting": "Greet the user."})
        g.bus.wait("turn")
        self.ask(g)
        self.assertEqual(g.stop(), 0)
        g.start()
        g.wait_streaming()
        self.assertEqual(self.ask(g), "Hello.")
        self.assertEqual(self.texts(g), ["I see."]
                         + ["hello robot", "Hello."] * 2)
        self.finish(end, g)
        self.assertEqual(end.told(2)["texts"], ["hello robot"])

    def test_damaged_file_is_set_aside_and_told(self):
        with open(self.path, "w") as f:
            f.write('{"version": 1, "messages": [{"ro')
        end, g = self.start({"history_file": self.path})
        logged(g, "history_damaged")
        aside = [f for f in os.listdir(self.folder) if ".damaged-" in f]
        self.assertEqual(len(aside), 1)
        self.assertEqual(self.texts(g), [])
        self.assertEqual(self.ask(g), "Hello.")
        self.saved("hello robot")
        self.finish(end, g)

    def test_file_that_two_want(self):
        end, g = self.start({"history_file": self.path})
        g.call("session.open", session="second",
               config=dict(QUIET, history_file=self.path))
        error = g.bus.wait("error", code="history_file")
        self.assertEqual(error["subject"], "second")
        self.assertTrue(error["data"]["recoverable"])
        g.wait_streaming("second")
        self.assertEqual(self.ask(g, session="second"), "Hello.")
        self.assertEqual(self.texts(g), [])
        self.finish(end, g)


if __name__ == "__main__":
    unittest.main()
