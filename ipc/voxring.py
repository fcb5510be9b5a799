"""voxring for Python: write a microphone into a session's ring, read the
model's voice from another. A thin layer over libvoxring.so (ipc/voxring.h is
the manual; names and rules are the same).

    import voxring
    with voxring.Writer("robot", name="mic") as mic:
        mic.write(samples)                  # bytes of s16le frames

    with voxring.Reader("robot", player=True) as speaker:
        for block in speaker:               # Block, until the gateway closes
            if block.flushed_to is not None:
                drop_what_is_below(block.flushed_to)
            play(block.samples)
            speaker.played(block.position + block.frames)

and offer tools to the model (Worker, which needs pyzmq):

    worker = voxring.Worker("lamps")
    worker.offer(lamp, "Switches the lamp. Use it when asked for light.",
                 {"on": {"type": "boolean"}}, required=["on"])
    worker.run()                            # calls lamp(call, on=True)

The library is looked for in $VOXRING_LIBRARY, beside this file, in ../build,
and where the system looks. A handle belongs to one thread at a time.
"""
import collections
import concurrent.futures
import ctypes
import json
import os
import socket
import threading
import time

__all__ = ["Writer", "Reader", "Block", "Worker", "Call", "Refused", "Error",
           "now_ns", "guard_install", "guard_remove"]

OK, FLUSHED, LAPPED, AGAIN, TIMEOUT = range(5)


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in (os.environ.get("VOXRING_LIBRARY"),
                 os.path.join(here, "libvoxring.so"),
                 os.path.join(here, "..", "build", "libvoxring.so")):
        if path and os.path.exists(path):
            return ctypes.CDLL(path)
    return ctypes.CDLL("libvoxring.so")


class _Format(ctypes.Structure):
    _fields_ = [("rate_hz", ctypes.c_uint32), ("channels", ctypes.c_uint32)]


class _Options(ctypes.Structure):
    _fields_ = [("struct_bytes", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("runtime_dir", ctypes.c_char_p), ("instance", ctypes.c_char_p),
                ("name", ctypes.c_char_p), ("format", _Format),
                ("log", ctypes.c_void_p), ("log_arg", ctypes.c_void_p),
                ("ring", ctypes.c_int), ("role", ctypes.c_int),
                ("start", ctypes.c_int), ("marks_only", ctypes.c_uint32),
                ("past_frames", ctypes.c_uint64)]


class _Block(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in (
        "position", "frames", "lost_frames", "flush_to", "flush_turn",
        "skipped_frames", "epoch")]


class WriterStats(ctypes.Structure):
    """As struct vr_writer_stats."""
    _fields_ = [("format", _Format)] + [(n, ctypes.c_uint64) for n in (
        "capacity_frames", "epoch", "position", "read_position",
        "written_frames", "lost_frames")] + [
            ("attached", ctypes.c_uint32), ("attach_count", ctypes.c_uint32)]


class ReaderStats(ctypes.Structure):
    """As struct vr_reader_stats."""
    _fields_ = [("format", _Format)] + [(n, ctypes.c_uint64) for n in (
        "capacity_frames", "epoch", "position", "head", "oldest", "flush_to",
        "read_frames", "lost_frames", "skipped_frames")] + [
            ("attached", ctypes.c_uint32), ("attach_count", ctypes.c_uint32)]


_lib = _load()
_lib.vr_status_name.restype = ctypes.c_char_p
_lib.vr_now_ns.restype = ctypes.c_uint64
for _f in ("vr_writer_error", "vr_reader_error"):
    getattr(_lib, _f).restype = ctypes.c_char_p
    getattr(_lib, _f).argtypes = [ctypes.c_void_p]
_lib.vr_write.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t,
                          ctypes.c_uint64]
_lib.vr_space.argtypes = [ctypes.c_void_p]
_lib.vr_space.restype = ctypes.c_size_t
_lib.vr_wait_space.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_lib.vr_read.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                         ctypes.POINTER(_Block)]
_lib.vr_wait.argtypes = [ctypes.c_void_p, ctypes.c_int]
_lib.vr_played.argtypes = [ctypes.c_void_p, ctypes.c_uint64]


class Error(Exception):
    """What libvoxring refused; `status` is its name, such as VR_BUSY."""

    def __init__(self, code, why):
        self.status = _lib.vr_status_name(code).decode()
        super().__init__(f"{self.status}: {why}")


def now_ns():
    """The clock of every time stamp here."""
    return _lib.vr_now_ns()


def guard_install():
    """Survive rings that somebody truncates: takes over SIGBUS (see
    vr_guard_install). Without it this module leaves signals alone."""
    code = _lib.vr_guard_install()
    if code != OK:
        raise Error(code, "SIGBUS cannot be taken over")


def guard_remove():
    """Gives SIGBUS back."""
    _lib.vr_guard_remove()


def _text(value):
    return value.encode() if value is not None else None


class _Handle:
    def __init__(self, opener, closer, session, options):
        self._handle = ctypes.c_void_p()
        self._closer = closer
        why = ctypes.create_string_buffer(512)
        code = opener(ctypes.byref(self._handle), session.encode(),
                      ctypes.byref(options), why, ctypes.c_size_t(len(why)))
        if code != OK:
            raise Error(code, why.value.decode(errors="replace"))

    def close(self):
        """Gives the ring back; again is fine."""
        if self._handle:
            self._closer(ctypes.byref(self._handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None):
            self.close()


def _options(runtime_dir, instance, name, rate_hz, channels):
    return _Options(struct_bytes=ctypes.sizeof(_Options),
                    runtime_dir=_text(runtime_dir), instance=_text(instance),
                    name=_text(name), format=_Format(rate_hz, channels))


class Writer(_Handle):
    """The producer of a session's microphone ring."""

    def __init__(self, session, runtime_dir=None, instance=None, name=None,
                 rate_hz=0, channels=0):
        super().__init__(_lib.vr_writer_open, _lib.vr_writer_close, session,
                         _options(runtime_dir, instance, name, rate_hz,
                                  channels))
        self.frame_bytes = 2 * self.stats().format.channels

    def write(self, samples, captured_ns=0):
        """Writes whole frames of s16le, never waits. Raises Error while there
        is no gateway; those frames are lost and counted."""
        code = _lib.vr_write(self._handle, bytes(samples),
                             len(samples) // self.frame_bytes, captured_ns)
        if code != OK:
            raise Error(code, self._why())

    def space(self):
        """Frames that can be written before the gateway loses unread ones."""
        return _lib.vr_space(self._handle)

    def wait_space(self, frames, timeout_ms=-1):
        """True once there is that much space, False after the time-out."""
        code = _lib.vr_wait_space(self._handle, frames, timeout_ms)
        if code not in (OK, TIMEOUT):
            raise Error(code, self._why())
        return code == OK

    def stats(self):
        stats = WriterStats()
        _lib.vr_writer_stats(self._handle, ctypes.byref(stats),
                             ctypes.c_size_t(ctypes.sizeof(stats)))
        return stats

    def _why(self):
        return _lib.vr_writer_error(self._handle).decode(errors="replace")


class Block:
    """What a read brought: samples (bytes of s16le), where they stand, and,
    instead of samples, what was lost or flushed."""
    __slots__ = ("samples", "position", "frames", "lost_frames", "flushed_to",
                 "flushed_turn", "epoch")

    def __init__(self, samples, block, flushed):
        self.samples = samples
        self.position = block.position
        self.frames = block.frames
        self.lost_frames = block.lost_frames
        self.flushed_to = block.flush_to if flushed else None
        self.flushed_turn = block.flush_turn if flushed else None
        self.epoch = block.epoch


class Reader(_Handle):
    """A reader of the voice (ring="out") or of the microphone (ring="in")."""
    STARTS = {"now": 0, "past": 1, "oldest": 2}

    def __init__(self, session, runtime_dir=None, instance=None, name=None,
                 rate_hz=0, channels=0, ring="out", player=False, start="now",
                 past_frames=0, marks_only=False, block_frames=4800):
        options = _options(runtime_dir, instance, name, rate_hz, channels)
        options.ring = {"out": 0, "in": 1}[ring]
        options.role = 1 if player else 0
        options.start = self.STARTS[start]
        options.marks_only = int(marks_only)
        options.past_frames = past_frames
        super().__init__(_lib.vr_reader_open, _lib.vr_reader_close, session,
                         options)
        self.frame_bytes = 2 * self.stats().format.channels
        self.block_frames = block_frames
        self._buffer = ctypes.create_string_buffer(
            block_frames * self.frame_bytes)

    def read(self):
        """A Block, or None if there is nothing now. Raises Error when the
        gateway is gone (VR_CLOSED; it may come back: read again)."""
        block = _Block()
        code = _lib.vr_read(self._handle, self._buffer, self.block_frames,
                            ctypes.byref(block))
        if code == AGAIN:
            return None
        if code not in (OK, FLUSHED, LAPPED):
            raise Error(code, self._why())
        count = block.frames * self.frame_bytes if code == OK else 0
        return Block(self._buffer.raw[:count], block, code == FLUSHED)

    def wait(self, timeout_ms=-1):
        """True when read() has something to say, False after the time-out."""
        return _lib.vr_wait(self._handle, timeout_ms) == OK

    def played(self, position):
        """A player's word that all before `position` was played."""
        code = _lib.vr_played(self._handle, position)
        if code != OK:
            raise Error(code, self._why())

    def stats(self):
        stats = ReaderStats()
        _lib.vr_reader_stats(self._handle, ctypes.byref(stats),
                             ctypes.c_size_t(ctypes.sizeof(stats)))
        return stats

    def __iter__(self):
        while True:
            self.wait()
            try:
                block = self.read()
            except Error as error:
                if error.status == "VR_CLOSED":
                    return
                raise
            if block is not None:
                yield block

    def _why(self):
        return _lib.vr_reader_error(self._handle).decode(errors="replace")


# ---- tools ------------------------------------------------------------------

HEARTBEAT_S, EXPIRES_S, HELLO_S, ASK_S = 1.0, 3.0, 1.0, 5.0
CALLS_MAX, MESSAGE_BYTES, PROGRESS_S = 64, 1 << 20, 0.1
HELLO_FIRST, NOT_BEGUN = -32003, -32002


class Refused(Exception):
    """The gateway refuses; `code` is JSON-RPC's: -32001 this worker, -32004 the
    call is over, -32005 config does not grant it, None no answer came."""

    def __init__(self, why, code=None):
        self.code = code
        super().__init__(why)


def runtime_dir():
    """The folder of the gateway's sockets, as every client looks for it."""
    path = ctypes.create_string_buffer(4096)
    code = _lib.vr_runtime_dir(path, ctypes.c_size_t(len(path)))
    if code != OK:
        raise Error(code, "the runtime folder's path is too long")
    return os.fsdecode(path.value)


class Call:
    """One call of a tool. Its function returns the result (a dict; anything
    else becomes {"result": ...}), raises an exception, which the model is told,
    or returns Worker.LATER and has complete() called, on any thread."""

    def __init__(self, worker, request):
        params = request.get("params", {})
        meta = params.get("_meta") or {}
        limit_ms = meta.get("voxring/timeout_ms")
        self.worker = worker
        self.id = request["id"]
        self.tool = params.get("name", "")
        self.arguments = params.get("arguments") or {}
        self.token = meta.get("progressToken", self.id)
        self.session = meta.get("voxring/session", "")
        self.conversation = meta.get("voxring/conversation", "")
        self.turn = meta.get("voxring/turn", "")
        self.deadline = None if limit_ms is None else \
            time.monotonic() + limit_ms / 1000
        self.cancelled = self.begun = self._done = False
        self._progress_at = 0.0

    def complete(self, result=None, error=None):
        """Ends the call; once. False if it was over already."""
        if error is not None:
            value = {"error": str(error)}
        elif isinstance(result, dict):
            value = result
        else:
            value = {} if result is None else {"result": result}
        return self.worker._finish(self, value, error is not None)

    @property
    def is_cancelled(self):
        """True once nobody waits any more: long work asks now and then."""
        return self.cancelled or self._done or (
            self.deadline is not None and time.monotonic() >= self.deadline)

    def progress(self, done, total=None, message=None):
        """How far it is; more than ten a second are dropped."""
        now = time.monotonic()
        if self._done or now - self._progress_at < PROGRESS_S:
            return
        self._progress_at = now
        params = {"progressToken": self.token, "progress": done}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = str(message)[:1000]
        self.worker._notify("notifications/progress", params)

    def publish(self, name, data=None):
        """A tool.event on the bus."""
        self._ask("voxring/publish", name=name, data=data)

    def text(self, text):
        """Says something to the model as if the user had written it."""
        self._ask("voxring/text", text=text)

    def update(self, **config):
        """Changes the session's settings; returns which were changed."""
        return self._ask("voxring/update", config=config).get("changed", [])

    def history(self):
        """{"messages": [{"role", "text"}], "revision"}: what was said."""
        return self._ask("voxring/history")

    def append(self, role, text):
        """Adds a message to the history."""
        self._ask("voxring/history", append={"role": role, "text": text})

    def end(self, reason=None, within_ms=30000):
        """Ends the conversation once the response to this was played."""
        self._ask("voxring/end", reason=reason, within_ms=within_ms)

    def _ask(self, method, **params):
        given = {k: v for k, v in params.items() if v is not None}
        return self.worker.ask(method, {"call": self.token, **given})


class Worker:
    """Offers tools from this process; it does not matter who starts first, and
    it stays through restarts of the gateway. Calls run on `threads` threads of
    its own, or with 0 inside step(), where each must end within a second."""
    LATER = object()

    def __init__(self, name, runtime_dir=None, endpoint=None, token_file=None,
                 instance=None, threads=1, catch_all=None, log=None):
        import zmq
        self._zmq = zmq
        self.name, self.token_file = name, token_file
        self.instance = instance or f"pid {os.getpid()}"
        self.endpoint = endpoint or "ipc://%s/tools.sock" % (
            runtime_dir or globals()["runtime_dir"]())
        self.ready = False
        self._catch_all, self._log = catch_all, log or (lambda line: None)
        self._tools, self._calls, self._asks = {}, {}, {}
        self._lock = threading.RLock()
        self._out = collections.deque()
        self._ids = 0
        self._hello_id, self._hello_at = None, -HELLO_S
        self._heartbeat_s, self._expires_s = HEARTBEAT_S, EXPIRES_S
        self._sent_at = self._heard_at = 0.0
        self._stopped = False
        self._stepper = None
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 200), (zmq.IMMEDIATE, 1),
                              (zmq.RECONNECT_IVL, 50),
                              (zmq.RECONNECT_IVL_MAX, 1000),
                              (zmq.MAXMSGSIZE, 2 * MESSAGE_BYTES)):
            self._socket.setsockopt(option, value)
        self._socket.connect(self.endpoint)
        self._pool = concurrent.futures.ThreadPoolExecutor(
            threads, thread_name_prefix=name) if threads else None

    # -- tools

    def offer(self, function, description=None, properties=None, required=(),
              name=None, schema=None, mode="sync", serial=False, timeout_s=0,
              cancel_on_interrupt=False):
        """Offers function(call, **arguments), any time. Name and description
        are the function's own unless given; `schema` is the whole JSON Schema,
        or `properties` and `required` make one. timeout_s 0: 60 s for "sync",
        no limit for "async"."""
        meta = {"voxring/mode": mode, "voxring/cancel_on_interrupt":
                cancel_on_interrupt,
                "voxring/threading": "serial" if serial else "parallel"}
        if timeout_s or mode == "async":
            meta["voxring/timeout_ms"] = int(timeout_s * 1000)
        entry = {"name": name or function.__name__,
                 "description": description or (function.__doc__ or "").strip(),
                 "inputSchema": schema or {
                     "type": "object", "properties": properties or {},
                     "required": list(required)}, "_meta": meta}
        if not entry["description"]:
            raise ValueError(f"the tool {entry['name']} has no description; "
                             "the model decides by it when to use the tool")
        with self._lock:
            self._tools[entry["name"]] = (function, entry)
        self._notify("notifications/tools/list_changed", {})
        return function

    def tool(self, **how):
        """offer() as a decorator: @worker.tool(properties={...})."""
        return lambda function: self.offer(function, **how)

    def withdraw(self, name):
        """Offers it no longer; calls that run go on."""
        with self._lock:
            del self._tools[name]
        self._notify("notifications/tools/list_changed", {})

    # -- work

    def run(self):
        """Works until stop(). Raises Refused when the gateway refuses."""
        while not self._stopped:
            self.step()

    def stop(self):
        """Ends run(), from any thread or a signal handler."""
        self._stopped = True
        self._wake()

    def close(self):
        """Says goodbye; calls not answered fail at once."""
        if self._socket is None:
            return
        if self.ready:
            self._flush()
            self._send({"jsonrpc": "2.0", "method": "voxring/bye"})
        for call in list(self._calls.values()):
            call.cancelled = True
        if self._pool:
            self._pool.shutdown(wait=True)
        self._socket.close()
        self._context.term()
        self._socket = None
        self._wake_in.close()
        self._wake_out.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def step(self, timeout_s=None):
        """Waits for something to do and does it: for loops of one's own."""
        self._stepper = threading.get_ident()
        due_s = max(0.0, self._keep_up() - time.monotonic())
        if timeout_s is not None:
            due_s = min(due_s, timeout_s)
        poller = self._zmq.Poller()
        poller.register(self._socket, self._zmq.POLLIN | (
            self._zmq.POLLOUT if self._hello_id is None or self._out else 0))
        poller.register(self._wake_in, self._zmq.POLLIN)
        poller.poll(max(1, int(due_s * 1000)) if due_s else 0)
        try:
            self._wake_in.recv(4096)
        except BlockingIOError:
            pass
        self._keep_up()
        for _ in range(CALLS_MAX):
            try:
                self._take(self._socket.recv(self._zmq.NOBLOCK))
            except self._zmq.Again:
                break
        self._flush()

    def ask(self, method, params):
        """A request to the gateway; its result, or Refused."""
        future = concurrent.futures.Future()
        with self._lock:
            if not self.ready:
                raise Refused("no gateway is there")
            self._ids += 1
            name = f"ask-{self._ids}"
            self._asks[name] = future
        self._put({"jsonrpc": "2.0", "id": name, "method": method,
                   "params": params})
        limit = time.monotonic() + ASK_S
        try:
            while threading.get_ident() == self._stepper and \
                    not future.done() and time.monotonic() < limit:
                self.step(limit - time.monotonic())
            return future.result(max(0.0, limit - time.monotonic()))
        except concurrent.futures.TimeoutError:
            raise Refused("the gateway does not answer") from None
        finally:
            with self._lock:
                self._asks.pop(name, None)

    def publish(self, name, data=None):
        """A tool.event of no call."""
        self.ask("voxring/publish", {"name": name, "data": data})

    def log(self, message, level="info"):
        """A line in the gateway's log."""
        self._notify("notifications/message",
                     {"level": level, "data": str(message)[:1000]})

    # -- out

    def _wake(self):
        try:
            self._wake_out.send(b"x")
        except (BlockingIOError, OSError):
            pass

    def _put(self, message):
        self._out.append(message)
        self._wake()

    def _notify(self, method, params):
        if self.ready and len(self._out) < 2 * CALLS_MAX:
            self._put({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message):
        try:
            self._socket.send(json.dumps(message).encode(), self._zmq.NOBLOCK)
        except self._zmq.Again:
            return False
        self._sent_at = time.monotonic()
        return True

    def _flush(self):
        while self.ready and self._out and self._send(self._out[0]):
            with self._lock:
                if self._out:
                    self._out.popleft()

    def _answer(self, name, **what):
        self._put({"jsonrpc": "2.0", "id": name, **what})

    # -- the link

    def _hello(self):
        params = {"protocol": 1, "name": self.name, "instance": self.instance}
        if self.token_file:
            with open(self.token_file, encoding="utf-8") as f:
                params["token"] = f.readline().strip()
        if self._catch_all:
            params["catchAll"] = True
        self._ids += 1
        name = f"hello-{self._ids}"
        if self._send({"jsonrpc": "2.0", "id": name,
                       "method": "voxring/hello", "params": params}):
            self._hello_id, self._hello_at = name, time.monotonic()

    def _lose(self, how):
        """Calls of a gateway that is gone are nobody's: the next one has the
        same numbers for others."""
        if not self.ready:
            return
        self._log(f"{how}; saying hello again")
        with self._lock:
            self.ready, self._hello_id = False, None
            self._out.clear()
            for call in self._calls.values():
                call.cancelled = call._done = True
            self._calls.clear()
            for future in self._asks.values():
                if not future.done():
                    future.set_exception(Refused("the gateway went away"))

    def _keep_up(self):
        """Does what is due; returns when to look again."""
        now = time.monotonic()
        if self.ready and now - self._heard_at >= self._expires_s:
            self._lose("the gateway is silent")
        if not self.ready:
            if now - self._hello_at >= HELLO_S:
                self._hello_id = None
                self._hello()
            return max(self._hello_at, now - HELLO_S / 2) + HELLO_S
        beat = self._sent_at + self._heartbeat_s * 0.75
        if now >= beat:
            if not self._send({"jsonrpc": "2.0", "id": "ping",
                               "method": "ping"}):
                self._sent_at = now
            beat = now + self._heartbeat_s * 0.75
        return min(beat, self._heard_at + self._expires_s)

    def _welcomed(self, message):
        error = message.get("error")
        if error and error.get("code") != HELLO_FIRST:
            raise Refused(error.get("message", "without a reason"),
                          error.get("code"))
        if error:
            return
        result = message.get("result") or {}
        self._heartbeat_s = result.get("heartbeat_ms", 1000) / 1000
        self._expires_s = result.get("expires_ms", 3000) / 1000
        self.ready = True
        self._log(f"accepted at {self.endpoint}")

    # -- in

    def _take(self, data):
        self._heard_at = time.monotonic()
        try:
            message = json.loads(data)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        method, name = message.get("method"), message.get("id")
        if method is None:
            self._take_answer(name, message)
        elif name is None:
            self._take_note(method, message.get("params") or {})
        elif not self.ready:
            return
        elif method == "tools/list":
            with self._lock:
                tools = [entry for _, entry in self._tools.values()]
            self._answer(name, result={"tools": tools})
        elif method == "tools/call":
            self._take_call(message)
        elif method == "ping":
            self._answer(name, result={})
        else:
            self._answer(name, error={"code": -32601,
                                      "message": "No such method here"})

    def _take_answer(self, name, message):
        error = message.get("error")
        future = self._asks.get(name)
        if not self.ready and name is not None and name == self._hello_id:
            self._welcomed(message)
        elif error and error.get("code") == HELLO_FIRST:
            self._lose("the gateway does not know this worker")
        elif future and not future.done() and error:
            future.set_exception(Refused(error.get("message", ""),
                                         error.get("code")))
        elif future and not future.done():
            future.set_result(message.get("result") or {})

    def _take_note(self, method, params):
        with self._lock:
            if method == "notifications/cancelled":
                call = self._calls.get(params.get("requestId"))
                if call:
                    call.cancelled = True
                if call and not call.begun:
                    call.complete(error="cancelled")
            elif method == "voxring/drain":
                for call in [c for c in self._calls.values() if not c.begun]:
                    call._done = True
                    del self._calls[call.id]
                    self._answer(call.id, error={"code": NOT_BEGUN,
                                                 "message": "Not begun"})

    def _take_call(self, message):
        call = Call(self, message)
        with self._lock:
            function = self._tools.get(call.tool, (self._catch_all,))[0]
            full = len(self._calls) >= CALLS_MAX
            if function and not full:
                self._calls[call.id] = call
        if not function:
            self._answer(call.id, error={
                "code": -32602, "message": "This worker has no such tool"})
        elif full:
            call.complete(error="The worker has too many calls")
        elif self._pool:
            self._pool.submit(self._work, function, call)
        else:
            self._work(function, call)

    def _work(self, function, call):
        with self._lock:
            if call._done:
                return
            call.begun = True
        try:
            result = function(call, **call.arguments)
        except Exception as error:
            call.complete(error=f"{type(error).__name__}: {error}")
            return
        if result is not Worker.LATER:
            call.complete(result)

    def _finish(self, call, value, is_error):
        with self._lock:
            if call._done:
                return False
            call._done = True
            self._calls.pop(call.id, None)
        text = json.dumps(value)
        if len(text) > MESSAGE_BYTES - 4096:
            text = json.dumps({"error": f"The answer has {len(text)} letters, "
                               "more than a message may"})
            is_error = True
        self._answer(call.id, result={
            "content": [{"type": "text", "text": text}], "isError": is_error})
        return True
