#!/usr/bin/python3
"""A conversation of 24 hours, in SOAK_SECONDS (75): the endpoint's clock and
the settings of rotation run faster by the same factor. Streams change 160 times
and more, and random things go wrong meanwhile; every question is answered once
or its failure is told, and nothing grows.

SOAK_SEED repeats a run. Where there is time for it (SOAK_SECONDS=1800 and more)
words are spoken, too."""
import collections
import contextlib
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
from faults import (KEYS, Endpoint, check_account, check_responses,  # noqa: E402
                    check_tools, remote, wait_until)
from harness import RpcError  # noqa: E402
from speech import Loudspeaker, Microphone, say  # noqa: E402
from test_tools import compile_plugin, uses  # noqa: E402

DAY_S = 24 * 3600
SECONDS = float(os.environ.get("SOAK_SECONDS", "75"))
SCALE = max(1, DAY_S / SECONDS)
SEED = int(os.environ.get("SOAK_SEED", random.randrange(1 << 32)))
SPEECH = SCALE <= 50

SCRIPT = {"first_audio_ms": 10, "audio_speed_percent": 1500,
          "input_timeout_ms": 55000 * max(1, int(SCALE / 100)),
          "lines": [
              {"hear": ["question *"], "say": "To {text}."},
              {"hear": ["hello robot"], "say": "Hello."},
              uses("dawdle", say="It is done.")]}
DAWDLE = ('usleep(50000); host->complete(call->token, VOXRING_OK, '
          '"{\\"done\\": true}");')


def settings(folder):
    return {
        "plugins": {"path": [folder]},
        "bedrock": {"retry_base_ms": 5, "retry_cap_ms": 50, "retry_budget": 64,
                    "retry_window_s": 0.5, "retry_slow_s": 0.3,
                    "healthy_after_s": 20 / SCALE},
        "sessions": {"robot": {
            "rotate_after_s": max(0.2, 360 / SCALE),
            "rotate_deadline_s": max(0.3, 450 / SCALE),
            "rotate_gap_s": 10 / SCALE, "rotate_tool_wait_s": 30 / SCALE,
            "deaf_after_s": 3}}}


# What goes wrong: (fault, its members); the phase is thrown for each.
TROUBLES = [
    ("fin", {}), ("cut", {}), ("tls_alert", {}), ("end_stream", {}),
    ("bad_crc", {}), ("garbage_json", {}), ("unknown_event", {}),
    ("split", {"bytes": 7}), ("repeat_tool_use", {}),
    ("rst", {"code": 7}), ("rst", {"code": 2}), ("rst", {"code": 11}),
    ("goaway", {"code": 0}), ("goaway", {"code": 0, "last_stream": "zero"}),
    ("exception", {"name": "modelTimeoutException", "message":
                   "Model has timed out in processing the request."}),
    ("exception", {"name": "internalServerException", "message": "Oops"}),
    ("exception", {"name": "throttlingException", "message": "Too many"}),
    ("exception", {"name": "validationException", "message":
                   "InternalErrorCode=531::RST_STREAM closed stream."}),
    ("exception_stay", {"name": "validationException", "message":
                        "Tool Response parsing error"}),
    ("refuse", {"status": 503}), ("refuse", {"status": 429}),
    ("refuse", {"status": 500}), ("deaf", {}),
    ("refuse_connections", {"ms": int(150 * SCALE)})]
PHASES = ["any", "setup", "listening", "thinking", "speaking", "tool"]


class Trouble(threading.Thread):
    """Lets something go wrong now and then."""

    def __init__(self, endpoint, seed):
        super().__init__(daemon=True)
        self.endpoint, self.dice = endpoint, random.Random(seed)
        self.ending = threading.Event()
        self.count = collections.Counter()

    def run(self):
        # As many in a day however long it takes, or no stream grows old.
        pace = max(1, SECONDS / 75)
        while not self.ending.wait(self.dice.uniform(0.2, 1.5) * pace):
            fault, members = self.dice.choice(TROUBLES)
            phase = "request" if fault == "refuse" \
                else self.dice.choice(PHASES)
            if self.dice.random() < 0.2:  # what has not struck never will
                self.endpoint.ask(clear=True)
            self.endpoint.break_(fault, phase=phase, **members)
            self.count[fault] += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()
        self.endpoint.ask(clear=True)


class Figures:
    """What a process holds."""

    def __init__(self, gateway):
        pid = gateway.process.pid
        with open(f"/proc/{pid}/status") as f:
            text = f.read()
        # The rings' pages are touched as audio fills them, once round.
        self.rss_kib = int(re.search(r"RssAnon:\s+(\d+)", text)[1])
        self.threads = int(re.search(r"Threads:\s+(\d+)", text)[1])
        self.files = len(os.listdir(f"/proc/{pid}/fd"))
        self.rings = len(gateway.rings())

    def __repr__(self):
        return (f"{self.rss_kib} KiB of its own, {self.files} descriptors, "
                f"{self.threads} threads, {self.rings} rings")


def least(seen):
    """Of several looks: what comes and goes apart."""
    result = seen[0]
    for name in ("rss_kib", "threads", "files", "rings"):
        setattr(result, name, min(getattr(f, name) for f in seen))
    return result


class Soak(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vr-soak-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        compile_plugin(self.folder, "dawdle", call=DAWDLE,
                       before="#include <unistd.h>\n")
        self.answered = collections.Counter()
        self.asked, self.told = 0, collections.Counter()
        print(f"SOAK_SEED={SEED} SOAK_SECONDS={SECONDS:.0f}", flush=True)

    def ask(self, g, dice):
        """One question: answered, or the caller is told that it is not."""
        self.asked += 1
        words = "use dawdle" if dice.random() < 0.25 \
            else f"question {self.asked}"
        try:
            answer = g.call("session.text", session="robot", text=words,
                            wait="response")
        except RpcError as error:
            self.told[error.message.split(";")[0][:60]] += 1
            return
        if answer["status"] != "complete":
            self.told[answer["status"]] += 1
        elif words != "use dawdle":
            self.assertIn(words, answer["text"])
        self.told["answered"] += answer["status"] == "complete"

    def speak(self, g, mic):
        """A spoken question. Its answer is waited for, or the next written one
        would take it for its own; trouble may keep it from coming."""
        g.bus.drain()
        g.bus.at = len(g.bus.seen)
        mic.speak(say("hello robot"))
        mic.idle.wait(10)
        with contextlib.suppress(AssertionError):
            g.bus.wait("response", limit_s=10, phase="ended",
                       status="complete")

    def keep(self, g):
        """Counts what the bus told, and forgets it: the test must not grow
        either."""
        g.bus.drain()
        for e in g.bus.seen:
            data = e["data"]
            if e["type"] == "voxring.response.v1" \
                    and data.get("status") == "complete":
                for number in re.findall(r"question (\d+)", data["text"]):
                    self.answered[number] += 1
            if e["type"] in ("voxring.response.v1", "voxring.tool.call.v1",
                             "voxring.tool.result.v1"):
                self.kept.append(e)
        g.bus.seen.clear()
        g.bus.at = 0

    def talk(self, g, mic, until, looks=None):
        dice = random.Random(SEED)
        while time.monotonic() < until:
            if SPEECH and dice.random() < 0.3:
                self.speak(g, mic)
            self.ask(g, dice)
            self.keep(g)
            # Answers take longer to hear than an hour does: nobody waits.
            time.sleep(dice.uniform(0, 0.3))
            with contextlib.suppress(RpcError):
                g.call("session.interrupt", session="robot")
            if looks is not None:
                looks.append(Figures(g))

    def test_a_day(self):
        self.kept = []
        with Endpoint(SCRIPT, time_scale=SCALE, log="text") as end, \
                remote(end, settings(self.folder)) as g, \
                Loudspeaker(g), Microphone(g) as mic:
            g.wait_streaming()
            begun = time.monotonic()
            with Trouble(end, SEED) as trouble:
                early, late = [], []
                self.talk(g, mic, begun + 0.2 * SECONDS)
                self.talk(g, mic, begun + 0.3 * SECONDS, early)
                self.talk(g, mic, begun + 0.9 * SECONDS)
                self.talk(g, mic, begun + SECONDS, late)
            g.wait_streaming()
            answer = g.call("session.text", session="robot",
                            text="hello robot", wait="response")
            self.assertEqual(answer["text"], "Hello.")
            stats = g.call("gateway.stats")["sessions"]["robot"]
            self.tell(stats, trouble, least(early), least(late))
            self.check_growth(least(early), least(late))
            self.check_counts(g, end, stats)
            self.assertEqual(g.stop(), 0)

    def tell(self, stats, trouble, early, late):
        c = stats["counters"]
        print(f"{c['rotations_total']} rotations, {c['reconnects_total']} "
              f"reconnects, {c['replays_total']} replays, {c['deaf_total']} "
              f"deaf, {c['refused_next_streams_total']} next streams refused, "
              f"{c['late_tool_results_total']} late results; "
              f"{sum(trouble.count.values())} faults set, "
              f"{c['errors_total']} errors told")
        print(f"{self.asked} questions: {dict(self.told)}")
        print(f"early: {early}; late: {late}", flush=True)

    def check_growth(self, early, late):
        self.assertLessEqual(late.files, early.files + 2)
        self.assertLessEqual(late.threads, early.threads + 1)
        self.assertEqual(late.rings, early.rings)
        if "asan" not in harness.BUILD and "tsan" not in harness.BUILD:
            self.assertLessEqual(late.rss_kib, early.rss_kib * 1.05 + 512)

    def check_counts(self, g, end, stats):
        self.assertGreaterEqual(stats["counters"]["rotations_total"], 160)
        self.assertGreater(self.told["answered"], self.asked / 2)
        g.call("session.close", session="robot")
        self.keep(g)
        twice = {n: c for n, c in self.answered.items() if c > 1}
        self.assertEqual(twice, {}, "answered once")
        check_account(stats)
        g.bus.seen.extend(self.kept)
        check_responses(g.bus)
        check_tools(g.bus)
        with open(end.log_path) as f:
            odd = [x for x in f if "violation" in x]
        self.assertEqual(odd[:3], [])


if __name__ == "__main__":
    unittest.main()
