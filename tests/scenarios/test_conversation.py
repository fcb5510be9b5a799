#!/usr/bin/python3
"""Conversations through every station: rings, TLS, HTTP/2, events, tools."""
import glob
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
from harness import Gateway  # noqa: E402
from speech import Loudspeaker, Microphone, say, silence  # noqa: E402

SCRIPT = ["--ear", "script"]


def schemas():
    found = {}
    for path in glob.glob(os.path.join(harness.ROOT, "ipc", "schemas", "*.json")):
        with open(path) as f:
            found[os.path.basename(path)[:-5]] = json.load(f)
    return found


class Conversation(unittest.TestCase):
    def check_account(self, stats):
        """Every frame has one fate."""
        i, o = stats["input_frames"], stats["output_frames"]
        self.assertEqual(i["produced"], i["sent"] + i["gated"] + i["lost"] + i["pending"])
        self.assertEqual(o["received"], o["played"] + o["flushed"] + o["pending"] + o["lost"])

    def check_responses(self, bus):
        """One start and one end each, in that order."""
        phases = {}
        for e in bus.all("response"):
            phases.setdefault(e["data"]["response"], []).append(e["data"]["phase"])
        for response, told in phases.items():
            self.assertEqual(told, ["started", "ended"], response)
        return len(phases)

    def test_text_and_tool(self):
        with Gateway(arguments=SCRIPT) as g:
            answer = g.call("session.text", session="robot",
                            text="what time is it", wait="response")
            self.assertEqual(answer["status"], "complete")
            self.assertRegex(answer["text"], r"It is \d\d:\d\d, on \d{4}-\d\d-\d\d")
            call = g.bus.wait("tool.call", tool="clock")["data"]
            result = g.bus.wait("tool.result", call=call["call"])["data"]
            self.assertEqual(result["outcome"], "result")
            self.assertIn(result["content"]["time"], answer["text"])
            turn = g.bus.wait("turn")["data"]
            self.assertEqual(turn["user_text"], "what time is it")
            self.assertEqual([t["tool"] for t in turn["tools"]], ["clock"])
            self.assertEqual(self.check_responses(g.bus), 1)
            stats = g.call("gateway.stats")["sessions"]["robot"]
            self.check_account(stats)
            self.assertGreater(stats["tokens"]["output_speech"], 0)
            self.assertEqual(g.stop(), 0)

    def test_spoken_question_is_answered_by_voice(self):
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            with Loudspeaker(g) as speaker, Microphone(g) as mic:
                mic.speak(say("hello robot"))
                started = g.bus.wait("speech", phase="started")
                self.assertIn("in_ring_frame", started["data"])
                heard = g.bus.wait("transcript", role="user", stage="final")["data"]
                self.assertEqual(heard["text"], "hello robot")
                g.bus.wait("response", phase="started", turn=heard["turn"])
                g.bus.wait("playback", phase="finished")
                turn = g.bus.wait("turn", turn=heard["turn"])["data"]
                self.assertIn("voice of this robot", turn["assistant_text"])
                self.assertFalse(turn["estimated"])
                self.assertGreater(turn["heard_ms"], 1000)
                self.assertGreater(turn["latency"]["end_of_speech_to_first_audio_seconds"], 0)
                self.assertTrue(any(speaker.heard))
            usage = g.bus.all("usage")[-1]["data"]["total"]
            self.assertGreater(usage["input"]["speech_tokens"], 0)
            stats = g.call("gateway.stats")["sessions"]["robot"]
            self.check_account(stats)
            self.assertEqual(stats["input_frames"]["lost"], 0)
            self.assertEqual(stats["output_frames"]["lost"], 0)
            self.assertEqual(g.stop(), 0)

    def test_barge_in_flushes_what_was_not_heard(self):
        script = {"lines": [
            {"hear": ["story"], "say": "Once upon a time. " + "And so it went on. " * 20},
            {"hear": ["stop please"], "say": "All right."}]}
        with Gateway() as probe:
            path = os.path.join(probe.folder, "script.jsonc")
            with open(path, "w") as f:
                json.dump(script, f)
            with Gateway(arguments=SCRIPT + ["--script", path]) as g:
                g.wait_streaming()
                with Loudspeaker(g) as speaker, Microphone(g) as mic:
                    mic.speak(say("tell me a story"))
                    g.bus.wait("playback", phase="started")
                    mic.speak(silence(1) + say("stop please"))
                    cut = g.bus.wait("interruption")["data"]
                    self.assertFalse(cut["estimated"])
                    self.assertGreater(cut["heard_ms"], 300)
                    g.bus.wait("transcript", role="user", text="stop please")
                    g.bus.wait("response", phase="ended", status="complete")
                    g.bus.wait("playback", phase="finished")
                    self.assertEqual(len(speaker.flushes), 1)
                    self.assertEqual(speaker.flushes[0][1], int(cut["flush_to_frame"]))
                self.assertEqual(len(g.bus.all("interruption")), 1)
                stats = g.call("gateway.stats")["sessions"]["robot"]
                self.check_account(stats)
                self.assertGreater(stats["output_frames"]["flushed"], 24000)
                self.assertEqual(self.check_responses(g.bus), 2)
                self.assertEqual(g.stop(), 0)

    def test_control_interrupt(self):
        with Gateway(arguments=SCRIPT) as g:
            with self.assertRaises(harness.RpcError) as refused:
                g.call("session.interrupt", session="robot")
            self.assertEqual(refused.exception.code, -32001)
            g.call("session.text", session="robot", text="tell me a story")
            g.bus.wait("playback", phase="started")
            g.call("session.interrupt", session="robot")
            cut = g.bus.wait("interruption", reason="control")["data"]
            g.bus.wait("response", phase="ended", response=cut["response"],
                       status="interrupted")
            self.assertTrue(g.bus.wait("turn", turn=cut["turn"])["data"]["interrupted"])
            answer = g.call("session.text", session="robot", text="goodbye",
                            wait="response")
            self.assertNotEqual(answer["response"], cut["response"])
            self.check_account(g.call("gateway.stats")["sessions"]["robot"])
            self.assertEqual(g.stop(), 0)

    def test_mute_sends_silence_and_counts(self):
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            g.call("session.mute", session="robot", muted=True)
            with Microphone(g) as mic:
                mic.speak(say("hello robot"))
                mic.idle.wait(10)
                g.call("session.mute", session="robot", muted=False)
                mic.speak(say("hello robot"))
                g.bus.wait("transcript", role="user", text="hello robot")
            stats = g.call("gateway.stats")["sessions"]["robot"]
            self.check_account(stats)
            self.assertGreater(stats["input_frames"]["gated"], 8000)
            self.assertEqual(len([e for e in g.bus.all("speech")
                                  if e["data"]["phase"] == "started" and
                                  e["data"]["source"] == "model"]), 1)
            self.assertEqual(g.stop(), 0)

    def test_when_quiet_does_not_hear_the_robot(self):
        config = {"sessions": {"robot": {"listen": "when_quiet"}}}
        with Gateway(config, arguments=SCRIPT) as g:
            g.wait_streaming()
            with Microphone(g) as mic:
                g.call("session.text", session="robot", text="hello robot")
                g.bus.wait("playback", phase="started")
                mic.speak(say("I hear my own voice"))
                g.bus.wait("playback", phase="finished")
            self.assertEqual(g.bus.all("interruption"), [])
            stats = g.call("gateway.stats")["sessions"]["robot"]
            self.check_account(stats)
            self.assertGreater(stats["input_frames"]["gated"], 8000)
            self.assertEqual(g.stop(), 0)

    def test_history_that_ends_with_the_user_is_answered_once(self):
        config = {"sessions": {"robot": {"history": [
            {"role": "USER", "text": "my name is Ada"},
            {"role": "ASSISTANT", "text": "Hello Ada."},
            {"role": "USER", "text": "goodbye"}]}}}
        with Gateway(config, arguments=SCRIPT) as g:
            said = g.bus.wait("transcript", role="assistant", stage="final")["data"]
            self.assertEqual(said["text"], "Goodbye!")
            g.bus.wait("turn")
            self.assertEqual(self.check_responses(g.bus), 1)
            self.assertEqual(g.stop(), 0)

    def test_greeting_speaks_first_and_once(self):
        config = {"sessions": {"robot": {"greeting": "Please greet the user."}}}
        with Gateway(config, arguments=SCRIPT) as g:
            turn = g.bus.wait("turn")["data"]
            self.assertEqual(turn["user_text"], "")
            self.assertIn("How can I help", turn["assistant_text"])
            self.assertEqual(g.stop(), 0)

    def test_several_sessions_and_formats(self):
        config = {"sessions": {
            "a": {}, "b": {"input": {"rate_hz": 48000, "channels": 2},
                           "output": {"rate_hz": 48000, "channels": 2}},
            "c": {"input": {"rate_hz": 8000}, "output": {"rate_hz": 8000}}}}
        with Gateway(config, arguments=SCRIPT) as g:
            ids = set()
            for name in "abc":
                answer = g.call("session.text", session=name, text="hello robot",
                                wait="response")
                self.assertIn("voice of this robot", answer["text"])
                ids.add(g.call("session.get", session=name)["conversation"])
            self.assertEqual(len(ids), 3)
            for name in "abc":
                self.check_account(g.call("gateway.stats")["sessions"][name])
            self.assertEqual(g.stop(), 0)

    def test_every_event_fits_its_schema(self):
        import jsonschema
        known = schemas()
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            with Microphone(g) as mic:
                mic.speak(say("hello robot"))
                g.bus.wait("turn")
            g.call("session.text", session="robot", text="what time is it",
                   wait="response")
            g.stop()
            g.bus.drain()
            seen = set()
            for event in g.bus.seen:
                kind = event.pop("topic").split("/")[1]
                seen.add(kind)
                jsonschema.validate(event, known["envelope"])
                jsonschema.validate(event["data"], known[kind])
                if kind not in ("heartbeat", "tool.registered"):
                    self.assertIn("conversation", event)
            self.assertLessEqual({"session.state", "transcript", "response", "turn",
                                  "playback", "tool.call", "tool.result", "usage",
                                  "metrics", "speech"}, seen)


if __name__ == "__main__":
    unittest.main()
