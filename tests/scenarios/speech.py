"""Spoken audio for the scenarios, and a producer that talks in real time."""
import array
import functools
import io
import os
import subprocess
import sys
import threading
import time
import wave

import harness

# A sanitizer's library cannot be loaded into Python; the release one can.
os.environ.setdefault("VOXRING_LIBRARY",
                      os.path.join(harness.ROOT, "build", "libvoxring.so"))
sys.path.insert(0, os.path.join(harness.ROOT, "ipc"))
import voxring  # noqa: E402


@functools.lru_cache(None)
def say(text, rate_hz=16000):
    """s16le mono of the text spoken by espeak-ng."""
    out = subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", text],
                         capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(out)) as w:
        source_hz = w.getframerate()
        source = array.array("h", w.readframes(10**7))
    count = len(source) * rate_hz // source_hz
    result = array.array("h", bytes(2 * count))
    for i in range(count):
        at = i * source_hz / rate_hz
        left = int(at)
        right = min(left + 1, len(source) - 1)
        part = at - left
        result[i] = int(source[left] * (1 - part) + source[right] * part)
    return result.tobytes()


def silence(seconds, rate_hz=16000):
    return bytes(2 * int(seconds * rate_hz))


class Microphone(threading.Thread):
    """Writes what it is given in real time, 10 ms at a time, and silence in
    between, as a microphone does."""

    def __init__(self, gateway, session="robot", rate_hz=16000, name="mic"):
        super().__init__(daemon=True)
        self.writer = voxring.Writer(session, runtime_dir=gateway.runtime,
                                     name=name)
        self.block_bytes = rate_hz // 100 * self.writer.frame_bytes
        self.lock = threading.Lock()
        self.stats = self.writer.stats()  # of the last write
        self.waiting = b""
        self.idle = threading.Event()
        self.stopping = threading.Event()

    def speak(self, samples):
        with self.lock:
            self.waiting += samples
            self.idle.clear()

    def between(self, size):
        """What it writes when it has nothing to say."""
        return bytes(size)

    def wrote(self, block):
        """After each write."""

    def run(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            with self.lock:
                block = self.waiting[:self.block_bytes]
                self.waiting = self.waiting[self.block_bytes:]
                if not self.waiting:
                    self.idle.set()
            block += self.between(self.block_bytes - len(block))
            try:
                self.writer.write(block, voxring.now_ns())
                self.wrote(block)
            except voxring.Error:
                pass
            self.stats = self.writer.stats()
            due += 0.01
            self.stopping.wait(max(0, due - time.monotonic()))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()
        self.writer.close()


class Loudspeaker(threading.Thread):
    """The session's player: takes audio in real time and reports it played."""

    def __init__(self, gateway, session="robot"):
        super().__init__(daemon=True)
        self.reader = voxring.Reader(session, runtime_dir=gateway.runtime,
                                     player=True, name="speaker",
                                     block_frames=480)
        self.stats = self.reader.stats()  # of the last read
        self.rate_hz = self.stats.format.rate_hz
        self.heard = bytearray()
        self.flushes = []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            ready = self.reader.wait(100)
            self.stats = self.reader.stats()
            if not ready:
                continue
            try:
                block = self.reader.read()
            except voxring.Error:
                continue  # the gateway is gone, and may come back
            if block is None:
                continue
            if block.flushed_to is not None:
                self.flushes.append((time.monotonic(), block.flushed_to))
                continue
            self.heard += block.samples
            self.stopping.wait(block.frames / self.rate_hz)
            self.reader.played(block.position + block.frames)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()
        self.reader.close()
