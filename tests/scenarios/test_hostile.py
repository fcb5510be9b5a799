#!/usr/bin/python3
"""A stranger at the rings of one session, doing whatever a process of the same
user can: the other sessions do not notice, voxringd tells what happened, takes
no more than its share of the machine, and the ring is there again."""
import mmap
import os
import random
import re
import signal
import stat
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (check_account, check_responses, remote,  # noqa: E402
                    wait_until)
from harness import LIMIT_S  # noqa: E402
from recorded import SCRIPT, Marker, Recorder, difference, said  # noqa: E402
from speech import say, silence, voxring  # noqa: E402
from test_rings import PLAYER, PRODUCER, Doomed  # noqa: E402

HEADER = 4096
GOOD = ["good-a", "good-b"]
SANITIZED = any(x in os.environ.get("VOXRING_BUILD", "")
                for x in ("asan", "tsan"))

# Whoever truncates a ring must not end this process, which has it mapped.
voxring.guard_install()


# ---- what is done: (ring's path, doorbell's path) -------------------------

def cut(size):
    return lambda ring, bell: os.truncate(ring, size)


def grow(ring, bell):
    os.truncate(ring, os.path.getsize(ring) + HEADER)


def unlink(ring, bell):
    os.unlink(ring)


def put_file(ring, bell):
    os.unlink(ring)
    with open(ring, "wb") as f:
        f.write(b"hello")


def put_fifo(ring, bell):
    os.unlink(ring)
    os.mkfifo(ring)


def put_link(ring, bell):
    os.unlink(ring)
    os.symlink("/nowhere/at/all", ring)


def put_folder(ring, bell):
    os.unlink(ring)
    os.mkdir(ring)


def put_other_ring(ring, bell):
    session, which = ring.rsplit(".", 1)
    os.unlink(ring)
    os.link(session + (".out" if which == "in" else ".in"), ring)


def write_words(offset, *values):
    def act(ring, bell):
        with open(ring, "r+b") as f, mmap.mmap(f.fileno(), HEADER) as m:
            m[offset:offset + 8 * len(values)] = struct.pack(
                f"={len(values)}Q", *values)
    return act


def chmod(mode):
    return lambda ring, bell: os.chmod(ring, mode)


def bell_unlink(ring, bell):
    os.unlink(bell)


def bell_file(ring, bell):
    os.unlink(bell)
    with open(bell, "wb") as f:
        f.write(b"hello")


# (code of the error event, what brings it about, which ring)
ACTS = [
    ("truncated", cut(0), "in"), ("truncated", cut(0), "out"),
    ("truncated", cut(HEADER), "in"), ("truncated", cut(100000), "out"),
    ("truncated", grow, "in"),
    ("unlinked", unlink, "in"), ("unlinked", unlink, "out"),
    ("unlinked", put_file, "in"), ("unlinked", put_fifo, "out"),
    ("unlinked", put_link, "in"), ("unlinked", put_folder, "in"),
    ("unlinked", put_other_ring, "out"),
    ("header", write_words(0, 0), "in"),
    ("header", write_words(24, 7, 1 << 40), "out"),
    ("header", write_words(136, 1 << 61), "out"),
    ("head", write_words(128, 1 << 61, 1 << 61), "in"),
    ("mode", chmod(0), "in"), ("mode", chmod(0o4777), "out"),
    ("bell", bell_unlink, "in"), ("bell", bell_file, "in"),
]


class Hostile(unittest.TestCase):
    def start(self, sessions=()):
        """(endpoint, gateway) with the good sessions, and these."""
        end = Recorder(SCRIPT)
        self.addCleanup(end.close)
        g = remote(end, {"sessions": {name: {} for name in GOOD},
                         "bedrock": {"max_streams": 40}})
        self.addCleanup(g.close)
        for name in sessions:
            g.call("session.open", session=name)
        for name in [*GOOD, *sessions]:
            g.wait_streaming(name)
        self.marks = []
        for seed, name in enumerate(GOOD):
            mark = Marker(g, seed=seed, session=name)
            self.addCleanup(mark.writer.close)
            self.addCleanup(mark.stop)
            self.marks.append(mark)
            mark.start()
        self.anon_kb = self.rss_anon_kb(g)
        return end, g

    @staticmethod
    def rss_anon_kb(g):
        with open(f"/proc/{g.process.pid}/status") as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read())[1])

    @staticmethod
    def cpu_s(pid):
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ring(self, g, session, which):
        return f"/dev/shm/voxring-{g.instance()}.{session}.{which}"

    def bell(self, g, session):
        return os.path.join(g.runtime, f"{session}.in.bell")

    def event(self, g, session, kind, limit_s=LIMIT_S, **members):
        """One of the session's, whether seen already or yet to come."""
        deadline = time.monotonic() + limit_s
        while True:
            for e in g.bus.seen:
                if e.get("subject") == session \
                        and e["type"] == f"voxring.{kind}.v1" \
                        and all(e["data"].get(k) == v
                                for k, v in members.items()):
                    return e["data"]
            if g.bus.poll(deadline - time.monotonic()) is None \
                    and time.monotonic() >= deadline:
                told = [e["data"] for e in g.bus.seen
                        if e.get("subject") == session and "error" in e["type"]]
                raise AssertionError(f"{session}: no {kind} {members}: {told}")

    def told(self, g, session, code, which):
        """The error event of it."""
        error = self.event(g, session, "error", code=code)
        self.assertEqual(error["component"], "ring")
        self.assertEqual("/dev/shm" + error["ring"],
                         self.ring(g, session, which))
        self.assertIn(error["ring"], error["message"])
        self.assertGreater(len(error["remedy"]), 10)
        self.assertTrue(error["recoverable"])

    def intact(self, g, session):
        """Whether all three are there as they should be."""
        try:
            for which in ("in", "out"):
                st = os.lstat(self.ring(g, session, which))
                if not stat.S_ISREG(st.st_mode) or st.st_mode & 0o7777 != 0o600 \
                        or st.st_size <= HEADER or st.st_nlink != 1:
                    return False
            return stat.S_ISFIFO(os.lstat(self.bell(g, session)).st_mode)
        except OSError:
            return False

    def write(self, mic, samples):
        """In pieces, each again until there is a gateway that takes it."""
        deadline = time.monotonic() + LIMIT_S
        for at in range(0, len(samples), 3200):
            while True:
                try:
                    mic.write(samples[at:at + 3200])
                    break
                except voxring.Error:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)

    def ask(self, mic):
        self.write(mic, silence(0.2) + say("hello robot") + silence(1))

    def answered(self, g, session):
        self.event(g, session, "transcript", role="user", text="hello robot")
        self.event(g, session, "response", phase="ended", status="complete")

    def check_good(self, end, g):
        """The others: every frame arrived, in order; answers are whole; no
        error was told of them."""
        for name, mark in zip(GOOD, self.marks):
            answer = g.call("session.text", session=name, text="hello robot",
                            wait="response")
            self.assertEqual(answer["status"], "complete", name)
            mark.stop()
            wait_until(lambda: self.counts(g, name)["produced"]
                       == len(mark.written) // 2, "all is produced")
            wait_until(lambda: self.counts(g, name)["pending"] < 512,
                       "all but a part of a chunk is sent")
            counts = self.counts(g, name)
            self.assertEqual((counts["lost"], counts["gated"]), (0, 0), name)
            self.assertGreater(counts["sent"], 8000, name)
            wanted = mark.frames()[:counts["sent"]]
            wait_until(lambda: any(
                difference(said(end.audio(n)), wanted) is None
                for n in end.streams()), f"{name}'s frames have arrived")
        self.assertEqual([e for e in g.bus.all("error")
                          if e.get("subject") in GOOD], [])
        if not SANITIZED:
            self.assertLess(self.rss_anon_kb(g) - self.anon_kb, 6000)

    def counts(self, g, session):
        stats = g.call("gateway.stats")["sessions"]
        for one in stats.values():
            check_account(one)
        return stats[session]["input_frames"]

    def end(self, g):
        """Nothing is left when it has ended."""
        instance = g.instance()
        self.assertEqual(g.stop(), 0)
        check_responses(g.bus)
        self.assertEqual([f for f in os.listdir("/dev/shm") if instance in f],
                         [])
        self.assertEqual([f for f in os.listdir(g.runtime)
                          if f.endswith((".bell", ".json", ".sock"))], [])

    def microphone(self, g, session):
        mic = voxring.Writer(session, runtime_dir=g.runtime, name="mic")
        self.addCleanup(mic.close)
        mic.write(bytes(3200))
        return mic

    # ---- what is done once ------------------------------------------------

    def test_everything_that_can_be_done_to_a_ring(self):
        names = [f"v{i}" for i in range(len(ACTS))]
        end, g = self.start(names)
        mics = {name: self.microphone(g, name) for name in names}
        for name, (code, act, which) in zip(names, ACTS):
            act(self.ring(g, name, which), self.bell(g, name))
        for name, (code, act, which) in zip(names, ACTS):
            self.told(g, name, code, which)
        wait_until(lambda: all(self.intact(g, name) for name in names),
                   "all are there again")
        for mic in mics.values():
            self.ask(mic)
        for name in names:
            self.answered(g, name)
        stats = g.call("gateway.stats")["sessions"]
        for name, (code, act, which) in zip(names, ACTS):
            check_account(stats[name])
            ring = stats[name]["rings"][which]
            self.assertGreater(ring["faults"][code], 0, name)
            self.assertEqual(ring["recreated"], int(code != "mode"), name)
        self.check_good(end, g)
        self.end(g)

    # ---- what goes on -----------------------------------------------------

    def attacker(self, text, *arguments):
        """A process that does harm until it is killed."""
        process = subprocess.Popen([sys.executable, "-c", text, *arguments],
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"at it\n")
        return process

    FLOOD = """
import os, sys
bell = os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)
print("at it", flush=True)
while True:
    try:
        os.write(bell, b"x")
    except BlockingIOError:
        pass
"""
    THIEF = """
import os, sys
bell = os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)
print("at it", flush=True)
while True:
    try:
        os.read(bell, 65536)
    except BlockingIOError:
        pass
"""

    def during(self, g, process, seconds):
        """CPU seconds that (voxringd, the attacker) take meanwhile."""
        pids = g.process.pid, process.pid
        before = [self.cpu_s(pid) for pid in pids]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            g.bus.poll(deadline - time.monotonic())
        return [self.cpu_s(pid) - was for pid, was in zip(pids, before)]

    def test_doorbell_rung_without_end(self):
        end, g = self.start(["victim"])
        mic = self.microphone(g, "victim")
        flood = self.attacker(self.FLOOD, self.bell(g, "victim"))
        ours, its = self.during(g, flood, 2)
        self.assertLess(ours, 0.3 + 0.2 * its)
        self.told(g, "victim", "ringing", "in")
        self.ask(mic)
        self.answered(g, "victim")
        self.check_good(end, g)
        flood.kill()
        self.assertEqual(self.counts(g, "victim")["lost"], 0)
        self.end(g)

    def test_doorbell_that_somebody_empties(self):
        end, g = self.start(["victim"])
        mic = self.microphone(g, "victim")
        thief = self.attacker(self.THIEF, self.bell(g, "victim"))
        ours, its = self.during(g, thief, 1)
        self.assertLess(ours, 0.3 + 0.2 * its)
        self.ask(mic)
        self.answered(g, "victim")
        self.check_good(end, g)
        thief.kill()
        self.assertEqual(self.counts(g, "victim")["lost"], 0)
        self.assertEqual(g.bus.all("error"), [])
        self.end(g)

    def scribble(self, path, dice, seconds):
        """Hostile values into words of the header, of this object only."""
        values = (0, 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**64 - 1, 4096, 77777)
        deadline = time.monotonic() + seconds
        with open(path, "r+b") as f, mmap.mmap(f.fileno(), HEADER) as m:
            while time.monotonic() < deadline:
                for _ in range(1000):
                    at = dice.randrange(0, 512, 8)
                    m[at:at + 8] = struct.pack("=Q", dice.choice(values))
                time.sleep(0)

    def test_words_that_never_stand_still(self):
        end, g = self.start(["victim"])
        mic = self.microphone(g, "victim")
        voice = voxring.Reader("victim", runtime_dir=g.runtime, player=True,
                               name="speaker")
        self.addCleanup(voice.close)
        dice = random.Random(5)
        for _ in range(3):
            for which in ("in", "out"):
                path = self.ring(g, "victim", which)
                wait_until(lambda: os.path.exists(path), f"{path} is there")
                self.scribble(path, dice, 0.3)
        wait_until(lambda: g.call("gateway.stats")["sessions"]["victim"]
                   ["rings"]["in"]["recreated"] > 0, "made anew")
        wait_until(lambda: self.intact(g, "victim"), "intact")
        self.assertLess(len(g.bus.all("error")), 20)
        # Its repair may be put off by some seconds now.
        deadline = time.monotonic() + LIMIT_S
        while not any(e.get("subject") == "victim"
                      and e["data"].get("text") == "hello robot"
                      for e in g.bus.all("transcript")):
            self.assertLess(time.monotonic(), deadline)
            self.ask(mic)
            self.during(g, g.process, 1)
        self.answered(g, "victim")
        self.check_good(end, g)
        self.end(g)

    def test_holders_that_are_stopped(self):
        end, g = self.start(["victim"])
        holders = {"in": Doomed(g, PRODUCER, "victim"),
                   "out": Doomed(g, PLAYER, "victim")}
        for holder in holders.values():
            self.addCleanup(holder.kill)
            holder.process.send_signal(signal.SIGSTOP)
            os.waitpid(holder.process.pid, os.WUNTRACED)
        for which, holder in holders.items():
            error = self.event(g, "victim", "error", code="stopped",
                               ring=self.ring(g, "victim", which)[8:])
            self.assertEqual(error["component"], "ring")
            self.assertIn(str(holder.process.pid), error["remedy"])
            self.assertIn("doomed", error["message"])
        answer = g.call("session.text", session="victim", text="hello robot",
                        wait="response")
        self.assertEqual(answer["text"], "Hello.")
        for holder in holders.values():
            holder.process.send_signal(signal.SIGCONT)
        wait_until(lambda: g.call("session.get", session="victim")["rings"]
                   ["out"]["player"]["state"] == "present", "it goes on")
        self.check_good(end, g)
        for holder in holders.values():
            holder.kill()
        self.ask(self.microphone(g, "victim"))
        self.event(g, "victim", "transcript", role="user", text="hello robot")
        self.assertEqual(len(g.bus.all("error")), 2)
        self.end(g)

    # ---- what a dead gateway leaves ---------------------------------------

    def test_next_gateway_takes_away_what_is_left(self):
        end, g = self.start(["guest", "another"])
        for mark in self.marks:
            mark.stop()
        left = sorted(os.listdir("/dev/shm"))
        for which in ("in", "out"):
            self.assertIn(os.path.basename(self.ring(g, "guest", which)), left)
        g.process.kill()
        g.process.wait(10)
        self.assertTrue(os.path.exists(self.bell(g, "guest")))
        # What lies there may be damaged, too.
        os.truncate(self.ring(g, "guest", "in"), 0)
        g.start()
        for name in GOOD:
            g.wait_streaming(name)
        self.assertEqual(sorted(g.rings()),
                         sorted(os.path.basename(self.ring(g, name, which))
                                for name in GOOD for which in ("in", "out")))
        self.assertEqual(sorted(f for f in os.listdir(g.runtime)
                                if f.endswith(".bell")),
                         [f"{name}.in.bell" for name in GOOD])
        self.assertRegex(g.whole_log(), r"guest\.(in|out)")
        self.end(g)


if __name__ == "__main__":
    unittest.main()
