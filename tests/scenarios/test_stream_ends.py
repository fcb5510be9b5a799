#!/usr/bin/python3
"""Streams that end before we end them: the session says why, loses count of
nothing and goes on by itself; what nothing helps against fails with its remedy.

Every cause in every phase is in test_matrix.py. What needs an endpoint that
breaks the protocol itself (malformed frames, a prelude beyond the limit) is in
tests/bedrock/test_stream_ends.c and test_stream.c, over real TLS and HTTP/2."""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (SCRIPT, Asking, Endpoint, check_account,  # noqa: E402
                    check_responses, failed_with, logged, refused, remote,
                    wait_until)
from harness import Gateway  # noqa: E402
from speech import Loudspeaker, Microphone, say  # noqa: E402

CLOSED, STATE = -32004, -32001
CUT = ("fin", "network", "rst_stream", "end_stream", "tls")
QUICK = {"bedrock": {"retry_base_ms": 20, "retry_cap_ms": 100,
                     "retry_slow_s": 0.3}}
END_OF_LIFE = {"model": "amazon.nova-sonic-v1:0"}


class StreamEnds(unittest.TestCase):
    def check_loss(self, g, *codes):
        """One error that says what is done about it, and the state `waiting`;
        returns the error."""
        error = g.bus.wait("error")["data"]
        self.assertIn(error["code"], codes)
        self.assertEqual((error["component"], error["class"]),
                         ("bedrock", "retry"))
        self.assertTrue(error["recoverable"])
        self.assertGreaterEqual(error["retry_in_ms"], 0)
        self.assertNotIn("session.open", error["remedy"])
        state = g.bus.wait("session.state", state="waiting")["data"]
        self.assertIn("retry_in_ms", state)
        logged(g, error["message"], error["remedy"])
        check_account(g.call("gateway.stats")["sessions"]["robot"])
        return error

    def check_works(self, g, conversation=None):
        """Questions are answered, in the same conversation."""
        g.wait_streaming()
        answer = g.call("session.text", session="robot", text="hello robot",
                        wait="response")
        self.assertEqual((answer["status"], answer["text"]),
                         ("complete", "Hello."))
        now = g.call("session.get", session="robot")
        self.assertNotIn("error", now)
        if conversation:
            self.assertEqual(now["conversation"], conversation)
        return now

    def test_endpoint_killed_before_much_is_heard(self):
        """The answer comes anew, and to the same caller."""
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            with Microphone(g), Loudspeaker(g):
                asked = Asking(g, "session.text", session="robot",
                               text="tell me a story", wait="response")
                g.bus.wait("playback", phase="started")
                end.kill()
                self.check_loss(g, *CUT)
                end.start()
                self.assertEqual(asked.end()["status"], "complete")
            ends = check_responses(g.bus)
            self.assertEqual([e["status"] for e in ends],
                             ["error", "complete"])
            self.assertEqual(g.stop(), 0)

    def test_endpoint_killed_while_it_speaks(self):
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            before = g.call("session.get", session="robot")["conversation"]
            with Microphone(g), Loudspeaker(g) as speaker:
                asked = Asking(g, "session.text", session="robot",
                               text="tell me a story", wait="response")
                g.bus.wait("playback", phase="started")
                wait_until(lambda: len(speaker.heard) > 1.2 * 2 * 24000,
                           "a second of it is heard")
                end.kill()
                self.check_loss(g, *CUT)
                # Enough of it was heard: it is not asked again.
                self.assertEqual(asked.end()["status"], "error")
                ends = check_responses(g.bus)
                self.assertEqual([e["status"] for e in ends], ["error"])
                self.assertEqual(len(g.bus.all("turn")), 1)
                end.start()
                after = self.check_works(g, before)
            self.assertGreater(after["stream"]["generation"], 1)
            current = g.bus.all("stream")[-1]["data"]
            self.assertEqual(current["phase"], "current")
            self.assertGreater(current["gap_seconds"], 0)
            check_responses(g.bus)
            check_account(g.call("gateway.stats")["sessions"]["robot"])
            self.assertEqual(g.stop(), 0)

    def test_endpoint_killed_while_the_user_speaks(self):
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            with Microphone(g) as mic:
                mic.speak(say("hello robot"))
                g.bus.wait("speech", phase="started")
                end.kill()
                self.check_loss(g, *CUT)
                mic.idle.wait(20)
                end.start()
                replay = g.bus.wait("stream", phase="current",
                                    replay="audio")["data"]
                self.assertIn("resent_from_frame", replay)
                g.bus.wait("transcript", role="user", text="hello robot")
                g.bus.wait("response", phase="ended", status="complete")
            stats = g.call("gateway.stats")["sessions"]["robot"]
            check_account(stats)
            self.assertEqual(stats["input_frames"]["lost"], 0)
            self.assertGreater(stats["input_frames"]["resent"], 0)
            self.assertEqual(g.stop(), 0)
            heard = [r for r in end.records(kind="heard")]
            self.assertEqual(len(heard), 1, heard)

    def test_text_is_said_when_the_endpoint_is_back(self):
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            end.kill()
            self.check_loss(g, *CUT)
            asked = Asking(g, "session.text", session="robot",
                           text="hello robot", wait="response")
            end.start()
            self.assertEqual(asked.end()["text"], "Hello.")
            self.assertEqual(g.stop(), 0)

    def test_endpoint_stops_in_order(self):
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            end.kill(signal.SIGTERM)
            self.check_loss(g, "goaway", "fin", "end_stream", "rst_stream")
            end.start()
            self.check_works(g)
            self.assertEqual(g.stop(), 0)

    def test_black_hole_is_found(self):
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            with Microphone(g):
                g.call("session.text", session="robot", text="tell me a story")
                g.bus.wait("response", phase="started")
                end.kill(signal.SIGSTOP)
                error = self.check_loss(g, "black_hole", "network")
                self.assertRegex(error["message"], f":{end.port}|PING")
                end.kill(signal.SIGCONT)
                self.check_works(g)
            self.assertEqual(g.stop(), 0)

    def test_eight_minutes_end_a_stream_where_continuation_is_off(self):
        config = {"sessions": {"robot": {"tools": [], "continuation": "off"}}}
        arguments = ["--ear", "script", "--time-scale", "120"]
        with Gateway(config, arguments=arguments) as g:
            error = g.bus.wait("error")["data"]
            self.assertEqual(error["code"].lower(), "modeltimeoutexception")
            self.assertRegex(error["message"], "timed out in processing")
            self.assertTrue(error["request_id"])
            stats = g.call("gateway.stats")["sessions"]["robot"]
            check_account(stats)
            self.assertEqual(stats["input_frames"]["produced"], 0)
            inserted = g.bus.all("metrics")[-1]["data"]["input"]
            self.assertGreater(int(inserted["inserted_frames_total"]), 16000)
            self.assertNotIn("Timed out waiting for input", g.whole_log())
            self.assertEqual(g.stop(), 0)

    def test_lasting_outage_is_told_and_survived(self):
        config = {"bedrock": dict(QUICK["bedrock"], retry_budget=3)}
        with Endpoint() as end, remote(end, config) as g:
            g.wait_streaming()
            end.kill()
            self.check_loss(g, *CUT)
            delays, outages = [], 0
            while len(delays) < 8:
                error = g.bus.wait("error")["data"]
                outages += error["code"] == "outage"
                if error["code"] == "outage":
                    continue
                self.assertIn(error["code"], ("refused",) + CUT)
                self.assertTrue(error["recoverable"])
                delays.append(error["retry_in_ms"])
            self.assertLessEqual(max(delays[:2]), 100)
            for delay in delays[4:]:
                self.assertTrue(230 <= delay <= 370, delays)
            self.assertEqual(outages, 1, "told once")
            # Words wait for the stream, and those who gave them do, too.
            asked = Asking(g, "session.text", session="robot",
                           text="hello robot", wait="response")
            end.start()
            self.assertEqual(asked.end()["text"], "Hello.")
            self.check_works(g)
            self.assertEqual(g.stop(), 0)

    def test_name_that_does_not_resolve(self):
        with remote("https://voxring.invalid", QUICK) as g:
            error = self.check_loss(g, "dns")
            self.assertRegex(error["message"], "voxring.invalid")
            self.assertRegex(error["remedy"], "bedrock.endpoint")
            begun = time.monotonic()
            self.assertEqual(g.call("session.close", session="robot")["state"],
                             "closed")
            self.assertLess(time.monotonic() - begun, 2)
            self.assertEqual(g.stop(), 0)

    def fails(self, g, *words):
        """Within two seconds, with its remedy."""
        error = g.bus.wait("error", 2, recoverable=False)["data"]
        g.bus.wait("session.state", 2, state="failed")
        self.assertNotIn("retry_in_ms", error)
        self.assertEqual(error["class"], "config")
        for word in words + ("session.open",):
            self.assertRegex(error["remedy"], word)
        return error

    def test_what_nothing_helps_against_fails(self):
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            asked = Asking(g, "session.text", session="robot",
                           text="tell me a story", wait="response")
            g.bus.wait("response", phase="started")
            end.break_("exception", name="accessDeniedException",
                       message="You don't have access")
            self.fails(g, "bedrock:InvokeModel")
            answer = asked.end()
            if isinstance(answer, dict):
                self.assertEqual(answer["status"], "error")
            refused(g, "session.text", CLOSED, "session.open", "failed",
                    session="robot", text="anybody?")
            check_responses(g.bus)
            g.call("session.open", session="robot")
            self.check_works(g)
            self.assertEqual(g.stop(), 0)

    def test_model_past_its_end_of_life_names_its_successor(self):
        script = {"lines": SCRIPT["lines"], "models": {END_OF_LIFE["model"]: "end_of_life"}}
        with Endpoint(script) as end, remote(
                end, {"sessions": {"robot": END_OF_LIFE}}) as g:
            wait_until(lambda: g.call("session.get", session="robot")["state"]
                       == "failed", "failed", 2)
            error = g.call("session.get", session="robot")["error"]
            self.assertRegex(error["remedy"], "amazon.nova-2-sonic-v1:0")
            self.assertEqual(g.stop(), 0)

    def test_failed_session_closes_in_order(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            end.break_("exception", name="accessDeniedException", message="No")
            self.fails(g)
            refused(g, "session.interrupt", STATE, session="robot")
            closed = g.call("session.close", session="robot")
            self.assertEqual(closed["state"], "closed")
            self.assertEqual(g.call("session.list")["sessions"], [])
            wait_until(lambda: not g.rings(), "rings gone")
            self.assertEqual(g.stop(), 0)

    def test_session_that_waits_closes_in_order(self):
        with Endpoint() as end, remote(end, QUICK) as g:
            g.wait_streaming()
            end.kill()
            self.check_loss(g, *CUT)
            asked = Asking(g, "session.text", session="robot", text="anybody?")
            wait_until(lambda: g.call("gateway.stats")["control"]["pending"]
                       > 1, "it was asked")
            closed = g.call("session.close", session="robot")
            self.assertEqual(closed["state"], "closed")
            failed_with(asked.end(), CLOSED)
            wait_until(lambda: not g.rings(), "rings gone")
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
