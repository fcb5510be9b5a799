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

The library is looked for in $VOXRING_LIBRARY, beside this file, in ../build,
and where the system looks. A handle belongs to one thread at a time.
"""
import ctypes
import os

__all__ = ["Writer", "Reader", "Block", "Error", "now_ns"]

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
