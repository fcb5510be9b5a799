#!/usr/bin/python3
"""Models of the first family take no text: a clip is spoken to them so that the
robot speaks first, and whoever talks meanwhile is heard afterwards."""
import array
import math
import os
import sys
import unittest
import wave

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Endpoint, check_account, check_responses, logged,  # noqa: E402
                    remote, wait_until)
from speech import Loudspeaker, Microphone, say  # noqa: E402

V1 = "amazon.nova-sonic-v1:0"
SCRIPT = {"first_audio_ms": 20, "endpoint_ms": 300, "lines": [
    {"hear": ["ready"], "on": "trigger", "say": "Welcome."},
    {"hear": ["hello robot"], "say": "Hello."},
    {"hear": ["tell me a story"], "say": "Once upon a time."}]}


def session(**more):
    return {"sessions": {"robot": dict({"model": V1, "greeting": "Welcome me."},
                                       **more)}}


def level(samples):
    """Root mean square of s16le samples."""
    values = array.array("h", samples)
    return math.sqrt(sum(v * v for v in values) / max(1, len(values)))


class Spoken(unittest.TestCase):
    def wait_welcome(self, g):
        """The clip's transcript, then the answer's turn."""
        heard = g.bus.wait("transcript", role="user")["data"]
        self.assertEqual((heard["text"], heard["turn_text"]), ("ready",) * 2)
        self.assertIs(heard["trigger"], True)
        turn = g.bus.wait("turn")["data"]
        self.assertEqual((turn["turn"], turn["user_text"],
                          turn["assistant_text"]),
                         (heard["turn"], "", "Welcome."))
        return heard["turn"]

    def check_end(self, g, end):
        """Once what waited for the clip has gone out, by its own pace."""
        def frames():
            return g.call("gateway.stats")["sessions"]["robot"]["input_frames"]
        wait_until(lambda: frames()["pending"] < 1600, "it has caught up")
        check_responses(g.bus)
        check_account(g.call("gateway.stats")["sessions"]["robot"])
        self.assertEqual(g.stop(), 0)
        self.assertEqual(end.records(kind="violation"), [])

    def test_it_speaks_first_and_then_listens(self):
        with Endpoint(SCRIPT) as end, remote(end, session()) as g, \
                Loudspeaker(g), Microphone(g) as mic:
            mic.speak(say("hello robot"))  # nobody waits for the clip
            welcome = self.wait_welcome(g)
            heard = g.bus.wait("transcript", role="user")["data"]
            self.assertEqual(heard["text"], "hello robot")
            self.assertNotIn("trigger", heard)
            self.assertGreater(heard["turn"], welcome)
            turn = g.bus.wait("turn")["data"]
            self.assertEqual((turn["user_text"], turn["assistant_text"]),
                             ("hello robot", "Hello."))
            history = g.call("session.history", session="robot")["messages"]
            self.assertEqual(
                [(m["role"], m["text"], m.get("trigger")) for m in history],
                [("user", "ready", True), ("assistant", "Welcome.", None),
                 ("user", "hello robot", None), ("assistant", "Hello.", None)])
            self.assertEqual(
                len(end.records(kind="endpoint", text="trigger")), 1)
            stats = g.call("gateway.stats")["sessions"]["robot"]
            self.assertEqual(stats["input_frames"]["lost"], 0)
            self.check_end(g, end)
            sent = end.recorded()[1]["audio"]
        self.assertLess(level(sent[:15000]), 1)  # half a second of silence
        self.assertGreater(level(sent[16000:26000]), 500)

    def test_the_clip_is_speech(self):
        """As a model hears it, at each rate."""
        for rate_hz in (8000, 24000):
            try:
                end = Endpoint(SCRIPT, ear="real")
            except AssertionError:
                self.skipTest("voxring-local is built without an ear")
            with end, remote(end, session(model_input_rate_hz=rate_hz)) as g, \
                    Loudspeaker(g):
                self.wait_welcome(g)
                self.check_end(g, end)

    def test_a_clip_of_ones_own(self):
        with Endpoint(SCRIPT) as end:
            path = os.path.join(end.folder, "mine.wav")
            with wave.open(path, "wb") as w:
                w.setparams((2, 2, 48000, 0, "NONE", ""))
                w.writeframes(b"".join(
                    array.array("h", [int(9000 * math.sin(i / 30)), 0]).tobytes()
                    for i in range(48000)))
            config = session(trigger_clip=path)
            del config["sessions"]["robot"]["greeting"]
            with remote(end, config) as g, Microphone(g):
                self.wait_welcome(g)
                logged(g, "mine.wav is spoken")
                self.check_end(g, end)
            sent = end.recorded()[1]["audio"]
            # A second at 16 kHz, half as loud as its one channel is.
            self.assertLess(level(sent[:15000]), 1)
            self.assertAlmostEqual(level(sent[17000:47000]),
                                   4500 / math.sqrt(2), delta=60)
            self.assertLess(level(sent[49000:53000]), 1)

    def test_clips_that_cannot_be_used(self):
        with Endpoint(SCRIPT) as end:
            def clip(name, channels=1, width=2, rate=16000, frames=1600):
                path = os.path.join(end.folder, name)
                with wave.open(path, "wb") as w:
                    w.setparams((channels, width, rate, 0, "NONE", ""))
                    w.writeframes(bytes(channels * width * frames))
                return path
            text = os.path.join(end.folder, "text.wav")
            with open(text, "w") as f:
                f.write("no sound")
            os.mkfifo(os.path.join(end.folder, "fifo.wav"))
            wrong = {"gone": (os.path.join(end.folder, "gone.wav"), "No such"),
                     "text": (text, "no WAV"),
                     "fifo": (os.path.join(end.folder, "fifo.wav"), "plain file"),
                     "long": (clip("l.wav", frames=170000), "longer than 10"),
                     "empty": (clip("e.wav", frames=0), "no audio"),
                     "wide": (clip("w.wav", width=3), "16-bit"),
                     "many": (clip("m.wav", channels=3), "two channels"),
                     "fast": (clip("f.wav", rate=96000), "48000 Hz")}
            robots = {name: {"model": V1, "trigger_clip": path}
                      for name, (path, _) in wrong.items()}
            with remote(end, {"sessions": robots}) as g:
                for name, (path, why) in wrong.items():
                    g.wait_streaming(name)
                    error = g.call("session.get", session=name).get("error")
                    told = [e["data"] for e in g.bus.all("error")
                            if e["subject"] == name] or [error]
                    logged(g, why)
                    for e in told:
                        if e:
                            self.assertEqual(e["code"], "trigger_clip")
                            self.assertIn(path, e["message"])
                            self.assertIn(why, e["message"])
                            self.assertTrue(e["recoverable"])
                self.assertGreater(len(g.bus.all("error")), 3)
                self.assertEqual(g.stop(), 0)

    def test_lost_before_the_answer_it_is_said_again(self):
        with Endpoint(SCRIPT) as end:
            end.break_("fin", phase="user_speaking", after_ms=200)
            with remote(end, session()) as g, Loudspeaker(g), \
                    Microphone(g) as mic:
                mic.speak(say("hello robot"))
                self.wait_welcome(g)
                self.assertEqual(g.bus.wait("turn")["data"]["assistant_text"],
                                 "Hello.")
                self.assertEqual(g.call("session.get", session="robot")
                                 ["stream"]["generation"], 2)
                history = g.call("session.history", session="robot")
                self.assertEqual([m["text"] for m in history["messages"]],
                                 ["ready", "Welcome.", "hello robot", "Hello."])
                stats = g.call("gateway.stats")["sessions"]["robot"]
                self.assertEqual(stats["input_frames"]["lost"], 0)
                self.check_end(g, end)

    def test_heard_and_lost_it_is_in_the_history_once(self):
        with Endpoint(dict(SCRIPT, first_audio_ms=1500)) as end:
            end.break_("fin", phase="thinking", after_ms=300)
            with remote(end, session()) as g, Loudspeaker(g), Microphone(g):
                g.bus.wait("transcript", role="user", trigger=True)
                self.wait_welcome(g)
                history = g.call("session.history", session="robot")
                self.assertEqual([m["text"] for m in history["messages"]],
                                 ["ready", "Welcome."])
                self.check_end(g, end)
                self.assertEqual(end.recorded()[2]["history"], [])

    def test_lost_after_it_began_it_is_not(self):
        long = dict(SCRIPT, audio_speed_percent=100, lines=[
            dict(SCRIPT["lines"][0], say="Welcome. " * 12)]
            + SCRIPT["lines"][1:])
        with Endpoint(long) as end:
            end.break_("fin", phase="speaking", after_ms=400)
            with remote(end, session()) as g, Loudspeaker(g), \
                    Microphone(g) as mic:
                g.bus.wait("response", phase="ended", status="error")
                g.bus.wait("stream", phase="current", stream=2)
                mic.speak(say("hello robot"))
                heard = g.bus.wait("transcript", role="user")["data"]
                self.assertNotIn("trigger", heard)
                g.bus.wait("response", phase="ended", status="complete")
                self.assertEqual(sum(e["data"].get("trigger", False)
                                     for e in g.bus.all("transcript")), 1)
                self.check_end(g, end)

    def test_only_at_the_first_open(self):
        with Endpoint(SCRIPT) as end, \
                remote(end, session(mode="manual")) as g:
            g.call("session.open", session="robot")
            self.wait_welcome(g)
            g.call("session.sleep", session="robot")
            g.bus.wait("session.state", state="asleep")
            g.call("session.open", session="robot")
            g.bus.wait("session.state", state="streaming")
            with Microphone(g) as mic:
                mic.speak(say("hello robot"))
                turn = g.bus.wait("turn")["data"]
            self.assertEqual(turn["user_text"], "hello robot")
            self.check_end(g, end)

    def test_unanswered_it_gives_the_word_back(self):
        with Endpoint(SCRIPT, ear="none") as end, remote(end, session()) as g, \
                Microphone(g):
            g.wait_streaming()
            logged(g, "is spoken to the model")
            stats = g.call("gateway.stats")["sessions"]["robot"]
            self.assertEqual(stats["input_frames"]["sent"], 0)
            wait_until(lambda: "did not answer the clip" in g.whole_log(), "5 s")
            wait_until(lambda: g.call("gateway.stats")["sessions"]["robot"]
                       ["input_frames"]["sent"] > 16000, "it listens")
            self.check_end(g, end)

    def test_closed_in_the_middle_of_it(self):
        with Endpoint(SCRIPT) as end, remote(end, session()) as g, \
                Microphone(g) as mic:
            g.wait_streaming()
            wait_until(lambda: mic.stats.position > 4000, "it speaks")
            g.call("session.close", session="robot")
            heard = g.bus.all("metrics")[-1]["data"]["input"]
            self.assertGreater(int(heard["sent_frames_total"]), 3000)
            self.assertEqual(heard["lost_frames_total"], "0")
            self.assertEqual(g.stop(), 0)
            self.assertEqual(end.records(kind="violation"), [])

    def test_a_rotation_waits_for_it(self):
        config = session(rotate_after_s=1, rotate_deadline_s=60,
                         rotate_gap_s=60)
        with Endpoint(SCRIPT) as end, remote(end, config) as g, \
                Loudspeaker(g), Microphone(g):
            self.wait_welcome(g)
            def handed_over():
                return [e["data"]["stream"] for e in g.bus.all("stream")
                        if e["data"]["phase"] == "current"][1:]
            wait_until(handed_over, "it rotates")
            seen = [e["data"]["phase"] for e in g.bus.seen
                    if e["type"] == "voxring.response.v1"
                    or e["data"].get("phase") == "current"]
            self.assertEqual(seen, ["current", "started", "ended", "current"])
            self.check_end(g, end)
            told = end.recorded()[handed_over()[0]]["history"]
            self.assertEqual([(m["role"], m["text"]) for m in told],
                             [("USER", "ready"), ("ASSISTANT", "Welcome.")])


if __name__ == "__main__":
    unittest.main()
