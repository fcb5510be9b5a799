"""What the fault scenarios share: an endpoint of their own that can be
killed, stopped and started again, servers that are no endpoint, and checks
that hold whatever happens."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import harness
from harness import Gateway, program

# Credentials that both sides are given.
KEYS = {"AWS_ACCESS_KEY_ID": "AKIASCENARIO00000001",
        "AWS_SECRET_ACCESS_KEY": "scenario/secret/that/nobody/must/see/+01",
        "AWS_SESSION_TOKEN": ""}
# No source of credentials; an empty variable counts as unset.
NO_KEYS = {name: "" for name in (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE")}
NO_KEYS.update(HOME="/nonexistent",
               AWS_SHARED_CREDENTIALS_FILE="/nonexistent/credentials",
               AWS_CONFIG_FILE="/nonexistent/config")

# A whole script: short, and answered at once.
SCRIPT = {"first_audio_ms": 20, "endpoint_ms": 400, "lines": [
    {"hear": ["hello robot"], "say": "Hello."},
    {"hear": ["goodbye"], "on": "text", "say": "Bye."},
    {"hear": ["tell me a story"],
     "say": "Once upon a time. " + "And so it went on. " * 8},
    {"hear": ["slow"], "on": "text", "say": "Done.", "slow_ms": 60000}]}


def wait_until(condition, what, limit_s=harness.LIMIT_S):
    """Polls for what no event tells: another process's end, a file."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.01)


def logged(gateway, *texts):
    """The log, once it holds these texts: it is written when the loop rests,
    perhaps after the event or answer was read."""
    wait_until(lambda: all(t in gateway.whole_log() for t in texts),
               f"the log says {texts}", 5)
    return gateway.whole_log()


class Endpoint:
    """voxring-local on its own, which can be killed, stopped and started
    again at the same port with the same certificate."""

    def __init__(self, script=SCRIPT, time_scale=None, keys=KEYS, ear="script",
                 log="json"):
        self.folder = tempfile.mkdtemp(prefix="vr-end-")
        self.control = os.path.join(self.folder, "control")
        self.record = os.path.join(self.folder, "record")
        os.mkdir(self.record, 0o700)
        self.log_kind = log
        self.time_scale, self.ear, self.port = time_scale, ear, 0
        self.environment = dict(os.environ, **keys)
        self.script = os.path.join(self.folder, "script.jsonc")
        with open(self.script, "w") as f:
            json.dump(script, f)
        self.log_path = os.path.join(self.folder, "log")
        self.process = None
        self.start()

    def start(self):
        command = [program("voxring-local"), "--log", self.log_kind,
                   "--ear", self.ear, "--state-dir", self.folder,
                   "--port", str(self.port), "--script", self.script,
                   "--control", self.control, "--record", self.record,
                   "--exit-with-parent"]
        if self.time_scale:
            command += ["--time-scale", str(self.time_scale)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                            stderr=log, env=self.environment)
        line = self.process.stdout.readline().decode()
        found = re.match(r"voxring-local listening (https://\S+:(\d+)) ca=(.*)",
                         line)
        if not found:
            raise AssertionError(f"voxring-local said {line!r}")
        self.url, self.ca_file = found[1], found[3]
        self.port = int(found[2])

    def ask(self, **command):
        """One command on its control socket; the answer's members."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(harness.LIMIT_S)
            s.connect(self.control)
            s.sendall(json.dumps(command).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                part = s.recv(65536)
                if not part:
                    raise AssertionError(f"voxring-local left {command}")
                answer += part
        answer = json.loads(answer)
        if not answer.pop("ok"):
            raise AssertionError(f"{command}: {answer['error']}")
        return answer

    def break_(self, fault, **members):
        """Something will go wrong (gateway/local/fault.tbl.h); its id."""
        return self.ask(add=dict(members, fault=fault))["id"]

    def struck(self, fault_id):
        """How often that fault has struck."""
        return sum(f["struck"] for f in self.ask(list=True)["faults"]
                   if f["id"] == fault_id)

    def recorded(self):
        """What each stream that has ended received, by its number; `audio` is
        there for those that go on, too. A number counts from each start."""
        found = {}
        for name in sorted(os.listdir(self.record)):
            number, _, kind = name.partition(".")
            if kind not in ("s16", "json"):
                continue  # still being written
            entry = found.setdefault(int(number), {})
            with open(os.path.join(self.record, name), "rb") as f:
                if kind == "s16":
                    entry["audio"] = f.read()
                else:
                    entry.update(json.load(f))
        return found

    def records(self, **members):
        """Its log's objects with these members."""
        found = []
        with open(self.log_path) as f:
            for line in f:
                with contextlib.suppress(ValueError):
                    record = json.loads(line)
                    if all(record.get(k) == v for k, v in members.items()):
                        found.append(record)
        return found

    def kill(self, sig=signal.SIGKILL):
        self.process.send_signal(sig)
        if sig in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(10)
            self.process.stdout.close()

    def close(self):
        if self.process.poll() is None:
            self.kill(signal.SIGCONT)
            self.kill()
        with open(self.log_path, errors="replace") as f:
            harness.check_sanitizers(f.read())
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def remote(endpoint, config=None, env=KEYS, **more):
    """A gateway that talks to that Endpoint (or URL)."""
    settings = dict(config or {})
    bedrock = {"endpoint": getattr(endpoint, "url", endpoint)}
    if hasattr(endpoint, "ca_file"):
        bedrock["ca_file"] = endpoint.ca_file
    bedrock.update(settings.get("bedrock", {}))
    settings["bedrock"] = bedrock
    return Gateway(settings, local=False, env=dict(NO_KEYS, **env), **more)


def check_account(stats):
    """Every frame has one fate."""
    i, o = stats["input_frames"], stats["output_frames"]
    assert i["produced"] == (i["sent"] + i["gated"] + i["lost"]
                             + i["pending"]), i
    assert o["received"] == (o["played"] + o["flushed"] + o["pending"]
                             + o["lost"]), o


def responses(bus):
    told, ends = {}, []
    for e in bus.all("response"):
        which = e["subject"], e["data"]["response"]
        told.setdefault(which, []).append(e["data"]["phase"])
        if e["data"]["phase"] == "ended":
            ends.append(e["data"])
    return told, ends


def check_responses(bus, limit_s=5):
    """One start and one end each, in that order; returns the ends. Control's
    answer may be here before what the bus told earlier."""
    deadline = time.monotonic() + limit_s
    told, ends = responses(bus)
    while any(len(phases) < 2 for phases in told.values()) \
            and time.monotonic() < deadline:
        bus.poll(0.1)
        told, ends = responses(bus)
    for response, phases in told.items():
        assert phases == ["started", "ended"], (response, phases)
    return ends


def check_tools(bus):
    """Each tool.call has one tool.result."""
    begun = sorted(e["data"]["call"] for e in bus.all("tool.call"))
    ended = sorted(e["data"]["call"] for e in bus.all("tool.result"))
    assert begun == ended, (begun, ended)


def profile(path, keys, expires=None):
    """Writes a credentials file at once, as those who renew it should."""
    with open(path + ".new", "w") as f:
        f.write("[default]\n"
                f"aws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
                f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n")
        if keys.get("AWS_SESSION_TOKEN"):
            f.write(f"aws_session_token = {keys['AWS_SESSION_TOKEN']}\n")
        if expires:
            f.write(f"aws_expiration = {expires}\n")
    os.rename(path + ".new", path)


def refused(gateway, method, code, *words, **params):
    """The call is refused with that code, in a sentence with these words."""
    try:
        answer = gateway.call(method, **params)
    except harness.RpcError as error:
        assert error.code == code, error
        for word in words:
            assert re.search(word, error.message), (word, error.message)
        return error
    raise AssertionError(f"{method} {params} was not refused: {answer}")


def children(pid):
    """Process ids of a process's children."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(x) for x in f.read().split()]
    return []


def alive(pid):
    """Whether it runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Listener(threading.Thread):
    """A TCP server on loopback whose connections are given to `serve`."""

    def __init__(self, serve):
        super().__init__(daemon=True)
        self.serve = serve
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.count = 0
        self.ending = threading.Event()
        self.opened = threading.Event()

    def run(self):
        while not self.ending.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                self.opened.wait()
                self.opened.clear()
                continue
            self.count += 1
            threading.Thread(target=self.one, args=(connection,),
                             daemon=True).start()

    def one(self, connection):
        with connection, contextlib.suppress(OSError, ssl.SSLError):
            self.serve(connection)

    def shut(self):
        """Nobody listens any more; what stands goes on."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def reopen(self):
        self.socket = socket.create_server(("127.0.0.1", self.port))
        self.opened.set()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.shut()
        self.opened.set()
        self.join()


def pump(a, b):
    """Bytes from a to b until a ends."""
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
    for s in (a, b):
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_RDWR)


def make_certificate(folder):
    """(certificate, key) for 127.0.0.1, signed by itself."""
    paths = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                    "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", paths[0],
                    "-keyout", paths[1]], check=True, capture_output=True)
    return paths


class Asking(threading.Thread):
    """A control call that waits meanwhile; `end()` returns its answer or its
    RpcError."""

    def __init__(self, gateway, method, **params):
        super().__init__(daemon=True)
        self.gateway, self.method, self.params = gateway, method, params
        self.answer = None
        self.start()

    def run(self):
        try:
            self.answer = self.gateway.call(self.method, **self.params)
        except Exception as error:
            self.answer = error

    def end(self):
        self.join(harness.LIMIT_S)
        assert not self.is_alive(), f"{self.method} was never answered"
        return self.answer


def failed_with(answer, code, *words):
    """That answer is an RpcError of that code with these words."""
    assert isinstance(answer, harness.RpcError), answer
    assert answer.code == code, answer
    for word in words:
        assert re.search(word, answer.message), (word, answer.message)


class Gate(Listener):
    """A way to an Endpoint that lets nobody through before open()."""

    def __init__(self, endpoint):
        super().__init__(self.through)
        self.endpoint, self.ca_file = endpoint, endpoint.ca_file
        self.opened = threading.Event()
        self.open = self.opened.set

    def through(self, connection):
        self.opened.wait(harness.LIMIT_S)
        with socket.create_connection(("127.0.0.1", self.endpoint.port)) as far:
            back = threading.Thread(target=pump, args=(far, connection),
                                    daemon=True)
            back.start()
            pump(connection, far)
            back.join()


class Way:
    """What lies between a gateway and an Endpoint: a port, or an HTTP proxy.
    It lets everything through until `spoil(how)`, how being the cause
    (gateway/bedrock/end.tbl.h) that new connections then end of; those that
    stand are spared."""

    def __init__(self, stack, endpoint, proxied=False):
        self.endpoint, self.how, self.proxied = endpoint, None, proxied
        self.folder = endpoint.folder
        certificate, key = make_certificate(self.folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.ca_file = os.path.join(self.folder, "both.pem")
        with open(self.ca_file, "w") as out:
            for path in (endpoint.ca_file, certificate):
                with open(path) as f:
                    out.write(f.read())
        self.server = stack.enter_context(Listener(self.serve))
        port = endpoint.port if proxied else self.server.port
        self.url = f"https://127.0.0.1:{port}"

    def environment(self):
        """What the gateway has to know of it."""
        return {"https_proxy": f"http://127.0.0.1:{self.server.port}",
                "no_proxy": "", "NO_PROXY": ""} if self.proxied else {}

    def spoil(self, how):
        self.how = how
        if how == "refused":
            self.server.shut()

    def mend(self):
        if self.how == "refused":
            self.server.reopen()
        self.how = None

    def serve(self, connection):
        how = self.how
        if self.proxied:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            good = how != "proxy"
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if good else
                               b"HTTP/1.1 502 Bad Gateway\r\n"
                               b"Content-Length: 0\r\n\r\n")
            if not good:
                return
        if how == "connect_timeout":
            connection.recv(1 << 20)
            connection.recv(1)
            return
        if how == "no_h2":
            with self.context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(4096)
            return
        with socket.create_connection(("127.0.0.1", self.endpoint.port)) as far:
            back = threading.Thread(target=pump, args=(far, connection),
                                    daemon=True)
            back.start()
            pump(connection, far)
            back.join()
