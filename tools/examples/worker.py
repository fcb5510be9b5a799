#!/usr/bin/python3
"""A tool in a process of your own: the whole protocol, with nothing but a
ZeroMQ socket and JSON, for authors of any language. Start it with the
gateway's runtime folder; ipc/voxring.py's Worker does the same, and more."""
import json
import sys
import zmq

TOOLS = [{"name": "add", "description": "Adds two numbers. Use it for sums.",
          "inputSchema": {"type": "object", "required": ["a", "b"],
                          "properties": {"a": {"type": "number"},
                                         "b": {"type": "number"}}}}]
HELLO = {"jsonrpc": "2.0", "id": "hello", "method": "voxring/hello",
         "params": {"protocol": 1, "name": "example-py"}}
PING = {"jsonrpc": "2.0", "id": "ping", "method": "ping"}


def result_of(request):
    if request["method"] == "tools/list":
        return {"tools": TOOLS}
    if request["method"] == "tools/call":
        given = request["params"]["arguments"]
        text = json.dumps({"sum": given["a"] + given["b"]})
        return {"content": [{"type": "text", "text": text}]}
    return {}  # ping


socket = zmq.Context().socket(zmq.DEALER)
socket.setsockopt(zmq.IMMEDIATE, 1)  # keep nothing for a gateway that is gone
socket.connect(f"ipc://{sys.argv[1]}/tools.sock")
known, silent_s = False, 0
while True:
    if not socket.poll(1000):  # the heartbeat; hello until somebody answers
        silent_s += 1
        known = known and silent_s < 3
        if socket.poll(0, zmq.POLLOUT):
            socket.send_json(PING if known else HELLO)
        continue
    message, silent_s = socket.recv_json(), 0
    if "method" in message and "id" in message:
        socket.send_json({"jsonrpc": "2.0", "id": message["id"],
                          "result": result_of(message)})
    elif message.get("id") == "hello" and "error" in message:
        sys.exit(message["error"]["message"])
    elif message.get("id") == "hello":
        known = True
    elif message.get("error", {}).get("code") == -32003:
        known = False
