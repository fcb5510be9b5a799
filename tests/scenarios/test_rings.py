#!/usr/bin/python3
"""What the processes at the rings can do wrong or suffer: refused with the
reason, or counted; nobody takes anybody else down."""
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Endpoint, Gate, check_account,  # noqa: E402
                    check_responses, remote, wait_until)
import harness  # noqa: E402
from harness import Gateway  # noqa: E402
from speech import Loudspeaker, Microphone, say, silence, voxring  # noqa: E402

LOCAL = ["--ear", "script"]

# A process at a ring that can be killed: it says when it is attached.
PRODUCER = """
import sys, time
sys.path.insert(0, {ipc!r})
import voxring
with voxring.Writer({session!r}, runtime_dir={runtime!r}, name="doomed") as w:
    w.write(bytes(3200))
    print("attached", flush=True)
    while True:
        w.write(bytes(320))
        time.sleep(0.01)
"""
PLAYER = """
import sys, time
sys.path.insert(0, {ipc!r})
import voxring
with voxring.Reader({session!r}, runtime_dir={runtime!r}, player=True,
                    name="doomed") as r:
    print("attached", flush=True)
    while True:
        if r.wait(100):
            block = r.read()
            if block and block.samples:
                r.played(block.position + block.frames)
                time.sleep(block.frames / 24000)
"""


class Doomed:
    """A producer or player in a process of its own."""

    def __init__(self, gateway, text, session="robot"):
        self.process = subprocess.Popen(
            [sys.executable, "-c", text.format(
                ipc=os.path.join(harness.ROOT, "ipc"), session=session,
                runtime=gateway.runtime)],
            stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        assert line == b"attached\n", line

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


class Rings(unittest.TestCase):
    def refused(self, status, *words, **options):
        kind = options.pop("kind", voxring.Writer)
        with self.assertRaises(voxring.Error) as caught:
            kind(options.pop("session", "robot"), **options)
        self.assertEqual(caught.exception.status, status)
        for word in words:
            self.assertRegex(str(caught.exception), word)

    def stats(self, g):
        stats = g.call("gateway.stats")["sessions"]["robot"]
        check_account(stats)
        return stats

    def test_refusals_name_the_reason(self):
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()
            where = {"runtime_dir": g.runtime}
            with voxring.Writer("robot", name="the mic", **where) as mic:
                self.refused("VR_BUSY", "the mic", name="another", **where)
                mic.write(bytes(320))
            self.refused("VR_INVALID", "16000", "48000", rate_hz=48000, **where)
            self.refused("VR_INVALID", "1 channel", "and 2", channels=2, **where)
            self.refused("VR_NOT_FOUND", "kitchen", session="kitchen", **where)
            self.refused("VR_NOT_FOUND", "24000|player|session|kitchen",
                         kind=voxring.Reader, session="kitchen", **where)
            with Loudspeaker(g):
                self.refused("VR_BUSY", "speaker", kind=voxring.Reader,
                             player=True, name="another", **where)
            for wrong in ("../robot", "", "a b", "x" * 100):
                with self.assertRaises(voxring.Error):
                    voxring.Writer(wrong, **where)
            self.assertEqual(self.stats(g)["input_frames"]["lost"], 0)
            self.assertEqual(g.stop(), 0)
        self.refused("VR_NOT_FOUND", "gateway|voxringd", **where)

    def test_stopped_producer_keeps_its_place_and_is_named(self):
        with Gateway(arguments=LOCAL) as g:
            doomed = Doomed(g, PRODUCER)
            doomed.process.send_signal(signal.SIGSTOP)
            os.waitpid(doomed.process.pid, os.WUNTRACED)
            self.refused("VR_BUSY", "doomed", "stopped|SIGSTOP",
                         runtime_dir=g.runtime)
            doomed.kill()
            voxring.Writer("robot", runtime_dir=g.runtime).close()
            self.assertEqual(g.stop(), 0)

    def test_producer_killed_then_another(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            doomed = Doomed(g, PRODUCER)
            attached = g.bus.wait("capture", phase="producer_attached")
            self.assertEqual(attached["data"]["producer"], "doomed")
            doomed.kill()
            with Microphone(g) as mic:
                mic.speak(say("hello robot"))
                g.bus.wait("transcript", role="user", text="hello robot")
                g.bus.wait("response", phase="ended", status="complete")
            self.assertEqual(self.stats(g)["input_frames"]["lost"], 0)
            self.assertEqual(g.bus.all("error"), [])
            self.assertEqual(g.stop(), 0)

    def test_producer_killed_is_told_and_silence_goes_on(self):
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()
            doomed = Doomed(g, PRODUCER)
            g.bus.wait("capture", phase="producer_attached")
            doomed.kill()
            g.bus.wait("capture", phase="producer_lost")
            answer = g.call("session.text", session="robot", text="goodbye",
                            wait="response")
            self.assertEqual(answer["status"], "complete")
            self.stats(g)
            self.assertEqual(g.stop(), 0)

    def test_overwritten_frames_are_told_to_reader_and_gateway(self):
        with Endpoint() as end, Gate(end) as gate, remote(
                gate, {"sessions": {"robot": {"connect_buffer_ms": 0}}}) as g:
            reader = voxring.Reader("robot", runtime_dir=g.runtime, ring="in",
                                    name="recorder")
            g.bus.wait("heartbeat")  # what is told from now on is seen
            with voxring.Writer("robot", runtime_dir=g.runtime) as mic:
                capacity = mic.stats().capacity_frames
                total = 0
                while total < capacity + 16000:
                    mic.write(bytes(32000))
                    total += 16000
            block = reader.read()
            self.assertGreaterEqual(block.lost_frames, 16000)
            read, lost = 0, block.lost_frames
            while block := reader.read():
                read += block.frames
                lost += block.lost_frames
            self.assertEqual(read + lost, total)
            reader.close()
            gate.open()
            g.wait_streaming()
            wait_until(lambda: self.stats(g)["input_frames"]["produced"]
                       == total, "all are counted")
            stats = self.stats(g)["input_frames"]
            self.assertGreater(stats["lost"], capacity // 2)
            wait_until(lambda: stats["lost"] == sum(
                int(e["data"]["frames"]) for e in g.bus.all("capture")
                if e["data"]["phase"] == "lost"), "all losses are told")
            self.assertEqual(g.stop(), 0)

    def test_audio_before_the_stream_is_sent(self):
        with Endpoint() as end, Gate(end) as gate, remote(gate) as g:
            with voxring.Writer("robot", runtime_dir=g.runtime) as mic:
                mic.write(silence(0.5) + say("hello robot") + silence(1))
                wait_until(lambda: gate.count, "connecting")
                gate.open()
                g.bus.wait("transcript", role="user", text="hello robot")
            stats = self.stats(g)["input_frames"]
            self.assertEqual(stats["lost"], 0)
            self.assertEqual(end.records(kind="violation"), [])
            self.assertEqual(g.stop(), 0)

    def test_audio_beyond_the_connect_buffer_is_counted(self):
        config = {"sessions": {"robot": {"connect_buffer_ms": 1000}}}
        with Endpoint() as end, Gate(end) as gate, remote(gate, config) as g:
            g.bus.wait("heartbeat")  # the subscription is in force
            with voxring.Writer("robot", runtime_dir=g.runtime) as mic:
                mic.write(silence(3))
                lost = g.bus.wait("capture", phase="lost")["data"]
                self.assertAlmostEqual(int(lost["frames"]), 32000, delta=1600)
                gate.open()
                g.wait_streaming()
                wait_until(lambda: self.stats(g)["input_frames"]["sent"]
                           >= 14400, "the rest is sent")
            stats = self.stats(g)["input_frames"]
            self.assertEqual(stats["produced"], 48000)
            self.assertAlmostEqual(stats["sent"], 16000, delta=1600)
            self.assertEqual(g.stop(), 0)

    def test_player_killed_then_what_was_heard_is_estimated(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            doomed = Doomed(g, PLAYER)
            g.call("session.text", session="robot", text="tell me a story")
            g.bus.wait("playback", phase="started")
            doomed.kill()
            wait_until(lambda: g.call("session.get", session="robot")["rings"]
                       ["out"]["player"]["state"] == "none", "its lease ends")
            g.call("session.interrupt", session="robot")
            cut = g.bus.wait("interruption")["data"]
            self.assertTrue(cut["estimated"])
            with Loudspeaker(g) as speaker:
                answer = g.call("session.text", session="robot",
                                text="hello robot", wait="response")
                self.assertEqual(answer["text"], "Hello.")
                g.bus.wait("playback", phase="finished", estimated=False)
                self.assertTrue(any(speaker.heard))
            self.stats(g)
            check_responses(g.bus)
            self.assertEqual(g.stop(), 0)

    def test_ring_cut_short_by_somebody_is_made_anew(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            ring = [r for r in g.rings() if r.endswith(".in")][0]
            os.truncate(f"/dev/shm/{ring}", 0)
            error = g.bus.wait("error")["data"]
            self.assertEqual(error["component"], "ring")
            self.assertTrue(error["recoverable"])
            wait_until(lambda: os.path.getsize(f"/dev/shm/{ring}"), "anew")
            with Microphone(g) as mic:
                mic.speak(say("hello robot"))
                g.bus.wait("transcript", role="user", text="hello robot")
            self.assertEqual(g.stop(), 0)

    def test_gateway_killed_and_started_again(self):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            with Microphone(g) as mic, Loudspeaker(g) as speaker:
                g.call("session.text", session="robot", text="tell me a story")
                g.bus.wait("playback", phase="started")
                epochs = {e["epoch"] for e in g.bus.seen}
                g.process.kill()
                g.process.wait(10)
                left = g.rings()
                self.assertEqual(len(left), 2)
                g.start()
                g.wait_streaming()
                wait_until(lambda: mic.stats.attach_count == 2,
                           "the producer attaches again")
                wait_until(lambda: speaker.stats.attach_count == 2,
                           "the player attaches again")
                del speaker.heard[:]
                mic.speak(say("hello robot"))
                answer = g.call("session.text", session="robot",
                                text="hello robot", wait="response")
                self.assertEqual(answer["text"], "Hello.")
                wait_until(lambda: any(speaker.heard), "it is heard")
                self.assertEqual(mic.stats.attached, 1)
                self.assertGreater(mic.stats.lost_frames, 0)
            g.bus.drain()
            epochs |= {e["epoch"] for e in g.bus.seen}
            self.assertEqual(len(epochs), 2)
            self.assertEqual(sorted(g.rings()), sorted(left))
            self.stats(g)
            self.assertEqual(g.stop(), 0)
            self.assertEqual([r for r in left
                              if os.path.exists(f"/dev/shm/{r}")], [])

    def test_second_gateway_in_the_same_folder_is_refused(self):
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()
            second = subprocess.run(g.command, env=g.environment,
                                    capture_output=True, timeout=20)
            self.assertEqual(second.returncode, 1)
            self.assertRegex(second.stderr.decode(), r"error main .*"
                             r"(running|another|in use|already)")
            answer = g.call("session.text", session="robot", text="goodbye",
                            wait="response")
            self.assertEqual(answer["status"], "complete")
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
