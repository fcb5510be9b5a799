"""An endpoint that records what each stream received, and producers whose
frames can be told apart in it."""
import array
import json
import os
import random
import re
import unittest

from faults import Endpoint, check_account, remote, wait_until
from speech import Microphone

# Below every threshold of speech, and never zero: a zero is inserted silence.
MARK = 100


class Recorder(Endpoint):
    """An Endpoint whose records and log are read stream by stream."""

    def path(self, number, ending):
        return os.path.join(self.record, f"{number:04}.{ending}")

    def streams(self):
        """Numbers of the streams that were answered."""
        return sorted(int(f[:4]) for f in os.listdir(self.record)
                      if f.endswith(".s16"))

    def audio(self, number):
        """What it has received until now."""
        with open(self.path(number, "s16"), "rb") as f:
            data = f.read()
        samples = array.array("h")
        samples.frombytes(data[:len(data) // 2 * 2])
        return samples

    def told(self, number):
        """What it was told, once it has ended."""
        path = self.path(number, "json")
        wait_until(lambda: os.path.exists(path), f"stream {number} has ended")
        with open(path) as f:
            return json.load(f)


def marks(count, seed):
    """Frames that can be told apart: any few in a row are found only once."""
    dice = random.Random(seed)
    values = [v for v in range(-MARK, MARK + 1) if v]
    return array.array("h", dice.choices(values, k=count))


def without_zeros(samples):
    """Speech whose silence can be told from inserted silence."""
    return array.array("h", [v or 1 for v in samples])


def said(samples):
    """Without inserted silence."""
    return array.array("h", [v for v in samples if v])


def difference(got, wanted):
    """Where two sequences part, in words; None if nowhere."""
    if got == wanted:
        return None
    at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b),
              min(len(got), len(wanted)))
    return (f"{len(got)} frames instead of {len(wanted)}, different from frame "
            f"{at} on: {list(got[at:at + 6])}, not {list(wanted[at:at + 6])}")


class Marker(Microphone):
    """A microphone of marked frames that keeps all it wrote; what it is told to
    speak takes their place."""

    def __init__(self, gateway, seed=1, seconds=120, **more):
        super().__init__(gateway, **more)
        self.marked = marks(seconds * 16000, seed).tobytes()
        self.written = bytearray()

    def between(self, size):
        at = len(self.written)
        return self.marked[at:at + size]

    def wrote(self, block):
        self.written += block

    def stop(self):
        """Writes no more."""
        self.stopping.set()
        self.join()

    def frames(self):
        samples = array.array("h")
        samples.frombytes(bytes(self.written))
        return samples


# Rotations that come soon; the deadline is far.
SOON = {"rotate_after_s": 1.5, "rotate_deadline_s": 60, "rotate_gap_s": 0.2}
# None by time; those that are asked for come at once.
ASKED = {"rotate_after_s": 400, "rotate_deadline_s": 470, "rotate_gap_s": 0.1}

STORY = "Once upon a time there was a robot. " + "And so it went on. " * 4
SCRIPT = {"first_audio_ms": 150, "endpoint_ms": 400, "lines": [
    {"hear": ["hello robot"], "say": "Hello."},
    {"hear": ["tell me a story"], "on": "text", "say": STORY}]}
QUESTION = "hello robot"


class Rotating(unittest.TestCase):
    """A conversation whose streams change, and what is seen of it."""

    def start(self, session, script=SCRIPT, **more):
        """(endpoint, gateway), both closed at the end of the scenario."""
        end = Recorder(script, **more.pop("endpoint", {}))
        self.addCleanup(end.close)
        g = remote(end, {"sessions": {"robot": session},
                         **more.pop("config", {})}, **more)
        self.addCleanup(g.close)
        g.wait_streaming()
        return end, g

    def stats(self, g, session="robot"):
        stats = g.call("gateway.stats")["sessions"][session]
        check_account(stats)
        return stats

    def current(self, g):
        return g.call("session.get", session="robot")["stream"]["generation"]

    def no_trouble(self, end, g):
        self.assertEqual(g.bus.all("error"), [])
        self.assertEqual(end.records(kind="violation"), [])

    def rotate(self, g):
        """One on demand; returns the news of it."""
        g.call("session.rotate", session="robot")
        return g.bus.wait("stream", phase="current", reason="asked for")["data"]

    def aged(self, g):
        """The news of one by its age; the last such one."""
        news = g.bus.wait("stream", phase="current", reason="its age")["data"]
        g.call("session.update", session="robot", config=ASKED)
        return news

    def all_sent(self, g, marker):
        wait_until(lambda: self.stats(g)["input_frames"]["produced"]
                   == len(marker.written) // 2 and
                   self.stats(g)["input_frames"]["pending"] < 512,
                   "all but a part of a chunk is sent")
