#!/usr/bin/python3
"""The gateway's end of the worker protocol, for the tests: lets a worker in,
prints each message that it sends, and sends it each line of its own input.

    tool_gateway.py ENDPOINT
"""
import json
import os
import sys

import zmq

HEARTBEAT = {"protocol": 1, "gateway": "test", "heartbeat_ms": 1000,
             "expires_ms": 3000}


def answer_to(message):
    """What the gateway answers by itself; None: nothing."""
    if message.get("method") == "voxring/hello":
        return {"jsonrpc": "2.0", "id": message["id"], "result": HEARTBEAT}
    if message.get("method") == "ping":
        return {"jsonrpc": "2.0", "id": message["id"], "result": {}}
    return None


def main(endpoint):
    router = zmq.Context().socket(zmq.ROUTER)
    router.bind(endpoint)
    print("listening", flush=True)
    poller = zmq.Poller()
    poller.register(router, zmq.POLLIN)
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    peer, unread = None, b""
    while True:
        ready = dict(poller.poll())
        if router in ready:
            peer, text = router.recv_multipart()
            message = json.loads(text)
            answer = answer_to(message)
            if answer is not None:
                router.send_multipart([peer, json.dumps(answer).encode()])
            if message.get("method") != "ping":
                print(json.dumps(message), flush=True)
        if sys.stdin.fileno() in ready:
            some = os.read(sys.stdin.fileno(), 65536)
            if not some:
                return
            *lines, unread = (unread + some).split(b"\n")
            for line in lines:
                router.send_multipart([peer, line])


main(*sys.argv[1:])
