#!/usr/bin/python3
"""Conversations that are changed while they run: what the next stream is told,
and that nothing is noticed of it."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Asking, check_account, check_responses,  # noqa: E402
                    check_tools, refused, remote, wait_until)
import harness  # noqa: E402
from recorded import Recorder  # noqa: E402
from speech import Loudspeaker  # noqa: E402
from test_tools import ANSWER, compile_plugin, uses  # noqa: E402

STATE, PARAMS = -32001, -32602
QUIET = {"rotate_after_s": 400, "rotate_deadline_s": 470, "rotate_gap_s": 0.1}
LINES = [
    {"hear": ["hello robot"], "say": "Hello."},
    {"hear": ["tell me a story"], "on": "text",
     "say": "Once upon a time. " + "And so it went on. " * 3},
    {"hear": ["The tool *"], "on": "text", "say": "The tool has answered."}]


class Change(unittest.TestCase):
    def start(self, *lines, session=None, plugins=None):
        """(endpoint, gateway), both closed at the end of the scenario."""
        end = Recorder({"first_audio_ms": 10, "lines": list(lines) + LINES})
        self.addCleanup(end.close)
        g = remote(end, {
            "plugins": {"path": [harness.usual_plugins(self.own_folder())]
                        + (plugins or [])},
            "sessions": {"robot": dict(QUIET, **(session or {}))}})
        self.addCleanup(g.close)
        g.wait_streaming()
        return end, g

    def own_folder(self):
        folder = tempfile.mkdtemp(prefix="vr-change-")
        self.addCleanup(shutil.rmtree, folder, True)
        return folder

    def ask(self, g, text="hello robot"):
        return g.call("session.text", session="robot", text=text,
                      wait="response")["text"]

    def update(self, g, **config):
        return g.call("session.update", session="robot", config=config)

    def current(self, g, **members):
        return g.bus.wait("stream", phase="current", **members)["data"]

    def rotations(self, g):
        stats = g.call("gateway.stats")["sessions"]["robot"]
        check_account(stats)
        return stats["counters"]["rotations_total"]

    def finish(self, end, g):
        self.assertEqual(end.records(kind="violation"), [])
        self.assertEqual(g.stop(), 0)
        check_responses(g.bus)
        check_tools(g.bus)

    # ---- session.update ----

    def test_next_stream_is_told_what_was_changed(self):
        end, g = self.start(session={"system_prompt": "Be short.",
                                     "tools": ["clock"]})
        self.assertEqual(self.ask(g), "Hello.")
        answer = self.update(
            g, voice="tiffany", system_prompt="Be long.", tools=["echo"],
            inference={"max_tokens": 77, "temperature": 0.25})
        self.assertEqual(answer["applied"], "at the next turn boundary")
        self.assertEqual(answer["live"], [])
        self.assertEqual(sorted(answer["rotation"]), [
            "inference.max_tokens", "inference.temperature", "system_prompt",
            "tools", "voice"])
        news = self.current(g, reason="the settings changed")
        self.assertEqual(news["history_messages"], 2)
        self.assertEqual(self.ask(g), "Hello.")
        self.finish(end, g)
        before, after = end.told(1), end.told(news["stream"])
        self.assertEqual((before["system"], before["tools"]),
                         ("Be short.", ["clock"]))
        self.assertEqual((after["system"], after["tools"], after["voice"]),
                         ("Be long.", ["echo"], "tiffany"))
        self.assertEqual([m["text"] for m in after["history"]],
                         ["hello robot", "Hello."])
        begun = end.records(kind="received", type="sessionStart")[-1]["body"]
        inference = begun["event"]["sessionStart"]["inferenceConfiguration"]
        self.assertEqual(inference["maxTokens"], 77)
        self.assertAlmostEqual(inference["temperature"], 0.25)

    def test_live_keys_need_no_stream(self):
        end, g = self.start()
        answer = self.update(g, listen="when_quiet", deaf_after_s=30)
        self.assertEqual(answer["applied"], "done")
        self.assertEqual(sorted(answer["live"]), ["deaf_after_s", "listen"])
        self.assertEqual(self.ask(g), "Hello.")
        self.assertEqual(self.rotations(g), 0)
        self.finish(end, g)

    def test_keys_that_cannot_change_change_nothing(self):
        end, g = self.start()
        error = refused(g, "session.update", STATE, "input.rate_hz",
                        session="robot",
                        config={"input": {"rate_hz": 48000}, "voice": "amy"})
        self.assertIn("input.rate_hz", error.data["reopen"])
        refused(g, "session.update", PARAMS, "voice", session="robot",
                config={"voice": 7})
        self.assertEqual(self.ask(g), "Hello.")
        self.assertEqual(self.rotations(g), 0)
        self.finish(end, g)

    def test_changes_close_together_are_one(self):
        end, g = self.start()
        for voice in ("amy", "tiffany", "ruth", "olivia"):
            self.update(g, voice=voice)
        news = self.current(g, reason="the settings changed")
        self.assertEqual(self.ask(g), "Hello.")
        self.assertEqual(self.rotations(g), 1)
        self.finish(end, g)
        self.assertEqual(end.told(news["stream"])["voice"], "olivia")
        self.assertEqual(end.streams(), [1, 2])

    def test_change_while_the_next_stream_is_open(self):
        """It is dropped: what is told to a stream is told once."""
        end, g = self.start()
        with Loudspeaker(g):
            g.call("session.text", session="robot", text="tell me a story")
            g.bus.wait("response", phase="ended")
            self.update(g, voice="amy")
            g.bus.wait("stream", phase="opening", stream=2)
            # Before it is begun it would just be begun with both.
            wait_until(lambda: g.call("session.get", session="robot")
                       ["stream"]["next"] == "ready", "the next is begun")
            self.update(g, voice="tiffany")
            g.bus.wait("stream", phase="dropped")
            news = self.current(g, reason="the settings changed")
            self.assertEqual(len([e for e in g.bus.all("playback") if e["data"]
                                  ["phase"] == "finished"]), 1)
        self.assertEqual(self.rotations(g), 1)
        self.assertEqual(g.bus.all("interruption"), [])
        self.finish(end, g)
        self.assertEqual(end.told(news["stream"])["voice"], "tiffany")

    def test_change_while_it_sleeps_waits_for_the_next_stream(self):
        end, g = self.start()
        g.call("session.sleep", session="robot")
        g.bus.wait("session.state", state="asleep")
        answer = self.update(g, voice="tiffany")
        self.assertEqual(answer["applied"], "with the next stream")
        self.assertEqual(self.ask(g), "Hello.")
        self.finish(end, g)
        self.assertEqual(end.told(2)["voice"], "tiffany")

    # ---- reset, rotate, sleep ----

    def test_reset_keeps_or_forgets(self):
        end, g = self.start()
        self.assertEqual(self.ask(g), "Hello.")
        g.call("session.reset", session="robot", keep_history=True)
        kept = self.current(g, reason="reset")
        self.assertEqual(kept["history_messages"], 2)
        self.assertEqual(self.ask(g), "Hello.")
        g.call("session.reset", session="robot", keep_history=False)
        forgot = self.current(g, reason="reset")
        self.assertEqual(forgot["history_messages"], 0)
        history = g.call("session.history", session="robot")
        self.assertEqual(history["messages"], [])
        self.assertEqual(self.ask(g), "Hello.")
        self.finish(end, g)

    def test_reset_ends_the_response(self):
        end, g = self.start()
        with Loudspeaker(g) as speaker:
            g.call("session.text", session="robot", text="tell me a story")
            g.bus.wait("playback", phase="started")
            g.call("session.reset", session="robot", keep_history=True)
            ended = g.bus.wait("interruption")["data"]
            self.assertEqual(ended["reason"], "control")
            self.current(g, reason="reset")
            self.assertEqual(self.ask(g), "Hello.")
            wait_until(lambda: speaker.flushes, "what was unplayed is flushed")
        self.finish(end, g)

    def test_sleep_and_wake_by_text(self):
        end, g = self.start()
        self.assertEqual(self.ask(g), "Hello.")
        g.call("session.sleep", session="robot")
        asleep = g.bus.wait("session.state", state="asleep")["data"]
        self.assertEqual(asleep["reason"], "session.sleep")
        g.bus.wait("stream", phase="ended", stream=1)
        refused(g, "session.sleep", STATE, "asleep", session="robot")
        refused(g, "session.rotate", STATE, "asleep", session="robot")
        self.assertEqual(self.ask(g), "Hello.")
        self.finish(end, g)
        self.assertEqual([m["text"] for m in end.told(2)["history"]],
                         ["hello robot", "Hello."])
        self.assertEqual(end.told(2)["texts"], ["hello robot"])
        self.assertEqual(end.told(1)["ended"], "sessionEnd")

    # ---- tools ----

    def slow_tool(self, seconds, wait_s, say_while="One moment."):
        folder = tempfile.mkdtemp(prefix="vr-tools-")
        self.addCleanup(shutil.rmtree, folder, True)
        compile_plugin(folder, "snail", timeout=30000,
                       call=f"usleep({int(seconds * 1e6)});" + ANSWER)
        return self.start(
            uses("snail", say="The snail is there.", say_while=say_while),
            session={"tools": ["snail"], "tools_wait_ms": 5000,
                     "rotate_tool_wait_s": wait_s}, plugins=[folder])

    def test_rotation_waits_for_a_tool(self):
        end, g = self.slow_tool(1.5, 30)
        asked = Asking(g, "session.text", session="robot", text="use snail",
                       wait="response")
        g.bus.wait("tool.call", tool="snail")
        g.call("session.rotate", session="robot")
        result = g.bus.wait("tool.result", tool="snail")["data"]
        self.assertFalse(result.get("late", False))
        self.assertEqual(self.rotations(g), 0)
        self.assertIn("The snail is there.", asked.end()["text"])
        self.current(g, reason="asked for")
        self.finish(end, g)
        self.assertEqual(len(end.told(1)["tool_results"]), 1)

    def test_late_result_reaches_the_next_stream_as_a_text(self):
        end, g = self.slow_tool(3.5, 0.3)
        g.call("session.text", session="robot", text="use snail")
        g.bus.wait("tool.call", tool="snail")
        g.call("session.rotate", session="robot")
        self.current(g, reason="asked for")
        result = g.bus.wait("tool.result", tool="snail")["data"]
        self.assertTrue(result["late"])
        self.assertEqual(result["outcome"], "result")
        g.bus.wait("transcript", role="assistant", stage="final",
                   text="The tool has answered.")
        self.finish(end, g)
        told = end.told(2)
        self.assertEqual(told["tool_results"], [])
        self.assertEqual(len(told["texts"]), 1)
        self.assertRegex(told["texts"][0], 'tool snail.*"done": ?true')

    def test_same_call_on_the_next_stream_is_answered_by_the_first(self):
        end, g = self.slow_tool(3, 0.3)
        g.call("session.text", session="robot", text="use snail")
        first = g.bus.wait("tool.call", tool="snail")["data"]
        g.call("session.rotate", session="robot")
        self.current(g, reason="asked for")
        asked = Asking(g, "session.text", session="robot", text="use snail",
                       wait="response")
        second = g.bus.wait("tool.call", tool="snail")["data"]
        self.assertNotEqual(first["tool_use_id"], second["tool_use_id"])
        self.assertIn("The snail is there.", asked.end()["text"])
        results = {e["data"]["call"]: e["data"] for e in
                   g.bus.all("tool.result")}
        self.assertTrue(results[first["call"]]["late"])
        self.assertFalse(results[second["call"]].get("late", False))
        self.finish(end, g)
        told = end.told(2)
        self.assertEqual([r["id"] for r in told["tool_results"]],
                         [second["tool_use_id"]])
        self.assertEqual(told["texts"], ["use snail"])


if __name__ == "__main__":
    unittest.main()
