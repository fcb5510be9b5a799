#!/usr/bin/python3
"""The fault matrix: every row of the recovery table in every phase of a
conversation ends in the state that the table says, and nothing is lost count
of."""
import contextlib
import os
import queue
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rows  # noqa: E402
from faults import (KEYS, Asking, Endpoint, Way, check_account,  # noqa: E402
                    check_responses, check_tools, profile, remote, wait_until)
from harness import RpcError  # noqa: E402
from speech import Microphone  # noqa: E402
from test_tools import compile_plugin, uses  # noqa: E402

PHASES = ("setup", "listening", "speaking", "tool", "rotating", "rescue")
WORKERS = 8
LIMIT_S = 15
CHOSEN = os.environ.get("MATRIX", "")  # a pattern, to run only some

SCRIPT = {"first_audio_ms": 10, "audio_speed_percent": 1500, "lines": [
    {"hear": ["hello robot"], "say": "Hello."},
    {"hear": ["tell me a story"], "say": "And so it went on and on."},
    uses("dawdle", say="It is done.")]}
CONFIG = {"bedrock": {"retry_base_ms": 1, "retry_cap_ms": 20,
                      "retry_budget": 64, "retry_window_s": 0.2,
                      "retry_slow_s": 0.2, "connect_timeout_ms": 400},
          "sessions": {"robot": {"rotate_gap_s": 0}}}
# The tool takes longer than a stream needs to be lost and found.
DAWDLE = ('usleep(80000); host->complete(call->token, VOXRING_OK, '
          '"{\\"done\\": true}");')


class Worker:
    """A gateway and its endpoint, on which one cell after the other is
    struck."""

    def __init__(self, stack, folder, proxied=None):
        """`proxied` is for a Way between the two, through a proxy or not."""
        self.end = stack.enter_context(Endpoint(SCRIPT, log="text"))
        self.way, env = None, {"AWS_SHARED_CREDENTIALS_FILE": os.path.join(
            folder, "credentials")}
        if proxied is not None:
            self.way = Way(stack, self.end, proxied)
            env.update(self.way.environment())
        self.g = stack.enter_context(
            remote(self.way or self.end,
                   dict(CONFIG, plugins={"path": [folder]}), env=env))
        self.g.wait_streaming()
        self.mic = stack.enter_context(Microphone(self.g))
        self.rescued = 0

    # ---- what is looked at ----

    def session(self):
        return self.g.call("session.get", session="robot")

    def state(self, *states):
        wait_until(lambda: self.session()["state"] in states,
                   f"{states}, is {self.session()['state']}", LIMIT_S)

    def current(self):
        """The endpoint's number of the stream that has been open longest."""
        return next(s["stream"] for s in self.end.ask(stats=True)["streams"]
                    if s["open"])

    def ask(self, text):
        return self.g.call("session.text", session="robot", text=text,
                           wait="response")

    def skip(self):
        """What was told before is not waited for."""
        self.g.bus.drain()
        self.g.bus.at = len(self.g.bus.seen)

    # ---- the phases ----

    def spoil_request(self, row):
        if row.code in rows.WAYS:
            self.way.spoil(row.code)
        else:
            fault, members = rows.strikes(row)[1]
            self.end.break_(fault, phase="request", **members)

    def relent(self):
        """What still waits to strike does not any more."""
        self.end.ask(clear=True)
        if self.way:
            self.way.mend()

    def strike(self, row, phase, **where):
        """Breaks the stream in that phase by what the row is about; what only
        a request can meet is met by the next one."""
        on_stream = rows.strikes(row)[0]
        if on_stream:
            self.end.break_(on_stream[0], phase=phase, **where, **on_stream[1])
        else:
            self.spoil_request(row)
            self.end.break_("fin", phase=phase, **where)

    def setup(self, row):
        on_stream, on_request = rows.strikes(row)
        self.g.call("session.sleep", session="robot")
        self.state("asleep")
        if on_stream and not on_request:
            self.end.break_(on_stream[0], phase="setup", **on_stream[1])
        else:
            self.spoil_request(row)
        self.skip()
        with contextlib.suppress(RpcError):
            self.g.call("session.open", session="robot")

    def listening(self, row):
        self.strike(row, "listening")

    def speaking(self, row):
        self.strike(row, "speaking")
        self.asking = Asking(self.g, "session.text", session="robot",
                             text="tell me a story", wait="response")

    def tool(self, row):
        self.strike(row, "tool")
        self.asking = Asking(self.g, "session.text", session="robot",
                             text="use dawdle", wait="response")

    def rotate(self):
        """A next stream is wanted, and what plays keeps it waiting."""
        self.ask("tell me a story")
        self.g.call("session.rotate", session="robot")

    def next_is_ready(self):
        wait_until(lambda: self.session()["stream"]["next"] == "ready",
                   "the next is ready", LIMIT_S)

    def rescue(self, row):
        """The next stream is ready when the current one is lost."""
        self.rotate()
        self.next_is_ready()
        self.skip()
        self.strike(row, "any", stream=self.current())

    # ---- what comes of it ----

    def check_error(self, row, gives_up):
        error = self.g.bus.wait("error", self.patience_s,
                                recoverable=not gives_up)["data"]
        if row.table == "error":
            assert error["code"].lower() == row.spoken()[0].lower(), error
            assert rows.WORDS in error["message"], error
        elif error["code"] == "fin" and row.code == "network":
            return  # our own write met the reset first
        else:
            cause = "rst_stream" if row.table == "h2" else row.code
            assert error["code"] == cause, error
        assert re.search(rows.sentence(row.remedy), error["remedy"]), error
        stays = row.action == "stay"
        assert ("retry_in_ms" in error) == (not gives_up and not stays), error

    def ends(self, row, phase):
        gives_up = row.action == "give_up"
        if phase != "setup" and not rows.strikes(row)[0]:
            self.g.bus.wait("error", LIMIT_S, code="fin")
        self.check_error(row, gives_up)
        if gives_up:
            self.g.bus.wait("session.state", 2, state="failed")
        self.relent()
        if gives_up:
            self.g.call("session.open", session="robot")
        self.state("streaming")

    def rotating(self, row):
        """The next stream is struck: the current one goes on, and a further
        next one takes over."""
        on_stream = rows.strikes(row)[0]
        before = self.session()["stream"]["generation"]
        if on_stream:
            self.end.break_(on_stream[0], phase="setup", **on_stream[1])
        else:
            self.spoil_request(row)
        self.rotate()
        dropped = self.g.bus.wait("stream", self.patience_s,
                                  phase="dropped")["data"]
        assert dropped["stream"] == before + 1, dropped
        self.relent()
        if row.code not in rows.SLOW:  # what plays is over by then
            self.next_is_ready()
            assert self.session()["stream"]["generation"] == before
            self.g.call("session.interrupt", session="robot")
        taken = self.g.bus.wait("stream", LIMIT_S, phase="current")["data"]
        while row.code in rows.SLOW and taken["stream"] == before + 1:
            # It had taken over before it was found to be of no use.
            taken = self.g.bus.wait("stream", LIMIT_S, phase="current")["data"]
        assert taken["stream"] > before + 1, taken
        if row.code in rows.SLOW:
            self.state("streaming")
            return
        states = [e["data"]["state"] for e in self.told("session.state")]
        assert set(states) <= {"streaming"}, states

    def told(self, kind):
        """The events of that type since the cell began."""
        self.g.bus.drain()
        return [e for e in self.g.bus.seen[self.begun:]
                if e["type"] == f"voxring.{kind}.v1"]

    def check_answers(self, row, phase):
        """What was asked before the loss: answered once if nothing of its
        answer was heard."""
        if self.asking and row.action != "stay":  # else the next words end it
            answer = self.asking.end()
            if phase == "tool" and row.action != "give_up":
                assert answer["text"] == "It is done.", answer
        answer = self.ask("hello robot")
        assert (answer["status"], answer["text"]) == ("complete", "Hello."), \
            answer
        check_account(self.stats())

    def cell(self, row, phase):
        self.asking = None
        self.patience_s = 30 if row.code in rows.SLOW else LIMIT_S
        self.skip()
        self.begun = self.g.bus.at
        getattr(self, phase)(row)
        if phase != "rotating":
            self.ends(row, phase)
        if phase == "rescue":
            self.rescued += "waiting" not in [
                e["data"]["state"] for e in self.told("session.state")]
        self.relent()
        self.check_answers(row, phase)
        if row.action == "stay":  # the endpoint waits for that tool for ever
            self.g.call("session.sleep", session="robot")
            self.g.call("session.open", session="robot")
            self.ask("hello robot")

    # ---- at the end ----

    def stats(self):
        return self.g.call("gateway.stats")["sessions"]["robot"]

    def finish(self):
        wait_until(lambda: self.stats()["input_frames"]["pending"] < 1500,
                   "what waited has been sent", 60)
        self.g.call("session.close", session="robot")
        check_responses(self.g.bus)
        check_tools(self.g.bus)
        wait_until(lambda: all("ended" in s
                               for s in self.end.recorded().values()),
                   "every stream has ended", LIMIT_S)
        with open(self.end.log_path) as f:
            odd = [x for x in f if "violation" in x]
        assert not odd, odd[:5]

    def given(self):
        """Samples that were handed to TLS. Gated frames may have been silence
        in their place."""
        stats = self.stats()
        check_account(stats)
        i = stats["input_frames"]
        return i["sent"] + i["gated"] + i["resent"] + i["inserted_samples"]

    def check_received(self):
        received = sum(len(s.get("audio", b"")) // 2
                       for s in self.end.recorded().values())
        wait_until(lambda: self.given() >= received,
                   f"{received} samples were received and never sent", 2)


class Matrix(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vr-matrix-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        profile(os.path.join(self.folder, "credentials"), KEYS)
        compile_plugin(self.folder, "dawdle", call=DAWDLE,
                       before="#include <unistd.h>\n")

    def one_worker(self, waiting, make, found):
        with contextlib.ExitStack() as stack:
            cell, w = "begin", None
            try:
                w = make(stack)
                while True:
                    cell = waiting.get_nowait()
                    begun = time.monotonic()
                    w.cell(*cell)
                    found.done.append((time.monotonic() - begun, cell))
            except queue.Empty:
                cell = "end"
                with found.keeping(cell, w):
                    w.check_received()
                    w.finish()
                    assert w.g.stop() == 0
                    found.rescued += w.rescued
            except Exception as error:
                found.wrong(cell, error, w)

    def run_cells(self, cells, make, workers=WORKERS):
        """Each cell on some worker; what fails is told at the end."""
        waiting, found = queue.Queue(), Found()
        for cell in cells:
            waiting.put(cell)
        begun = time.monotonic()
        threads = [threading.Thread(target=self.one_worker,
                                    args=(waiting, make, found))
                   for _ in range(min(workers, len(cells)))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(found.faults, [])
        self.assertEqual(len(found.done), len(cells))
        slowest = max(found.done, key=lambda d: d[0])
        print(f"{len(cells)} cells in {time.monotonic() - begun:.0f} s, "
              f"{found.rescued} taken over by a stream that was ready; the "
              f"slowest took {slowest[0]:.1f} s: {slowest[1]}")

    def cells(self, codes=None):
        """What can strike in which phase."""
        for row in rows.table():
            of_these = row.code in codes if codes else \
                row.code not in rows.SLOW + rows.WAYS + rows.ELSEWHERE
            for phase in PHASES if of_these else ():
                if self.makes_sense(row, phase) \
                        and re.search(CHOSEN, f"{row} {phase}"):
                    yield row, phase

    @staticmethod
    def makes_sense(row, phase):
        if phase == "rescue":  # no request follows
            return rows.strikes(row)[0] and row.code not in rows.SLOW
        if phase == "rotating":
            # A stream that has no audio yet is not stalled by a slow reader,
            # and what it outlives does not harm it.
            return row.action != "stay" and row.code != "stalled"
        return True

    def test_each_row_is_reached(self):
        for row in rows.table():
            if row.table == "error":
                self.assertIs(rows.first_match(*row.spoken()), row, row)
            elif row.table == "cause":
                self.assertTrue(row.code in rows.CAUSES
                                or row.code in rows.ELSEWHERE, row)

    def test_each_row_in_each_phase(self):
        self.run_cells(list(self.cells()),
                       lambda stack: Worker(stack, self.folder))

    def test_what_lies_between_in_each_phase(self):
        self.run_cells(
            list(self.cells([w for w in rows.WAYS if w != "proxy"])),
            lambda stack: Worker(stack, self.folder, proxied=False), 4)
        self.run_cells(list(self.cells(["proxy"])),
                       lambda stack: Worker(stack, self.folder, proxied=True),
                       1)

    def test_what_is_waited_for_in_each_phase(self):
        cells = list(self.cells(rows.SLOW))
        self.run_cells(cells, lambda stack: Worker(stack, self.folder),
                       len(cells))


class Found:
    """What the workers found."""

    def __init__(self):
        self.done, self.faults, self.rescued = [], [], 0

    def wrong(self, cell, error, worker):
        self.faults.append(cell)
        print((worker.g.log_text()[-2500:] if worker else "")
              + f"\n{cell}: {type(error).__name__}: {error}"[:1500],
              file=sys.stderr)

    @contextlib.contextmanager
    def keeping(self, cell, worker):
        try:
            yield
        except Exception as error:
            self.wrong(cell, error, worker)


if __name__ == "__main__":
    unittest.main()
