#!/usr/bin/python3
"""Stands in for voxring-toolhost --mcp: a bridge to a server that does what
the command in its start message says."""
import json
import os
import sys

import zmq


def main():
    boot = json.loads(os.fdopen(3, closefd=False).readline())
    mcp = boot["mcp"]
    socket = zmq.Context().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(boot["endpoint"])

    def send(message):
        socket.send_string(json.dumps({"jsonrpc": "2.0", **message}))

    def tool(name):
        return {"name": name, "description": "From a server.",
                "inputSchema": {"type": "object"}}

    flag = mcp["args"][0]
    hello = {"protocol": 1, "name": boot["name"], "token": boot["token"]}
    if mcp["command"] == "absent" and not os.path.exists(flag):
        hello["error"] = "the server cannot be reached"
    send({"id": 1, "method": "voxring/hello", "params": hello})
    names = ["first"]
    if mcp["command"] == "many":
        names = [f"{boot['name']}_{i}" for i in range(64)]
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(3, zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if 3 in ready and not os.read(3, 64):
            return 0
        if socket not in ready:
            continue
        message = json.loads(socket.recv())
        method = message.get("method")
        if method == "tools/list":
            send({"id": message["id"],
                  "result": {"tools": [tool(n) for n in names]}})
        elif method == "tools/call":
            if "grow" in message["params"]["arguments"]:
                names = ["first", "second"]
                send({"method": "notifications/tools/list_changed"})
            if "end" in message["params"]["arguments"]:
                return 5
            text = json.dumps({"argv": sys.argv[1:], "mcp": mcp,
                               "secret": os.environ.get("BRIDGE_SECRET", "")})
            send({"id": message["id"], "result":
                  {"content": [{"type": "text", "text": text}]}})


sys.exit(main())
