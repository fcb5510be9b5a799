#!/usr/bin/python3
"""Workers for the scenarios: processes of their own that offer tools by
voxring.Worker and do what a test says, line by line, and nothing else. A test
starts one as a Peer; this program is the other end."""
import json
import os
import queue
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (check_account, check_responses, check_tools,  # noqa: E402
                    remote, wait_until)
import harness  # noqa: E402
from recorded import ASKED, Recorder  # noqa: E402


class Peer:
    """A worker process. A tool whose entry has an `answer` gives it at once;
    a call of another runs until finish()."""

    def __init__(self, gateway, name, *tools, **more):
        order = {"name": name, "tools": tools, "runtime_dir": gateway.runtime,
                 **more}
        self.child = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), json.dumps(order)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = self.child.pid
        self.lines = queue.Queue()
        self.kept = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            self.lines.put(json.loads(line))

    def told(self, what, limit_s=harness.LIMIT_S):
        """The next message with that member; others wait for who asks."""
        deadline = time.monotonic() + limit_s
        while True:
            for message in self.kept:
                if what in message:
                    self.kept.remove(message)
                    return message
            try:
                self.kept.append(self.lines.get(
                    timeout=max(0, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"the worker does not say {what!r}; it "
                                     f"said {self.kept}") from None

    def count(self, what):
        """How many messages with that member wait."""
        while not self.lines.empty():
            self.kept.append(self.lines.get())
        return sum(what in message for message in self.kept)

    def do(self, what, **how):
        self.child.stdin.write(json.dumps({"do": what, **how}) + "\n")

    def called(self):
        """The next call that came: its tool, arguments and what it carries."""
        return self.told("called")

    def finish(self, call, result=None, error=None):
        """Ends a call that called() returned."""
        self.do("finish", call=call["id"], result=result, error=error)

    def ask(self, call, method, *arguments, **named):
        """What a method of its Call answers; {"refused", "why"} if it may
        not."""
        self.do("ask", call=call["id"], method=method, arguments=arguments,
                named=named)
        answer = self.told("asked")["asked"]
        return answer

    def close(self):
        """The end of its input is its end, in order."""
        self.child.stdin.close()
        self.child.wait(harness.LIMIT_S)
        self.reader.join()
        self.child.stdout.close()

    def kill(self):
        """It had no time to say so."""
        self.child.kill()
        self.close()


def tool(name, answer=None, **how):
    """What a Peer offers; any arguments will do."""
    entry = {"name": name, "description": f"Does {name}.",
             "schema": {"type": "object"}, **how}
    return entry if answer is None else dict(entry, answer=answer)


def uses(name, say="It is done.", arguments=None, **more):
    """A line of a script by which the model uses a tool."""
    return dict({"hear": [f"use {name}"], "on": "text", "say": say,
                 "say_error": "It failed.",
                 "tool": {"name": name, "arguments": arguments or {}}}, **more)


class Working(unittest.TestCase):
    """A conversation that workers join."""

    def start(self, *lines, session=None, config=None, script=None,
              wait=True):
        """(endpoint, gateway), both closed at the end of the scenario; what is
        said last of all is answered with Hello."""
        end = Recorder({"first_audio_ms": 10, "endpoint_ms": 300,
                        "lines": list(lines) + [
                            {"hear": ["hello robot"], "say": "Hello."}],
                        **(script or {})})
        self.addCleanup(end.close)
        g = remote(end, {"sessions": {"robot": {**ASKED, **(session or {})}},
                         **(config or {})})
        self.addCleanup(g.close)
        if wait:
            g.wait_streaming()
        return end, g

    def peer(self, g, name, *tools, **more):
        """A Peer, ended after the scenario; its tools are offered."""
        peer = Peer(g, name, *tools, **more)

        def end():
            if peer.child.poll() is None:
                peer.kill()
        self.addCleanup(end)
        return peer

    def gained(self, end, g, *names):
        """The running conversation has these tools, by a change of streams."""
        wait_until(lambda: set(names) <= self.told(end, g),
                   f"the model has {names}")

    def lost(self, end, g, *names):
        wait_until(lambda: self.told(end, g).isdisjoint({*names, "*"}),
                   f"the model has none of {names}")

    def told(self, end, g):
        """The tools that the current stream was told of, "*" while streams
        change."""
        def stream():
            now = g.call("session.get", session="robot")["stream"]
            return now["generation"], now["next"], now["open"]
        before = stream()
        prompt = end.records(kind="received", type="promptStart")[-1]["body"]
        if before != stream() or before[1:] != ("none", True):
            return {"*"}
        offered = prompt["event"]["promptStart"].get("toolConfiguration", {})
        return {t["toolSpec"]["name"] for t in offered.get("tools", [])}

    def ask(self, g, text="hello robot"):
        return g.call("session.text", session="robot", text=text,
                      wait="response")["text"]

    def results(self, end):
        """(toolUseId, content) of each result that the endpoint got."""
        ids = [r["body"]["event"]["contentStart"]
               for r in end.records(kind="received", type="contentStart")]
        ids = [c["toolResultInputConfiguration"]["toolUseId"] for c in ids
               if "toolResultInputConfiguration" in c]
        texts = [r["body"]["event"]["toolResult"]["content"]
                 for r in end.records(kind="received", type="toolResult")]
        return list(zip(ids, map(json.loads, texts), strict=True))

    def finish(self, end, g):
        """It ends in order: one result for each use, nothing lost."""
        self.assertEqual(end.records(kind="violation"), [])
        check_account(g.call("gateway.stats")["sessions"]["robot"])
        self.assertEqual(g.stop(), 0)
        check_responses(g.bus)
        check_tools(g.bus)
        used = [r["body"]["event"]["toolUse"]["toolUseId"]
                for r in end.records(kind="sent", type="toolUse")]
        self.assertEqual(sorted(i for i, _ in self.results(end)),
                         sorted(used))


# ---- the process ----

class Worker:
    def __init__(self, order):
        os.environ.setdefault("VOXRING_LIBRARY", os.path.join(
            harness.ROOT, "build", "libvoxring.so"))
        sys.path.insert(0, os.path.join(harness.ROOT, "ipc"))
        import voxring
        self.module = voxring
        self.calls = {}
        self.worker = voxring.Worker(
            order["name"], runtime_dir=order["runtime_dir"], threads=1,
            token_file=order.get("token_file"),
            instance=order.get("instance"),
            catch_all=self.wait if order.get("catch_all") else None,
            log=lambda line: self.tell(log=line))
        for entry in order["tools"]:
            self.do_offer(**entry)

    def tell(self, **message):
        print(json.dumps(message), flush=True)

    def wait(self, call, **arguments):
        self.calls[call.id] = call
        self.tell(called=call.tool, id=call.id, arguments=arguments,
                  session=call.session, conversation=call.conversation,
                  turn=call.turn, limited=call.deadline is not None)
        return self.module.Worker.LATER

    def do_offer(self, answer=None, **how):
        def at_once(call, **arguments):
            self.wait(call, **arguments)
            return answer
        self.worker.offer(self.wait if answer is None else at_once, **how)

    def do_withdraw(self, name):
        self.worker.withdraw(name)

    def do_publish(self, name, data):
        self.worker.publish(name, data)

    def do_finish(self, call, result, error):
        self.calls[call].complete(result, error)

    def do_progress(self, call, done, total=None, message=None):
        self.calls[call].progress(done, total, message)

    def do_await_cancel(self, call):
        while not self.calls[call].is_cancelled:
            time.sleep(0.005)
        self.tell(cancelled=call)

    def do_ask(self, call, method, arguments, named):
        try:
            answer = getattr(self.calls[call], method)(*arguments, **named)
        except self.module.Refused as refused:
            answer = {"refused": refused.code, "why": str(refused)}
        self.tell(asked=answer)

    def obey(self):
        for line in sys.stdin:
            order = json.loads(line)
            getattr(self, "do_" + order.pop("do"))(**order)
        self.worker.stop()

    def run(self):
        threading.Thread(target=self.obey, daemon=True).start()
        try:
            self.worker.run()
        except self.module.Refused as refused:
            self.tell(refused=refused.code, why=str(refused))
        self.worker.close()


if __name__ == "__main__":
    Worker(json.loads(sys.argv[1])).run()
