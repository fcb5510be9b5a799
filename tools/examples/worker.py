#!/usr/bin/python3
"""A tool in a process of your own, whatever its language: the whole protocol
with only ZeroMQ and JSON. Its argument is the gateway's runtime folder."""
import json
import sys
import zmq

NUMBERS = {"a": {"type": "number"}, "b": {"type": "number"}}
TOOLS = [{"name": "add", "description": "Adds two numbers. Use it for sums.",
          "inputSchema": {"type": "object", "properties": NUMBERS,
                          "required": ["a", "b"]}}]


def result_of(method, params):
    if method == "tools/call":
        text = json.dumps({"sum": sum(params["arguments"].values())})
        return {"content": [{"type": "text", "text": text}]}
    return {"tools": TOOLS} if method == "tools/list" else {}


def say(**message):
    if socket.poll(0, zmq.POLLOUT):
        socket.send_json({"jsonrpc": "2.0", **message})


socket = zmq.Context().socket(zmq.DEALER)
socket.setsockopt(zmq.IMMEDIATE, 1)  # keep nothing for a gateway that is gone
socket.connect(f"ipc://{sys.argv[1]}/tools.sock")
hello, silent_s = {"protocol": 1, "name": "example-py"}, 3
while True:
    if not socket.poll(1000):  # each second a sign of life, or hello again
        silent_s += 1
        say(id="hello", method="voxring/hello", params=hello) \
            if silent_s > 3 else say(id="ping", method="ping")
        continue
    message = socket.recv_json()
    silent_s = 3 if message.get("error", {}).get("code") == -32003 else 0
    if "method" in message and "id" in message:
        say(id=message["id"], result=result_of(message["method"],
                                               message.get("params")))
    elif message.get("id") == "hello" and "error" in message:
        sys.exit(message["error"]["message"])
