#!/usr/bin/python3
"""Every way to stop: the code is 0, the last states and totals are told before
the bus closes, who waits gets an answer, and nothing is left behind."""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Asking, Endpoint, Listener, alive,  # noqa: E402
                    check_responses, children, refused, remote, wait_until)
import harness  # noqa: E402
from harness import Gateway  # noqa: E402
from speech import Loudspeaker, Microphone  # noqa: E402

CLOSED, SHUTDOWN = -32004, -32008
SCRIPT = ["--ear", "script"]
# What voxring-local keeps there for the next start; certificates only.
KEPT = {"ca.pem", "leaf.pem", "leaf.key", "lock"}


class Shutdown(unittest.TestCase):
    def begin(self, g):
        """Remembers what must be gone afterwards."""
        self.names = g.rings()
        self.assertTrue(self.names)
        self.pids = children(g.process.pid)

    def check_end(self, g, sessions=("robot",)):
        """After the exit: last words of each session, and nothing left."""
        for name in sessions:
            own = [e for e in g.bus.all("session.state")
                   if e["subject"] == name]
            self.assertEqual(own[-1]["data"]["state"], "closed", name)
            metrics = [e for e in g.bus.all("metrics") if e["subject"] == name]
            self.assertTrue(metrics, name)
        kinds = [e["type"] for e in g.bus.seen]
        self.assertEqual(kinds[-1], "voxring.heartbeat.v1", kinds[-5:])
        left = [r for r in self.names if os.path.exists(f"/dev/shm/{r}")]
        self.assertEqual(left, [])
        for pid in self.pids:
            wait_until(lambda: not alive(pid), f"child {pid} ends", 5)
        kept = {os.path.join(os.path.relpath(d, g.runtime), f)
                for d, _, files in os.walk(g.runtime) for f in files}
        self.assertEqual([k for k in kept
                          if os.path.basename(k) not in KEPT], [])
        check_responses(g.bus)

    def stops(self, stop, config=None):
        with Gateway(config, arguments=SCRIPT) as g:
            g.wait_streaming()
            self.begin(g)
            self.assertGreaterEqual(len(self.pids), 3, "endpoint and plugins")
            with Loudspeaker(g), Microphone(g):
                asked = Asking(g, "session.text", session="robot",
                               text="tell me a story", wait="response")
                g.bus.wait("playback", phase="started")
                stop(g)
                self.assertEqual(g.process.wait(10), 0)
                answer = asked.end()
                self.assertIsInstance(answer, harness.RpcError)
                self.assertIn(answer.code, (CLOSED, SHUTDOWN))
            self.check_end(g)
            ends = check_responses(g.bus)
            self.assertEqual(len(ends), 1)
            self.assertEqual(ends[0]["status"], "interrupted")
            usage = g.bus.all("usage")[-1]["data"]["total"]
            self.assertGreater(usage["output"]["text_tokens"], 0)
            states = [e["data"]["state"] for e in g.bus.all("session.state")]
            self.assertEqual(states[-2:], ["closing", "closed"])
            last = g.bus.all("metrics")[-1]["data"]
            i, o = last["input"], last["output"]
            self.assertEqual(int(i["produced_frames_total"]), sum(
                int(i[k]) for k in ("sent_frames_total", "gated_frames_total",
                                    "lost_frames_total", "pending_frames")))
            self.assertEqual(int(o["received_frames_total"]), sum(
                int(o[k]) for k in ("played_frames_total",
                                    "flushed_frames_total",
                                    "lost_frames_total", "pending_frames")))
            self.assertEqual(g.bus.all("error"), [])

    def test_sigterm(self):
        self.stops(lambda g: g.process.send_signal(signal.SIGTERM))

    def test_sigint(self):
        self.stops(lambda g: g.process.send_signal(signal.SIGINT))

    def test_by_control(self):
        self.stops(lambda g: g.call("gateway.shutdown"))

    def test_again_and_again(self):
        def insist(g):
            deadline = time.monotonic() + 10
            while g.process.poll() is None and time.monotonic() < deadline:
                g.process.send_signal(signal.SIGTERM)
                g.process.send_signal(signal.SIGINT)
        self.stops(insist)

    def test_eight_sessions(self):
        names = [f"s{i}" for i in range(8)]
        config = {"sessions": {n: {} for n in names}}
        with Gateway(config, arguments=SCRIPT) as g:
            for name in names:
                g.wait_streaming(name)
            self.begin(g)
            self.assertEqual(len(self.names), 16)
            g.call("session.text", session="s3", text="tell me a story")
            self.assertEqual(g.stop(), 0)
            self.check_end(g, names)

    def test_while_connecting(self):
        def serve(connection):
            while connection.recv(4096):
                pass

        with Listener(serve) as server, remote(server.url) as g:
            self.begin(g)
            asked = Asking(g, "session.text", session="robot", text="early")
            wait_until(lambda: server.count, "connected")
            self.assertEqual(g.call("session.get", session="robot")["state"],
                             "connecting")
            wait_until(lambda: g.call("gateway.stats")["control"]
                       ["pending"] > 1, "the text waits")
            self.assertEqual(g.stop(limit_s=5), 0)
            answer = asked.end()
            self.assertIsInstance(answer, harness.RpcError)
            self.assertIn(answer.code, (CLOSED, SHUTDOWN))
            self.check_end(g)

    def test_while_the_local_endpoint_starts(self):
        with Gateway(arguments=SCRIPT, wait_ready=False) as g:
            wait_until(lambda: os.path.exists(f"{g.runtime}/control.sock"),
                       "the control socket")
            pids = children(g.process.pid)
            self.assertEqual(g.stop(limit_s=5), 0)
            for pid in pids:
                wait_until(lambda: not alive(pid), f"child {pid} ends", 5)
            self.assertEqual(g.rings(), [])

    def test_endpoint_that_answers_no_more(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            self.begin(g)
            end.kill(signal.SIGSTOP)
            self.assertEqual(g.stop(limit_s=6), 0)
            self.check_end(g)

    def test_failed_session(self):
        lost = {"model": "amazon.nova-9-opera-v1:0"}
        with Endpoint() as end, remote(end, {"sessions": {"robot": lost}}) as g:
            wait_until(lambda: g.call("session.get", session="robot")["state"]
                       == "failed", "failed")
            self.begin(g)
            self.assertEqual(g.stop(limit_s=5), 0)
            self.check_end(g)

    def test_session_that_waits_for_its_next_stream(self):
        with remote("https://127.0.0.1:1") as g:
            wait_until(lambda: g.call("session.get", session="robot")["state"]
                       == "waiting", "waiting")
            self.begin(g)
            self.assertEqual(g.stop(limit_s=5), 0)
            self.check_end(g)

    def test_no_session_at_all(self):
        with remote("https://127.0.0.1:1", {"sessions": {}}) as g:
            self.assertEqual(g.call("session.list")["sessions"], [])
            self.assertEqual(g.stop(limit_s=5), 0)

    def test_calls_that_come_too_late(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            self.begin(g)
            end.kill(signal.SIGSTOP)
            g.process.send_signal(signal.SIGTERM)
            g.bus.wait("session.state", state="closing")
            refused(g, "session.open", SHUTDOWN, "stopping", session="late")
            self.assertEqual(g.process.wait(10), 0)
            self.check_end(g)

    def test_kill_leaves_no_child(self):
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            pids = children(g.process.pid)
            self.assertGreaterEqual(len(pids), 3)
            g.process.kill()
            g.process.wait(10)
            for pid in pids:
                wait_until(lambda: not alive(pid), f"child {pid} ends", 5)

    def test_local_endpoint_dies(self):
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            self.begin(g)
            local = [p for p in self.pids
                     if os.readlink(f"/proc/{p}/exe").endswith("voxring-local")]
            os.kill(local[0], signal.SIGKILL)
            self.assertEqual(g.process.wait(10), 1)
            self.assertRegex(g.whole_log(), "voxring-local was ended by signal")
            left = [r for r in self.names if os.path.exists(f"/dev/shm/{r}")]
            self.assertEqual(left, [])

    def test_local_endpoint_that_does_not_stop_is_killed(self):
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            self.begin(g)
            local = [p for p in self.pids
                     if os.readlink(f"/proc/{p}/exe").endswith("voxring-local")]
            os.kill(local[0], signal.SIGSTOP)
            self.assertEqual(g.stop(limit_s=10), 0)
            self.check_end(g)

    def test_hangup_ends_it_in_order(self):
        with Gateway(arguments=SCRIPT) as g:
            g.wait_streaming()
            self.begin(g)
            self.assertEqual(g.stop(signal.SIGHUP), 0)
            self.check_end(g)

    def test_what_was_said_is_not_in_the_log(self):
        with Gateway(arguments=SCRIPT) as g:
            g.call("session.text", session="robot", text="hello robot",
                   wait="response")
            self.assertEqual(g.stop(), 0)
            self.assertNotIn("hello robot", g.whole_log())

    def test_bad_script_is_told(self):
        with Endpoint() as end:
            with open(end.script, "w") as f:
                f.write('{"lines": [{"hear": "x", "tells": 1}]}')
            with Gateway(arguments=["--script", end.script],
                         wait_ready=False) as g:
                self.assertEqual(g.process.wait(10), 1)
                self.assertRegex(g.whole_log(), r"script.jsonc:1: .*tells")


if __name__ == "__main__":
    unittest.main()
