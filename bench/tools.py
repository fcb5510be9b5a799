"""What tool calls cost: through the broker (bench_tools.c), and on the wire.

On the wire it is the endpoint that watches: its log goes to a pipe, and each
line is timed when it is read. A call lasts from the line that a toolUse was
sent to the line that its toolResult was received, the endpoint's own encryption
and checks included. The floor of that is an HTTP/2 PING of the same endpoint
over TLS, and beside it what bench_tools measures of ZeroMQ.
"""
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import faults
import harness

NAMES = [f"noop{i}" for i in range(8)] + ["crash"]
CALLS = 16  # of one answer, one after the other: the endpoint's most


def compile_noop(folder, name):
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", f"-I{harness.ROOT}",
                    f'-DNOOP_NAME="{name}"', "-o", f"{folder}/{name}.so",
                    os.path.join(harness.ROOT, "bench", "noop.c")], check=True)


def through_broker(seconds):
    """{row: [figure...]} of bench_tools."""
    folder = tempfile.mkdtemp(prefix="vr-bench-")
    try:
        for name in NAMES:
            compile_noop(folder, name)
        out = subprocess.run(
            [harness.program("bench/bench_tools"),
             harness.program("voxring-toolhost"), folder, str(seconds)],
            text=True, capture_output=True, check=True).stdout
    finally:
        shutil.rmtree(folder)
    rows = (line.split() for line in out.splitlines())
    return {r[0]: [float(f) for f in r[1:]] for r in rows}


class Watched(faults.Endpoint):
    """Its log is a pipe; what tools do in it is timed as it comes."""

    def start(self):
        os.mkfifo(self.log_path)
        self.pipe = os.fdopen(os.open(self.log_path, os.O_RDONLY | os.O_NONBLOCK))
        os.set_blocking(self.pipe.fileno(), True)
        self.took, self.sent = [], None
        super().start()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.pipe:
            now = time.perf_counter()
            if '"type":"toolUse"' in line and '"sent"' in line:
                self.sent = now
            elif '"type":"toolResult"' in line and self.sent:
                self.took.append(1e3 * (now - self.sent))
                self.sent = None

    def close(self):
        self.kill()
        self.reader.join()
        self.pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def frame(kind, flags, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags, 0, 0, 0, 0]) + payload


def frames(stream):
    """(type, flags) of each HTTP/2 frame that comes."""
    while True:
        head = stream.read(9)
        stream.read(int.from_bytes(head[:3], "big"))
        yield head[3], head[4]


def pings_ms(end, count):
    """Round trips of HTTP/2 PINGs over TLS with that endpoint."""
    context, took = ssl.create_default_context(cafile=end.ca_file), []
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", end.port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0) + frame(4, 1))
        with secure.makefile("rb") as stream:
            coming = frames(stream)
            for _ in range(count):
                begin = time.perf_counter()
                secure.sendall(frame(6, 0, b"voxring!"))
                while next(coming) != (6, 1):
                    pass
                took.append(1e3 * (time.perf_counter() - begin))
    return took


def on_the_wire(seconds):
    """{"took": [ms...], "floor": [ms...]}: calls by the model."""
    script = {"first_audio_ms": 0, "lines": [
        {"hear": ["go"], "on": "text", "say": "",
         "tool": [{"name": "noop0", "arguments": {}}] * CALLS}]}
    folder = tempfile.mkdtemp(prefix="vr-bench-")
    compile_noop(folder, "noop0")
    config = {"log": "error", "plugins": {"path": folder},
              "sessions": {"robot": {"tools": ["noop0"], "tools_wait_ms": 10000}}}
    try:
        with Watched(script=script, ear="none") as end, \
                faults.remote(end, config) as gateway:
            gateway.wait_streaming()
            floor = pings_ms(end, 2000)
            until, asked = time.monotonic() + seconds, 0
            while time.monotonic() < until:
                gateway.call("session.text", session="robot", text="go")
                asked += CALLS
                faults.wait_until(lambda: len(end.took) >= asked, "tools are answered")
            gateway.stop()
            return {"took": list(end.took), "floor": floor}
    finally:
        shutil.rmtree(folder)
