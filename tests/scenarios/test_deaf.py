#!/usr/bin/python3
"""Streams that live and do not hear, and what was being said when a stream was
lost: replaced, said again, answered once."""
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Asking, Endpoint, check_account, check_responses,  # noqa: E402
                    remote, wait_until)
from speech import Microphone, say, silence  # noqa: E402

QUICK = {"retry_base_ms": 10, "retry_cap_ms": 50, "retry_slow_s": 0.3}
HELLO = {"first_audio_ms": 400, "endpoint_ms": 900, "speech_end_ms": 400,
         "lines": [{"hear": ["hello robot"], "say": "Hello."}]}


def noise(seconds, peak, seed=1):
    """A fan, or a knock: loud, and nobody's words."""
    dice = random.Random(seed)
    return b"".join(dice.randint(-peak, peak).to_bytes(2, "little", signed=True)
                    for _ in range(int(16000 * seconds)))


class Saying(unittest.TestCase):
    def start(self, session=None, script=HELLO, bedrock=None, ear="script"):
        end = Endpoint(script, ear=ear)
        self.addCleanup(end.close)
        g = remote(end, {"bedrock": dict(QUICK, **(bedrock or {})),
                         "sessions": {"robot": session or {}}})
        self.addCleanup(g.close)
        g.wait_streaming()
        return end, g

    def mic(self, g):
        mic = Microphone(g)
        mic.__enter__()
        self.addCleanup(mic.__exit__)
        return mic

    def answered_once(self, end, g, replay=None, spoken=("hello robot",)):
        """The words that were said have one transcript, one answer and one
        turn, and the model heard nothing else."""
        g.bus.wait("response", phase="ended", status="complete")
        g.call("session.text", session="robot", text="hello robot",
               wait="response")  # nothing may follow on the first words
        said = [e["data"] for e in g.bus.all("transcript")
                if e["data"]["role"] == "user"]
        self.assertEqual([t["text"] for t in said], list(spoken))
        whole = [e["data"]["text"] for e in g.bus.all("response")
                 if e["data"].get("status") == "complete"]
        self.assertEqual(whole, ["Hello.", "Hello."])
        check_responses(g.bus)
        if replay:
            told = [e["data"].get("replay") for e in g.bus.all("stream")
                    if e["data"]["phase"] == "current"]
            self.assertEqual(told[-1], replay)
        check_account(g.call("gateway.stats")["sessions"]["robot"])
        self.assertEqual(g.stop(), 0)
        self.assertEqual(end.records(kind="violation"), [])


class Deaf(Saying):
    def test_told_replaced_and_heard_again(self):
        end, g = self.start({"deaf_after_s": 1})
        mic = self.mic(g)
        end.break_("deaf", phase="any")
        mic.speak(silence(0.3) + say("hello robot"))
        error = g.bus.wait("error")["data"]
        self.assertEqual((error["code"], error["recoverable"]), ("deaf", True))
        self.assertRegex(error["message"], r"Speech ended 1\.\d s ago")
        current = g.bus.wait("stream", phase="current", stream=2)["data"]
        self.assertEqual(current["replay"], "audio")
        self.answered_once(end, g)
        # The new stream was given the words whole: what it was sent is as loud
        # as what was said.
        heard = end.recorded()[2]["audio"]
        spoken = say("hello robot")
        self.assertGreater(loudness(heard), 0.9 * loudness(spoken))

    def test_knock_is_no_speech(self):
        end, g = self.start({"deaf_after_s": 0.5})
        mic = self.mic(g)
        end.break_("deaf", phase="any")
        for _ in range(3):
            mic.speak(noise(0.05, 20000) + silence(0.8))
        mic.idle.wait(10)
        self.assertEqual(g.bus.all("error"), [])
        self.assertEqual(end.ask(stats=True)["requests"], 1)
        self.assertEqual(g.stop(), 0)

    def test_noise_makes_no_storm(self):
        # The endpoint hears no words in it, ever; nobody may pay for a new
        # stream again and again.
        end, g = self.start({"deaf_after_s": 0.3}, ear="none",
                            script=dict(HELLO, threshold_dbfs=-1))
        mic = self.mic(g)
        for seed in range(6):
            mic.speak(noise(1, 3000, seed) + silence(1.2))
        mic.idle.wait(30)
        deaf = [e for e in g.bus.all("error") if e["data"]["code"] == "deaf"]
        self.assertGreaterEqual(len(deaf), 1)
        self.assertLessEqual(len(deaf), 3, "not for every noise")
        self.assertEqual(g.call("session.get", session="robot")["state"],
                         "streaming")
        self.assertEqual(g.stop(), 0)

    def test_off(self):
        end, g = self.start({"deaf_after_s": 0})
        mic = self.mic(g)
        end.break_("deaf", phase="any")
        mic.speak(say("hello robot") + silence(2))
        mic.idle.wait(10)
        self.assertEqual(g.bus.all("error"), [])
        self.assertEqual(g.stop(), 0)


def loudness(audio):
    return sum(abs(int.from_bytes(audio[i:i + 2], "little", signed=True))
               for i in range(0, len(audio), 2))


class Replay(Saying):
    """The stream is cut at some point of a question and its answer."""

    def cut(self, phase, replay, after_ms=0, refusals=0):
        end, g = self.start()
        mic = self.mic(g)
        if refusals:
            end.break_("refuse", count=refusals, status=503)
        end.break_("fin", phase=phase, after_ms=after_ms)
        mic.speak(silence(0.3) + say("hello robot"))
        self.answered_once(end, g, replay)

    def test_while_the_user_speaks(self):
        self.cut("user_speaking", "audio")

    def test_in_the_middle_of_the_words(self):
        self.cut("user_speaking", "audio", after_ms=500, refusals=3)

    def test_while_the_model_thinks(self):
        self.cut("thinking", "text", after_ms=200)

    def test_while_the_model_thinks_and_others_refuse(self):
        self.cut("thinking", "text", after_ms=200, refusals=3)

    def test_when_the_model_begins_to_think(self):
        self.cut("thinking", None)  # whether the words came was close

    def test_written_words(self):
        end, g = self.start()
        end.break_("refuse", count=3, status=503)
        end.break_("fin", phase="thinking", after_ms=100)
        answer = g.call("session.text", session="robot", text="hello robot",
                        wait="response")
        self.assertEqual(answer["text"], "Hello.")
        self.answered_once(end, g, "text", spoken=())

    def test_outage_buffer_arrives(self):
        """Two seconds without a network, in the middle of speech: what was said
        meanwhile is heard after it."""
        end, g = self.start()
        mic = self.mic(g)
        mic.speak(silence(0.3) + say("hello robot"))
        g.bus.wait("speech", phase="started")
        end.ask(refuse_connections_ms=2000)
        end.break_("fin")
        self.answered_once(end, g, "audio")
        heard = loudness(end.recorded()[max(end.recorded())]["audio"])
        self.assertGreater(heard, 0.9 * loudness(say("hello robot")))

    def test_beyond_the_outage_buffer_is_counted(self):
        end, g = self.start({"outage_buffer_s": 1, "speech": {
            "threshold_dbfs": -10}})
        self.mic(g)
        end.ask(refuse_connections_ms=3000)
        end.break_("fin")
        g.bus.wait("capture", phase="lost")
        g.wait_streaming()
        stats = g.call("gateway.stats")["sessions"]["robot"]
        check_account(stats)
        self.assertGreater(stats["input_frames"]["lost"], 8000)
        self.assertEqual(g.stop(), 0)


class Fallback(unittest.TestCase):
    def test_takes_over_with_the_history_and_goes_home(self):
        with Endpoint(HELLO) as first, Endpoint(HELLO) as second:
            bedrock = dict(QUICK, retry_budget=2, fallback_retry_s=3, fallback=[
                {"region": "us-west-2", "model": "amazon.nova-2-5-sonic",
                 "endpoint": second.url, "ca_file": second.ca_file}])
            with remote(first, {"bedrock": bedrock, "sessions": {
                    "robot": {"rotate_gap_s": 0.2}}}) as g:
                g.wait_streaming()
                g.call("session.text", session="robot", text="hello robot",
                       wait="response")
                first.kill()
                current = g.bus.wait("stream", phase="current",
                                     region="us-west-2")["data"]
                self.assertEqual(current["model"], "amazon.nova-2-5-sonic")
                self.assertGreaterEqual(current["history_messages"], 2)
                g.wait_streaming()
                stream = g.call("session.get", session="robot")["stream"]
                self.assertTrue(stream["fallback"])
                answer = g.call("session.text", session="robot",
                                text="hello robot", wait="response")
                self.assertEqual(answer["text"], "Hello.")
                first.start()
                home = g.bus.wait("stream", phase="current",
                                  region="us-east-1")["data"]
                self.assertEqual(home["model"], "amazon.nova-2-sonic-v1:0")
                self.assertGreaterEqual(home["history_messages"], 4)
                states = [e["data"]["state"] for e in
                          g.bus.all("session.state")]
                self.assertNotIn("failed", states)
                self.assertEqual(g.stop(), 0)
                wait_until(lambda: "ended" in first.recorded().get(1, {}),
                           "its record is whole")
                told = first.recorded()[1]["history"]
                self.assertEqual([t["text"] for t in told],
                                 ["hello robot", "Hello."] * 2)


if __name__ == "__main__":
    unittest.main()
