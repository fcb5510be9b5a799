#!/usr/bin/python3
"""voxring-toolhost with one plugin, with this script as its gateway.

    a2a_host.py BUILD_DIR PLUGIN CONFIG_JSON

Takes lines {"id", "arguments", "conversation"} for a call and {"cancel": id}
on standard input; prints "ready", then a line of JSON for each progress and
each answer. Ends with its standard input.
"""
import json
import os
import subprocess
import sys
import tempfile

import zmq

STDIN_FD = 0
BOOT_FD = 3
CALL_MS = 60000
HELLO_MS = 20000


class Host:
    def __init__(self, build, plugin, config, folder):
        self.router = zmq.Context.instance().socket(zmq.ROUTER)
        self.router.bind(f"ipc://{folder}/tools.sock")
        read_end, self.boot = os.pipe()
        self.child = subprocess.Popen(
            [f"{build}/voxring-toolhost", f"{build}/plugins/{plugin}.so"],
            preexec_fn=lambda: os.dup2(read_end, BOOT_FD), pass_fds=[BOOT_FD],
            stdin=subprocess.DEVNULL, stdout=sys.stderr)
        os.close(read_end)
        os.write(self.boot, (json.dumps({
            "protocol": 1, "endpoint": f"ipc://{folder}/tools.sock",
            "token": "t", "name": plugin, "config": json.loads(config),
            "result_max_bytes": 262144, "memory_bytes": 0,
            "concurrent_calls": 8}) + "\n").encode())
        if not self.router.poll(HELLO_MS):
            sys.exit("the toolhost says nothing")
        self.peer, hello = self.router.recv_multipart()
        if "error" in json.loads(hello)["params"]:
            sys.exit(hello.decode())
        self.send({"id": "hello", "result": {
            "protocol": 1, "gateway": "interop", "name": plugin,
            "heartbeat_ms": 1000, "expires_ms": 3000}})
        self.tool = plugin

    def send(self, message):
        self.router.send_multipart(
            [self.peer, json.dumps({"jsonrpc": "2.0", **message}).encode()])

    def take(self, line):
        if "cancel" in line:
            return self.send({"method": "notifications/cancelled",
                              "params": {"requestId": line["cancel"]}})
        self.send({"id": line["id"], "method": "tools/call", "params": {
            "name": self.tool, "arguments": line["arguments"], "_meta": {
                "progressToken": line["id"],
                "voxring/conversation": line.get("conversation", ""),
                "voxring/timeout_ms": CALL_MS}}})

    def show(self, message):
        if message.get("method") == "notifications/progress":
            print(json.dumps(message["params"]), flush=True)
        elif "result" in message and "id" in message:
            result = message["result"]
            print(json.dumps({
                "id": message["id"], "error": result.get("isError", False),
                "answer": json.loads(result["content"][0]["text"])}),
                flush=True)

    def run(self):
        poller = zmq.Poller()
        poller.register(STDIN_FD, zmq.POLLIN)
        poller.register(self.router, zmq.POLLIN)
        rest = b""
        while True:
            ready = dict(poller.poll())
            if self.router in ready:
                _, text = self.router.recv_multipart()
                self.show(json.loads(text))
            if STDIN_FD in ready:
                some = os.read(STDIN_FD, 65536)
                if not some:
                    return
                *lines, rest = (rest + some).split(b"\n")
                for line in lines:
                    self.take(json.loads(line))

    def stop(self):
        os.close(self.boot)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()


def main():
    with tempfile.TemporaryDirectory() as folder:
        host = Host(*sys.argv[1:4], folder)
        print("ready", flush=True)
        try:
            host.run()
        finally:
            host.stop()


if __name__ == "__main__":
    main()
