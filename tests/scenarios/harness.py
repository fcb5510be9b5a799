"""What the scenarios share: a gateway with its local endpoint, started on
real sockets and rings in a temporary runtime folder, and watched by its bus.

Nothing here sleeps: a scenario waits for an event, with a limit.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

ROOT = os.environ.get("VOXRING_ROOT", os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("VOXRING_BUILD", os.path.join(ROOT, "build"))
LIMIT_S = float(os.environ.get("SCENARIO_LIMIT_S", "40"))


def program(name):
    return os.path.join(BUILD, name)


def check_sanitizers(log):
    """What a sanitizer said in a program's log fails the scenario."""
    found = re.search(r"^.*(AddressSanitizer|LeakSanitizer|ThreadSanitizer"
                      r"|runtime error:)", log, re.M)
    if found:
        raise AssertionError(log[found.start():found.start() + 6000])


class Bus:
    """A subscriber that keeps every event it saw."""

    def __init__(self, runtime_dir, topics=("",)):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        for topic in topics:
            self.socket.setsockopt_string(zmq.SUBSCRIBE, topic)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 10)
        self.monitor = self.socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self.socket.connect(f"ipc://{runtime_dir}/events.sock")
        self.seen = []
        self.at = 0

    def wait_connected(self):
        if not self.monitor.poll(int(LIMIT_S * 1000)):
            raise AssertionError("the event socket did not answer")
        recv_monitor_message(self.monitor)
        self.drain()  # after a reconnection, this subscribes again

    def wait_subscribed(self):
        """Until an event has come: only that shows that the publisher has
        taken note of the subscription. There is a heartbeat if nothing else."""
        deadline = time.monotonic() + LIMIT_S
        while not self.seen:
            if self.poll(deadline - time.monotonic()) is None \
                    and time.monotonic() >= deadline:
                raise AssertionError(f"no event within {LIMIT_S} s")

    def poll(self, timeout_s):
        if not self.socket.poll(max(0, int(timeout_s * 1000))):
            return None
        topic, text = self.socket.recv_multipart()
        event = json.loads(text)
        event["topic"] = topic.decode()
        self.seen.append(event)
        return event

    def wait(self, kind, limit_s=LIMIT_S, **members):
        """The next event of that type whose data holds these members; those
        seen before in vain are passed over. Members with __ nest."""
        deadline = time.monotonic() + limit_s
        while True:
            while self.at < len(self.seen):
                event = self.seen[self.at]
                self.at += 1
                if event["type"] == f"voxring.{kind}.v1" and all(
                        event["data"].get(k) == v for k, v in members.items()):
                    return event
            if self.poll(deadline - time.monotonic()) is None \
                    and time.monotonic() >= deadline:
                raise AssertionError(
                    f"no {kind} {members} within {limit_s} s; seen: "
                    + "; ".join(f"{e['type'].split('.', 1)[1]}:"
                                f"{json.dumps(e['data'])[:160]}"
                                for e in self.seen[-25:]
                                if "heartbeat" not in e["type"]))

    def drain(self):
        while self.poll(0):
            pass

    def all(self, kind):
        self.drain()
        return [e for e in self.seen if e["type"] == f"voxring.{kind}.v1"]

    def close(self):
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(0)
        self.context.term()


def usual_plugins(folder):
    """A folder with the two plugins that most conversations here use: each
    plugin is a process, and there are many gateways."""
    plugins = os.path.join(folder, "plugins")
    os.mkdir(plugins, 0o755)
    for name in ("clock.so", "echo.so"):
        os.symlink(os.path.join(BUILD, "plugins", name),
                   os.path.join(plugins, name))
    return plugins


class Gateway:
    """voxringd with settings given as a dictionary; `local` starts
    voxring-local beside it."""

    def __init__(self, config=None, local=True, arguments=(), env=None,
                 wait_ready=True):
        self.folder = tempfile.mkdtemp(prefix="vr-")
        self.runtime = os.path.join(self.folder, "run")
        self.calls = 0
        self.named = "?"
        settings = {"sessions": {"robot": {}},
                    "plugins": {"path": usual_plugins(self.folder)}}
        settings.update(config or {})
        settings["runtime_dir"] = self.runtime
        os.mkdir(self.runtime, 0o700)
        path = os.path.join(self.folder, "voxring.jsonc")
        with open(path, "w") as f:
            json.dump(settings, f)
        self.environment = dict(os.environ, VOXRING_RUNTIME_DIR=self.runtime)
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            self.environment.pop(name, None)
        self.environment.update(env or {})
        self.bus = Bus(self.runtime)
        self.log_path = os.path.join(self.folder, "log")
        self.log = open(self.log_path, "wb")
        command = [program("voxringd"), "--config", path, *arguments]
        if local:
            command.append("--local")
        self.command = command
        self.process = None
        self.start(wait_ready)

    def start(self, wait_ready=True):
        """Starts voxringd; again, once the one before has ended."""
        if self.process:
            self.process.stdout.close()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=self.log, env=self.environment)
        if wait_ready:
            line = self.process.stdout.readline().decode().strip()
            if line != "voxringd ready":
                self.process.wait(10)
                log = self.log_text()
                self.close()
                raise AssertionError(f"not ready: {line!r}\n{log}")
            self.bus.wait_connected()

    def whole_log(self):
        self.log.flush()
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def log_text(self):
        return self.whole_log()[-6000:]

    def call(self, method, limit_s=LIMIT_S, **params):
        """One control call; returns the answer's result or raises RpcError."""
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        try:
            socket.connect(f"ipc://{self.runtime}/control.sock")
            self.calls += 1
            socket.send_string(json.dumps({
                "jsonrpc": "2.0", "id": self.calls, "method": method,
                "params": params}))
            if not socket.poll(int(limit_s * 1000)):
                raise AssertionError(f"{method}: no answer in {limit_s} s")
            answer = json.loads(socket.recv_multipart()[-1])
        finally:
            socket.close(0)
            context.term()
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def wait_streaming(self, session="robot"):
        """Asked again and again: an event may pass before the publisher has
        taken note of a new subscription."""
        deadline = time.monotonic() + LIMIT_S
        state = self.call("session.get", session=session)["state"]
        while state != "streaming":
            if state == "failed" or time.monotonic() > deadline:
                raise AssertionError(f"{session} is {state}, not streaming")
            self.bus.poll(0.01)
            state = self.call("session.get", session=session)["state"]

    def cli(self, *arguments, **more):
        return subprocess.run([program("voxring"), *arguments],
                              env=self.environment, capture_output=True,
                              timeout=more.pop("timeout", LIMIT_S), **more)

    def start_cli(self, *arguments, **more):
        return subprocess.Popen([program("voxring"), *arguments],
                                env=self.environment, **more)

    def stop(self, sig=signal.SIGTERM, limit_s=20):
        """Ends it; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("voxringd did not stop\n" + self.log_text())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.returncode == -signal.SIGKILL:
            for ring in self.rings():
                os.unlink(f"/dev/shm/{ring}")
        self.process.stdout.close()
        self.bus.close()
        said = self.whole_log()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        check_sanitizers(said)

    def rings(self):
        """Names of its rings in /dev/shm."""
        return [r for r in os.listdir("/dev/shm")
                if r.startswith(f"voxring-{self.instance()}.")]

    def instance(self):
        """What its rings are named after, once it made one."""
        try:
            with open(os.path.join(self.runtime, "rings.json")) as f:
                names = [r["name"] for r in json.load(f)["rings"]]
            self.named = names[0][1:].split(".")[0].split("-", 1)[1]
        except (OSError, IndexError):
            pass
        return self.named

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(self.log_text())
        self.close()


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data")
