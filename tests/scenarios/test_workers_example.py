#!/usr/bin/python3
"""Workers in processes of their own, as the examples show them: one with
nothing but ZeroMQ, one in C over libvoxring, and voxring.py's Worker; against
a gateway that this test plays, and against voxringd."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

sys.path.insert(0, os.path.join(harness.ROOT, "ipc"))
os.environ.setdefault("VOXRING_LIBRARY", os.path.join(
    harness.ROOT, "build", "libvoxring.so"))
import voxring  # noqa: E402

EXAMPLES = os.path.join(harness.ROOT, "tools", "examples")
LIBRARY = os.path.dirname(os.environ["VOXRING_LIBRARY"])


class Fake:
    """The worker socket of a gateway, in the hands of a test."""

    def __init__(self, folder):
        self.folder = folder
        self.context = zmq.Context()
        self.open()

    def open(self):
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(f"ipc://{self.folder}/tools.sock")

    def close(self):
        self.socket.close()
        self.context.term()

    def restart(self):
        self.socket.close()
        self.open()

    def send(self, **message):
        self.socket.send_multipart([self.peer, json.dumps(
            {"jsonrpc": "2.0", **message}).encode()])

    def next(self):
        """The next message that is no heartbeat; those are answered."""
        deadline = time.monotonic() + harness.LIMIT_S
        while self.socket.poll(max(0, int(1000 * (deadline
                                                  - time.monotonic())))):
            self.peer, data = self.socket.recv_multipart()
            message = json.loads(data)
            if message.get("method") != "ping":
                return message
            self.send(id=message["id"], result={})
        raise AssertionError("the worker says nothing")

    def expect(self, method):
        message = self.next()
        if message.get("method") != method:
            raise AssertionError(f"{message} instead of {method}")
        return message

    def welcome(self, **more):
        hello = self.expect("voxring/hello")
        self.send(id=hello["id"], result={"protocol": 1, "gateway": "fake",
                                          "heartbeat_ms": 1000,
                                          "expires_ms": 3000, **more})
        return hello["params"]

    def ask(self, call_id, method, **params):
        self.send(id=call_id, method=method, params=params)
        message = self.next()
        if message.get("id") != call_id:
            raise AssertionError(f"{message} instead of an answer to {call_id}")
        return message

    def call(self, name, tool, **arguments):
        answer = self.ask(name, "tools/call", name=tool, arguments=arguments,
                          _meta={"progressToken": name,
                                 "voxring/session": "robot"})
        result = answer["result"]
        return json.loads(result["content"][0]["text"]), \
            result.get("isError", False)


def compile_example(folder):
    program = os.path.join(folder, "worker")
    flags = []
    if os.path.basename(harness.BUILD) == "asan":
        flags = ["-fsanitize=address,undefined"]
    subprocess.run([os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror",
                    *flags, f"-I{harness.ROOT}/ipc", "-o", program,
                    os.path.join(EXAMPLES, "worker.c"), f"-L{LIBRARY}",
                    f"-Wl,-rpath,{LIBRARY}", "-lvoxring", "-lcjson",
                    "-lpthread"], check=True)
    return program


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vr-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def start(self, *command):
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.kill)
        return child

    def start_worker(self, worker):
        """run() on a thread, closed at the end."""
        self.failed = []

        def run():
            try:
                worker.run()
            except voxring.Refused as refused:
                self.failed.append(refused)
            worker.close()
        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(worker.stop)
        return thread


class AgainstFake(Base):
    def setUp(self):
        super().setUp()
        self.fake = Fake(self.folder)
        self.addCleanup(self.fake.close)

    def check_example(self, name):
        hello = self.fake.welcome()
        self.assertEqual((hello["name"], hello["protocol"]), (name, 1))
        listed = self.fake.ask("l", "tools/list")["result"]["tools"]
        self.assertIn("add", [tool["name"] for tool in listed])
        self.assertEqual(self.fake.call("1", "add", a=2, b=0.5),
                         ({"sum": 2.5}, False))
        self.fake.send(id=None, error={"code": -32003, "message": "who?"})
        self.fake.welcome()
        self.assertEqual(self.fake.call("1", "add", a=1, b=1),
                         ({"sum": 2}, False))
        self.fake.restart()
        self.fake.peer = None
        self.assertEqual(self.fake_again()["name"], name)
        self.assertEqual(self.fake.call("2", "add", a=1, b=2),
                         ({"sum": 3}, False))

    def fake_again(self):
        """A gateway that does not know who pings."""
        while True:
            self.fake.peer, data = self.fake.socket.recv_multipart()
            message = json.loads(data)
            if message["method"] == "voxring/hello":
                self.fake.send(id=message["id"], result={"protocol": 1})
                return message["params"]
            self.fake.send(id=message.get("id"),
                           error={"code": -32003, "message": "who?"})

    def test_python_example(self):
        child = self.start(os.path.join(EXAMPLES, "worker.py"), self.folder)
        self.check_example("example-py")
        self.assertIsNone(child.poll())

    def test_python_example_refused(self):
        child = self.start(os.path.join(EXAMPLES, "worker.py"), self.folder)
        hello = self.fake.expect("voxring/hello")
        self.fake.send(id=hello["id"], error={"code": -32001,
                                              "message": "not listed"})
        self.assertEqual(child.wait(harness.LIMIT_S), 1)
        self.assertIn(b"not listed", child.stderr.read())

    def test_c_example(self):
        child = self.start(compile_example(self.folder), self.folder)
        self.check_example("example-c")
        child.terminate()
        self.fake.expect("voxring/bye")
        self.assertEqual(child.wait(harness.LIMIT_S), 0)

    def python_worker(self, threads, **more):
        worker = voxring.Worker("py", runtime_dir=self.folder, threads=threads,
                                **more)

        @worker.tool(properties={"n": {"type": "integer"}}, required=["n"])
        def double(call, n):
            """Doubles a number."""
            call.progress(1, 2, "half")
            return {"n": 2 * n, "session": call.session}

        @worker.tool(description="Fails.")
        def fails(call):
            raise ValueError("no luck")

        @worker.tool(description="Acts.", mode="async", serial=True)
        def acts(call):
            call.publish("ding", {"n": 1})
            try:
                call.text("hi")
            except voxring.Refused as refused:
                return {"code": refused.code,
                        "history": call.history()["revision"]}

        @worker.tool(description="Waits.", mode="async")
        def waits(call):
            self.kept = call
            return voxring.Worker.LATER
        return worker

    def exercise(self, worker):
        self.fake.welcome()
        listed = self.fake.ask("l", "tools/list")["result"]["tools"]
        self.assertEqual([t["name"] for t in listed],
                         ["double", "fails", "acts", "waits"])
        self.assertEqual(listed[2]["_meta"]["voxring/threading"], "serial")
        self.assertEqual(listed[2]["_meta"]["voxring/timeout_ms"], 0)
        self.fake.send(id="1", method="tools/call", params={
            "name": "double", "arguments": {"n": 4},
            "_meta": {"progressToken": "1", "voxring/session": "robot"}})
        progress = self.fake.expect("notifications/progress")["params"]
        self.assertEqual(progress["progressToken"], "1")
        text = self.fake.next()["result"]["content"][0]["text"]
        self.assertEqual(json.loads(text), {"n": 8, "session": "robot"})
        self.assertEqual(self.fake.call("2", "fails"),
                         ({"error": "ValueError: no luck"}, True))
        self.assertTrue(self.fake.call("3", "double", m=1)[1])
        self.act()
        self.cancel()
        worker.withdraw("waits")
        self.fake.expect("notifications/tools/list_changed")

    def act(self):
        self.fake.send(id="4", method="tools/call", params={
            "name": "acts", "arguments": {}, "_meta": {"progressToken": "4"}})
        asked = self.fake.expect("voxring/publish")
        self.assertEqual(asked["params"], {"call": "4", "name": "ding",
                                           "data": {"n": 1}})
        self.fake.send(id=asked["id"], result={})
        asked = self.fake.expect("voxring/text")
        self.fake.send(id=asked["id"], error={"code": -32005, "message": "no"})
        asked = self.fake.expect("voxring/history")
        self.fake.send(id=asked["id"], result={"messages": [], "revision": 3})
        text = self.fake.next()["result"]["content"][0]["text"]
        self.assertEqual(json.loads(text), {"code": -32005, "history": 3})

    def cancel(self):
        self.kept = None
        self.fake.send(id="5", method="tools/call", params={"name": "waits"})
        self.fake.ask("p", "tools/list")
        harness_wait(lambda: self.kept)
        self.fake.send(method="notifications/cancelled",
                       params={"requestId": "5"})
        harness_wait(lambda: self.kept.is_cancelled)
        self.assertTrue(self.kept.complete({"late": True}))
        self.assertFalse(self.kept.complete({"twice": True}))
        self.assertEqual(self.fake.next()["id"], "5")

    def test_worker_with_threads(self):
        worker = self.python_worker(2)
        self.start_worker(worker)
        self.exercise(worker)

    def test_worker_without_threads(self):
        worker = self.python_worker(0)
        thread = self.start_worker(worker)
        self.exercise(worker)
        worker.stop()
        self.fake.expect("voxring/bye")
        thread.join()

    def test_worker_refused(self):
        token = os.path.join(self.folder, "token")
        with open(token, "w") as f:
            f.write("secret\n")
        worker = self.python_worker(1, token_file=token, instance="left")
        thread = self.start_worker(worker)
        hello = self.fake.expect("voxring/hello")
        self.assertEqual(hello["params"]["token"], "secret")
        self.assertEqual(hello["params"]["instance"], "left")
        self.fake.send(id=hello["id"],
                       error={"code": -32001, "message": "wrong token"})
        thread.join(harness.LIMIT_S)
        self.assertEqual([r.code for r in self.failed], [-32001])


def harness_wait(condition):
    deadline = time.monotonic() + harness.LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come to it")
        time.sleep(0.005)


class AgainstGateway(Base):
    """voxringd itself, with the tool called as a person would."""

    def test_all_three(self):
        with harness.Gateway(local=False, config={"sessions": {}}) as gateway:
            self.start(os.path.join(EXAMPLES, "worker.py"), gateway.runtime)
            self.check(gateway, "add", {"a": 2, "b": 3}, {"sum": 5})
            worker = voxring.Worker("py", runtime_dir=gateway.runtime)
            worker.offer(lambda call, n: {"n": n + 1}, "Adds one.",
                         {"n": {"type": "integer"}}, ["n"], name="next")
            self.start_worker(worker)
            self.check(gateway, "next", {"n": 1}, {"n": 2})
            # a worker's tool needs a name of its own, so it is the C one's turn
            program = compile_example(self.folder)
            child = self.start(program, gateway.runtime)
            self.check(gateway, "count_down", {"from": 0}, {"zero": True})
            child.terminate()
            self.assertEqual(child.wait(harness.LIMIT_S), 0)
            self.assertNotIn("count_down", self.names(gateway))

    def names(self, gateway):
        return [t["name"] for t in gateway.call("tool.list")["tools"]]

    def check(self, gateway, tool, arguments, result):
        harness_wait(lambda: tool in self.names(gateway))
        answer = gateway.call("tool.call", tool=tool, arguments=arguments)
        self.assertEqual((answer["outcome"], answer["content"]),
                         ("result", result), answer)


if __name__ == "__main__":
    unittest.main()
