#!/usr/bin/python3
"""A robot's processes, for the tests: a microphone that writes a file's
samples, a loudspeaker that keeps what it gets, a subscriber, and one that
opens a session.

    robot.py send|record RUNTIME_DIR SESSION FILE
    robot.py tail RUNTIME_DIR
    robot.py open RUNTIME_DIR SESSION CONFIG

Each prints a line once it is attached; `record` and `tail` run until killed.
"""
import json
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "ipc"))
BLOCK_FRAMES = 1601


def send(runtime_dir, session, path):
    """As fast as the gateway makes room, in blocks of an odd length."""
    import voxring
    with open(path, "rb") as f:
        samples = f.read()
    with voxring.Writer(session, runtime_dir=runtime_dir, name="mic") as mic:
        print("attached", flush=True)
        for at in range(0, len(samples), 2 * BLOCK_FRAMES):
            block = samples[at:at + 2 * BLOCK_FRAMES]
            if not mic.wait_space(len(block) // 2, 20000):
                sys.exit("the gateway takes no audio")
            mic.write(block, voxring.now_ns())
        print(f"written {mic.stats().written_frames}", flush=True)


def record(runtime_dir, session, path):
    import voxring
    with open(path, "wb") as f, voxring.Reader(
            session, runtime_dir=runtime_dir, name="recorder", player=True,
            start="oldest") as speaker:
        print("attached", flush=True)
        for block in speaker:
            f.write(block.samples)
            f.flush()
            speaker.played(block.position + block.frames)
            print(f"recorded {f.tell()}", flush=True)


def tail(runtime_dir):
    import zmq
    from zmq.utils.monitor import recv_monitor_message
    bus = zmq.Context().socket(zmq.SUB)
    bus.setsockopt_string(zmq.SUBSCRIBE, "v1/")
    bus.setsockopt(zmq.RECONNECT_IVL, 10)
    monitor = bus.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    bus.connect(f"ipc://{runtime_dir}/events.sock")
    if not monitor.poll(20000):
        sys.exit("the event socket does not answer")
    recv_monitor_message(monitor)
    print("attached", flush=True)
    while True:
        print(bus.recv_multipart()[1].decode(), flush=True)


def open_session(runtime_dir, session, config):
    import zmq
    control = zmq.Context().socket(zmq.REQ)
    control.connect(f"ipc://{runtime_dir}/control.sock")
    control.send_json({
        "jsonrpc": "2.0", "id": 1, "method": "session.open",
        "params": {"session": session, "config": json.loads(config)}})
    if not control.poll(20000):
        sys.exit("the control socket does not answer")
    answer = control.recv_json()
    if "error" in answer:
        sys.exit(f"session.open: {answer['error']}")
    print("opened", flush=True)
    control.close(0)


def main(what, *args):
    {"send": send, "record": record, "tail": tail,
     "open": open_session}[what](*args)


if __name__ == "__main__":
    main(*sys.argv[1:])
