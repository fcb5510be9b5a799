#!/usr/bin/python3
"""Requests that are wrong, too early, too late, or too many: each gets its own
error, in a sentence, and the gateway goes on."""
import json
import os
import sys
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Asking, Endpoint, Gate, check_responses,  # noqa: E402
                    failed_with, logged, refused, remote, wait_until)
import harness  # noqa: E402
from harness import Gateway  # noqa: E402
from speech import Microphone, say  # noqa: E402

PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602
NOT_FOUND, STATE, UNSUPPORTED, TIMEOUT, CLOSED, LIMIT, EXISTS, FAILED = range(
    -32000, -32008, -1)
SCRIPT = ["--ear", "script"]


def raw(g, *frames, answers=True):
    """One message as it is; the parsed answer."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    try:
        socket.connect(f"ipc://{g.runtime}/control.sock")
        socket.send_multipart(frames)
        if not answers:
            socket.send_string('{"jsonrpc":"2.0","id":0,"method":'
                               '"gateway.version"}')
        if not socket.poll(10000):
            raise AssertionError(f"no answer to {frames[0][:80]}")
        return json.loads(socket.recv_multipart()[-1])
    finally:
        socket.close(0)
        context.term()


class Requests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.g = Gateway(arguments=SCRIPT)
        cls.g.wait_streaming()

    @classmethod
    def tearDownClass(cls):
        code = cls.g.stop()
        cls.g.close()
        assert code == 0, code

    def tearDown(self):
        self.assertEqual(self.g.call("session.list")["sessions"][0]["state"],
                         "streaming")

    def test_no_json(self):
        for text in (b"", b"hello", b"{", b'{"jsonrpc":"2.0","id":1',
                     b"\xff\xfe", b"[" * 100000, b'{"a":"\xc3\x28"}',
                     b'{"jsonrpc":"2.0","id":1,"method":"gateway.version"}x'):
            answer = raw(self.g, text)
            self.assertEqual(answer["error"]["code"], PARSE, text[:40])
            self.assertIsNone(answer["id"])

    def test_no_request(self):
        for text in ('1', '"x"', 'null', '[]', '{}', '{"jsonrpc":"2.0"}',
                     '{"jsonrpc":"1.0","id":1,"method":"gateway.version"}',
                     '{"jsonrpc":"2.0","id":1,"method":7}',
                     '{"jsonrpc":"2.0","id":[],"method":"gateway.version"}'):
            self.assertEqual(raw(self.g, text.encode())["error"]["code"],
                             REQUEST, text)

    def test_too_large(self):
        answer = raw(self.g, b'{"jsonrpc":"2.0","id":1,"method":"session.text",'
                     b'"params":{"text":"' + b"x" * (1 << 20) + b'"}}')
        self.assertIn(answer["error"]["code"], (REQUEST, PARSE, LIMIT))
        self.assertRegex(answer["error"]["message"], r"MiB|1048576|bytes")

    def test_several_frames_and_none(self):
        answer = raw(self.g, b"one", b"two")
        self.assertIn("error", answer)

    def test_unknown_method(self):
        error = refused(self.g, "session.sing", METHOD, "session.sing")
        self.assertIn("session.sing", json.dumps([error.message, error.data]))

    def test_batch(self):
        answers = raw(self.g, json.dumps([
            {"jsonrpc": "2.0", "id": "a", "method": "gateway.version"},
            {"jsonrpc": "2.0", "id": "b", "method": "nothing"}, 7,
            {"jsonrpc": "2.0", "method": "gateway.version"},
            {"jsonrpc": "2.0", "id": "c", "method": "session.get",
             "params": {"session": "nobody"}}]).encode())
        told = {a["id"]: a.get("error", {}).get("code") for a in answers}
        self.assertEqual(told, {"a": None, "b": METHOD, None: REQUEST,
                                "c": NOT_FOUND})

    def test_notification_is_not_answered(self):
        answer = raw(self.g, b'{"jsonrpc":"2.0","method":"nothing"}',
                     answers=False)
        self.assertEqual(answer["id"], 0)

    def test_unknown_session(self):
        for method, params in (("close", {}), ("get", {}), ("interrupt", {}),
                               ("text", {"text": "x"}), ("mute", {"muted": True})):
            refused(self.g, f"session.{method}", NOT_FOUND, '"nobody"',
                    "session.list", session="nobody", **params)

    def test_unknown_tool(self):
        refused(self.g, "tool.call", NOT_FOUND, '"hammer"', "tool.list",
                tool="hammer")

    def test_wrong_params_name_their_place(self):
        for method, params, place in (
                ("session.text", {"session": "robot"}, "params.text"),
                ("session.text", {"session": "robot", "text": 7}, "params.text"),
                ("session.text", {"session": "robot", "text": "x",
                                  "loud": True}, "params.loud"),
                ("session.text", {"session": "robot", "text": "x",
                                  "wait": "never"}, "params.wait"),
                ("session.text", {"session": "robot", "text": "x",
                                  "timeout_ms": -1}, "params.timeout_ms"),
                ("session.text", {"session": "robot", "text": " \n"},
                 "params.text"),
                ("session.mute", {"session": "robot", "muted": "yes"},
                 "params.muted"),
                ("session.open", {"session": "../../etc"}, "params.session"),
                ("session.open", {"session": "x" * 33}, "params.session"),
                ("tool.call", {"tool": "echo", "arguments": []},
                 "params.arguments"),
                ("gateway.log", {"levels": "loud"}, "params.levels"),
                ("gateway.version", {"x": 1}, "params.x")):
            error = refused(self.g, method, PARAMS, **params)
            self.assertIn(place.rsplit(".", 1)[1], error.message, method)

    def test_params_that_are_no_object(self):
        for params in ("[]", "7", '"x"'):
            answer = raw(self.g, b'{"jsonrpc":"2.0","id":1,"method":'
                         b'"session.get","params":' + params.encode() + b"}")
            self.assertIn(answer["error"]["code"], (PARAMS, REQUEST), params)

    def test_bad_settings_name_every_key(self):
        error = refused(
            self.g, "session.open", PARAMS, session="other", config={
                "voise": "amy", "chunk_ms": 7, "input": {"rate_hz": 44100},
                "listen": True, "tools": {}, "inference": {"top_p": 2}})
        for path in ("voise", "chunk_ms", "input.rate_hz", "listen", "tools",
                     "inference.top_p"):
            self.assertIn(f"params.config.{path}", error.message)
        self.assertRegex(error.message, "8000.*16000.*24000.*48000")
        self.assertEqual(len(self.g.call("session.list")["sessions"]), 1)

    def test_no_file_may_be_read_by_control(self):
        refused(self.g, "session.open", PARAMS, "system_prompt_file",
                session="other", config={"system_prompt_file": "/etc/passwd"})

    def test_interrupt_while_silent(self):
        refused(self.g, "session.interrupt", STATE, "[Nn]othing",
                session="robot")

    def test_open_what_is_open(self):
        refused(self.g, "session.open", EXISTS, '"robot"', "close",
                session="robot")

    def test_log_levels_change_while_it_runs(self):
        before = self.g.call("gateway.log")["levels"]
        self.g.call("gateway.log", levels="wire=trace,transcript=debug")
        self.g.call("session.text", session="robot", text="good morning",
                    wait="response")
        traced = logged(self.g, "<- audioOutput", "debug transcript")
        self.assertRegex(traced, r"trace wire \[robot .*good morning")
        self.assertRegex(traced, r"debug transcript \[robot .*voice of this")
        self.assertRegex(traced, r"<- audioOutput, \d+ bytes")
        now = self.g.call("gateway.log", levels="wire=info,transcript=info")
        self.assertEqual(now["levels"], before)
        at = len(self.g.whole_log())
        self.g.call("session.text", session="robot", text="good morning",
                    wait="response")
        self.assertNotRegex(self.g.whole_log()[at:],
                            r"Z \w+ .*(good morning|voice of this)")

    def test_every_documented_method_answers(self):
        with open(os.path.join(harness.ROOT, "gateway/control/control.tbl.h")) as f:
            methods = [line.split('"')[1] for line in f
                       if line.startswith("CONTROL_METHOD")]
        self.assertGreater(len(methods), 12)
        for method in methods:
            if method == "gateway.shutdown":
                continue
            answer = raw(self.g, json.dumps({
                "jsonrpc": "2.0", "id": 1, "method": method,
                "params": {"surprise": 1}}).encode())
            self.assertEqual(answer["error"]["code"], PARAMS, method)
        self.assertNotIn("has no handler", self.g.whole_log())


class Flood(unittest.TestCase):
    def test_client_that_asks_and_never_reads(self):
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            context = zmq.Context()
            socket = context.socket(zmq.DEALER)
            socket.setsockopt(zmq.SNDTIMEO, 5000)
            socket.setsockopt(zmq.RCVHWM, 1)
            socket.connect(f"ipc://{g.runtime}/control.sock")
            request = json.dumps({"jsonrpc": "2.0", "id": 1, "method":
                                  "session.get", "params":
                                  {"session": "robot"}})
            try:
                for _ in range(20000):
                    socket.send_string(request)
            except zmq.Again:
                pass  # it is held back: just as well
            answer = g.call("session.text", session="robot", text="goodbye",
                            wait="response")
            self.assertEqual(answer["text"], "Goodbye!")
            if "asan" not in harness.BUILD:
                with open(f"/proc/{g.process.pid}/status") as f:
                    kb = int(f.read().split("VmRSS:")[1].split()[0])
                self.assertLess(kb, 65536, "kB resident")
            self.assertEqual(g.stop(), 0)
            socket.close(0)
            context.term()


class Texts(unittest.TestCase):
    def test_queued_while_connecting_then_answered_in_order(self):
        with Endpoint() as end, Gate(end) as gate, remote(gate) as g:
            first = Asking(g, "session.text", session="robot", wait="response",
                           text="hello robot")
            wait_until(lambda: g.call("gateway.stats")["control"]["pending"] > 1,
                       "the first waits")
            second = Asking(g, "session.text", session="robot",
                            text="goodbye")
            wait_until(lambda: g.call("gateway.stats")["control"]["pending"] > 2,
                       "the second waits")
            refused(g, "session.text", TIMEOUT, "not sent|not ready",
                    session="robot", text="hurry", timeout_ms=50)
            gate.open()
            self.assertEqual(first.end()["text"], "Hello.")
            self.assertTrue(second.end()["accepted"])
            g.bus.wait("response", phase="ended", status="complete")
            g.bus.wait("response", phase="ended", status="complete")
            g.call("session.close", session="robot")
            asked = " ".join(e["data"]["user_text"] for e in g.bus.all("turn"))
            self.assertEqual(asked.split(), "hello robot goodbye".split())
            received = [r["body"]["event"]["textInput"]["content"]
                        for r in end.records(kind="received", type="textInput")]
            self.assertEqual(received[-2:], ["hello robot", "goodbye"])
            self.assertEqual(g.stop(), 0)

    def test_too_many_wait(self):
        with Endpoint() as end, Gate(end) as gate, remote(gate) as g:
            waiting = []
            for i in range(32):
                waiting.append(Asking(g, "session.text", session="robot",
                                      text=f"text {i}"))
                wait_until(lambda: g.call("gateway.stats")["control"]["pending"]
                           > i + 1, f"text {i} waits")
            refused(g, "session.text", LIMIT, "32", session="robot",
                    text="one more")
            g.call("session.close", session="robot")
            for asked in waiting:
                failed_with(asked.end(), CLOSED)
            self.assertEqual(g.stop(), 0)

    def test_model_is_slow(self):
        with Endpoint() as end, remote(end) as g:
            refused(g, "session.text", TIMEOUT, "sent, but no response",
                    session="robot", text="slow", wait="response",
                    timeout_ms=500)
            self.assertEqual(g.stop(), 0)

    def test_two_at_once(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            asked = [Asking(g, "session.text", session="robot",
                            wait="response", text="hello robot")
                     for _ in range(2)]
            for one in asked:
                self.assertEqual(one.end()["text"], "Hello.")
            for _ in asked:
                g.bus.wait("response", phase="ended", status="complete")
            check_responses(g.bus)
            self.assertEqual(g.stop(), 0)

    def test_v1_takes_none_and_says_what_does(self):
        config = {"sessions": {"robot": {"model": "amazon.nova-sonic-v1:0",
                                         "endpointing_sensitivity": "HIGH",
                                         "interrupt_on": ["speech_start"]}}}
        with Endpoint() as end, remote(end, config) as g:
            g.wait_streaming()
            refused(g, "session.text", UNSUPPORTED, "amazon.nova-2-sonic",
                    session="robot", text="hello")
            can = g.call("session.get", session="robot")["can"]
            self.assertFalse(can["text"])
            self.assertFalse(can["endpointing_sensitivity"])
            self.assertFalse(can["speech_events"])
            self.assertTrue(can["interim_results"])
            self.assertNotIn("tina", can["voices"])
            self.assertNotIn("us-west-2", can["regions"])
            for word in ("no such setting, not sent: endpointing_sensitivity",
                         "speech_start in interrupt_on never comes"):
                self.assertEqual(logged(g, word).count(word), 1)
            with Microphone(g) as mic:
                mic.speak(say("hello robot"))
                g.bus.wait("response", phase="ended", status="complete")
            self.assertEqual([v["text"] for v in end.records(kind="violation")],
                             [])
            self.assertEqual(g.stop(), 0)

    def test_caller_that_goes_away(self):
        with Endpoint() as end, Gate(end) as gate, remote(gate) as g:
            context = zmq.Context()
            socket = context.socket(zmq.DEALER)
            socket.connect(f"ipc://{g.runtime}/control.sock")
            socket.send_string(json.dumps({
                "jsonrpc": "2.0", "id": 1, "method": "session.text",
                "params": {"session": "robot", "text": "hello robot"}}))
            wait_until(lambda: g.call("gateway.stats")["control"]["pending"] > 1,
                       "it waits")
            socket.close(0)
            context.term()
            gate.open()
            g.wait_streaming()
            self.assertEqual(g.bus.wait("turn")["data"]["user_text"],
                             "hello robot")
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
