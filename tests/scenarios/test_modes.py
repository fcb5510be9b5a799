#!/usr/bin/python3
"""When a session has a stream: its mode, what wakes it, what ends it, and that
the bus says so."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Endpoint, check_account, check_responses,  # noqa: E402
                    refused, remote, wait_until)
from speech import Loudspeaker, Microphone, say, silence, voxring  # noqa: E402

STATE = -32001
SCRIPT = {"first_audio_ms": 20, "endpoint_ms": 600, "audio_speed_percent": 1000,
          "lines": [{"hear": ["hello robot"], "say": "Hello."}]}


class Modes(unittest.TestCase):
    def start(self, **session):
        end = Endpoint(SCRIPT)
        self.addCleanup(end.close)
        g = remote(end, {"sessions": {"robot": session}})
        self.addCleanup(g.close)
        return end, g

    def state(self, g, session="robot"):
        return g.call("session.get", session=session)["state"]

    def ends(self, end, g):
        check_account(g.call("gateway.stats")["sessions"]["robot"])
        check_responses(g.bus)
        self.assertEqual(g.stop(), 0)
        self.assertEqual(end.records(kind="violation"), [])

    def slept(self, g, reason, **members):
        told = g.bus.wait("session.state", state="asleep", **members)["data"]
        self.assertRegex(told["reason"], reason)

    def test_on_audio(self):
        end, g = self.start(mode="on_audio", idle_close_s=1)
        self.assertEqual(self.state(g), "asleep")
        with Microphone(g) as mic:
            # Quiet costs nothing.
            mic.speak(silence(1))
            mic.idle.wait(10)
            self.assertEqual(end.ask(stats=True)["requests"], 0)
            spoken = say("hello robot")
            for generation in (1, 2):
                mic.speak(silence(1) + spoken)
                woken = g.bus.wait("session.state", state="connecting")["data"]
                self.assertEqual(woken["reason"], "speech began")
                g.bus.wait("transcript", role="user", text="hello robot")
                g.bus.wait("response", phase="ended", status="complete")
                self.slept(g, "idle_close_s")
                self.assertEqual(
                    end.ask(stats=True)["requests"], generation)
                stats = g.call("gateway.stats")["sessions"]["robot"]
                check_account(stats)
                self.assertEqual(stats["input_frames"]["lost"], 0)
                wait_until(lambda: "ended" in
                           end.recorded().get(generation, {}), "it ended")
                self.first_syllable(end.recorded()[generation], spoken)
            self.assertGreater(stats["input_frames"]["gated"], 16000)
        told = end.recorded()[2]["history"]
        self.assertEqual([t["text"] for t in told], ["hello robot", "Hello."])
        self.ends(end, g)

    def first_syllable(self, stream, spoken):
        """The stream was given the words from their begin, and what was before
        them, too."""
        loud = next(i for i in range(0, len(spoken), 2) if abs(
            int.from_bytes(spoken[i:i + 2], "little", signed=True)) > 500)
        at = stream["audio"].find(spoken[loud:loud + 3200])
        self.assertGreater(at, 2 * 16 * 250, "preroll_ms before the words")

    def test_text_wakes(self):
        end, g = self.start(mode="on_audio", idle_close_s=1)
        for _ in range(2):
            answer = g.call("session.text", session="robot", text="hello robot",
                            wait="response")
            self.assertEqual(answer["text"], "Hello.")
            self.slept(g, "idle_close_s", previous="streaming")
        self.ends(end, g)

    def test_manual(self):
        end, g = self.start(mode="manual", idle_close_s=0)
        self.assertEqual(self.state(g), "asleep")
        with Microphone(g) as mic:
            mic.speak(say("hello robot") + silence(1))
            mic.idle.wait(10)
            self.assertEqual(self.state(g), "asleep", "not by audio")
            self.assertEqual(end.ask(stats=True)["requests"], 0)
            g.call("session.open", session="robot")
            g.wait_streaming()
            mic.speak(silence(0.3) + say("hello robot"))
            g.bus.wait("response", phase="ended", status="complete")
            slept = g.call("session.sleep", session="robot")
            self.assertEqual(slept["state"], "asleep")
            self.slept(g, "session.sleep", previous="streaming")
            g.bus.wait("stream", phase="ended", stream=1)
            self.assertEqual(g.bus.all("error"), [])
            g.call("session.open", session="robot")
            g.wait_streaming()
        self.ends(end, g)
        self.assertEqual(len(end.recorded()[2]["history"]), 2)

    def test_manual_closes_when_idle(self):
        end, g = self.start(mode="manual", idle_close_s=0.5)
        g.call("session.open", session="robot")
        g.wait_streaming()
        self.slept(g, "idle_close_s", previous="streaming")
        self.ends(end, g)

    def test_speech_keeps_awake(self):
        end, g = self.start(mode="on_audio", idle_close_s=1.5)
        with Microphone(g) as mic, Loudspeaker(g):
            mic.speak((say("hello robot") + silence(1)) * 4)
            g.bus.wait("session.state", state="streaming")
            mic.idle.wait(30)
            states = [e["data"]["state"] for e in g.bus.all("session.state")]
            self.assertEqual(states.count("connecting"), 1, states)
            self.slept(g, "idle_close_s")
        self.ends(end, g)

    def test_abandoned(self):
        end, g = self.start()
        g.wait_streaming()
        opened = g.call("session.open", session="guest",
                        config={"abandoned_s": 1.5})
        self.assertEqual(opened["session"], "guest")
        g.wait_streaming("guest")
        with Microphone(g, "guest"):
            begun = time.monotonic()
            wait_until(lambda: time.monotonic() > begun + 3, "three seconds")
            self.assertEqual(self.state(g, "guest"), "streaming")
        self.slept(g, "nobody was attached")
        self.assertEqual(self.state(g, "robot"), "streaming",
                         "sessions of the file are not abandoned")
        with voxring.Reader("guest", runtime_dir=g.runtime):
            g.wait_streaming("guest")
        self.ends(end, g)

    def test_max_session(self):
        end, g = self.start()
        g.wait_streaming()
        g.call("session.open", session="guest", config={"max_session_s": 1})
        closing = g.bus.wait("session.state", state="closing")
        self.assertEqual(closing["subject"], "guest")
        self.assertRegex(closing["data"]["reason"], "max_session_s")
        g.bus.wait("session.state", state="closed")
        self.assertEqual([s["session"] for s in
                          g.call("session.list")["sessions"]], ["robot"])
        wait_until(lambda: len(g.rings()) == 2, "only robot's rings are left")
        self.ends(end, g)

    def test_asleep_closes_without_a_stream(self):
        end, g = self.start(mode="manual")
        refused(g, "session.interrupt", STATE, session="robot")
        got = g.call("session.get", session="robot")
        self.assertFalse(got["stream"]["open"])
        closed = g.call("session.close", session="robot")
        self.assertEqual(closed["state"], "closed")
        self.assertEqual(g.stop(), 0)
        self.assertEqual(end.ask(stats=True)["requests"], 0)


if __name__ == "__main__":
    unittest.main()
