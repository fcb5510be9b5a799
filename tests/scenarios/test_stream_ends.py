#!/usr/bin/python3
"""Streams that end before we end them: the session fails once, says why, loses
count of nothing, and can be opened again.

What needs an endpoint that breaks the protocol itself (malformed frames, a
prelude beyond the limit, wrong CRCs, RST, GOAWAY, END_STREAM) is in
tests/bedrock/test_stream_ends.c and test_stream.c, over real TLS and HTTP/2."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Asking, Endpoint, check_account, check_responses,  # noqa: E402
                    failed_with, logged, refused, remote, wait_until)
from harness import Gateway  # noqa: E402
from speech import Loudspeaker, Microphone, say  # noqa: E402

CLOSED, STATE = -32004, -32001


class StreamEnds(unittest.TestCase):
    def check_failure(self, g, *codes):
        """One error event and one state `failed`; returns the error."""
        error = g.bus.wait("error")["data"]
        self.assertIn(error["code"], codes)
        self.assertEqual(error["component"], "bedrock")
        self.assertFalse(error["recoverable"])
        self.assertRegex(error["remedy"], "session.open")
        g.bus.wait("session.state", state="failed")
        self.assertEqual(len(g.bus.all("error")), 1)
        logged(g, error["message"], error["remedy"])
        check_account(g.call("gateway.stats")["sessions"]["robot"])
        return error

    def check_works(self, g):
        """After session.open, questions are answered."""
        opened = g.call("session.open", session="robot")
        self.assertEqual(opened["session"], "robot")
        answer = g.call("session.text", session="robot", text="hello robot",
                        wait="response")
        self.assertEqual((answer["status"], answer["text"]),
                         ("complete", "Hello."))
        self.assertNotIn("error", g.call("session.get", session="robot"))

    def test_endpoint_killed_while_it_speaks(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            before = g.call("session.get", session="robot")["conversation"]
            with Microphone(g), Loudspeaker(g):
                asked = Asking(g, "session.text", session="robot",
                               text="tell me a story", wait="response")
                g.bus.wait("playback", phase="started")
                end.kill()
                self.check_failure(g, "fin", "network", "rst_stream",
                                   "end_stream", "tls")
                failed_with(asked.end(), CLOSED, "lost")
                ends = check_responses(g.bus)
                self.assertEqual([e["status"] for e in ends], ["error"])
                self.assertEqual(len(g.bus.all("turn")), 1)
                refused(g, "session.text", CLOSED, "session.open", "failed",
                        session="robot", text="anybody?")
                end.start()
                self.check_works(g)
            after = g.call("session.get", session="robot")
            self.assertEqual(after["conversation"], before)
            self.assertEqual(after["stream"]["generation"], 2)
            check_responses(g.bus)
            check_account(g.call("gateway.stats")["sessions"]["robot"])
            self.assertEqual(g.stop(), 0)

    def test_endpoint_killed_while_the_user_speaks(self):
        # Nothing of the first speech may reach the second stream.
        robot = {"sessions": {"robot": {"connect_buffer_ms": 0}}}
        with Endpoint() as end, remote(end, robot) as g:
            g.wait_streaming()
            with Microphone(g) as mic:
                mic.speak(say("hello robot") * 5)
                g.bus.wait("speech", phase="started")
                end.kill()
                self.check_failure(g, "fin", "network", "rst_stream",
                                   "end_stream", "tls")
                check_responses(g.bus)
                mic.idle.wait(20)
                end.start()
                self.check_works(g)
                mic.speak(say("hello robot"))
                g.bus.wait("transcript", role="user")
            check_account(g.call("gateway.stats")["sessions"]["robot"])
            self.assertEqual(g.stop(), 0)

    def test_endpoint_stops_in_order(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            end.kill(signal.SIGTERM)
            self.check_failure(g, "goaway", "fin", "end_stream", "rst_stream")
            end.start()
            self.check_works(g)
            self.assertEqual(g.stop(), 0)

    def test_black_hole_is_found(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            with Microphone(g):
                asked = Asking(g, "session.text", session="robot",
                               text="tell me a story", wait="response")
                g.bus.wait("response", phase="started")
                end.kill(signal.SIGSTOP)
                error = self.check_failure(g, "black_hole", "network")
                self.assertRegex(error["message"], f":{end.port}|PING")
                failed_with(asked.end(), CLOSED)
                self.assertEqual([e["status"] for e in check_responses(g.bus)],
                                 ["error"])
                end.kill(signal.SIGCONT)
                self.check_works(g)
            self.assertEqual(g.stop(), 0)

    def test_eight_minutes_end_a_stream_that_silence_kept_alive(self):
        config = {"sessions": {"robot": {"tools": []}}}
        arguments = ["--ear", "script", "--time-scale", "120"]
        with Gateway(config, arguments=arguments) as g:
            error = self.check_failure(g, "modelTimeoutException",
                                       "ModelTimeoutException")
            self.assertRegex(error["message"], "timed out in processing")
            self.assertTrue(error["request_id"])
            stats = g.call("gateway.stats")["sessions"]["robot"]
            check_account(stats)
            self.assertEqual(stats["input_frames"]["produced"], 0)
            inserted = g.bus.all("metrics")[-1]["data"]["input"]
            self.assertGreater(int(inserted["inserted_frames_total"]), 16000)
            self.assertNotIn("Timed out waiting for input", g.whole_log())
            self.assertEqual(g.stop(), 0)

    def test_failed_session_closes_in_order(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            end.kill()
            self.check_failure(g, "fin", "network", "rst_stream", "end_stream")
            refused(g, "session.interrupt", STATE, session="robot")
            closed = g.call("session.close", session="robot")
            self.assertEqual(closed["state"], "closed")
            self.assertEqual(g.call("session.list")["sessions"], [])
            wait_until(lambda: not g.rings(), "rings gone")
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
