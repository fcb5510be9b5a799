#!/usr/bin/python3
"""An A2A agent that does what the question says, right or wrong.

Prints its port, serves loopback until its standard input ends. The path's
first part is the kind of agent (see CARDS), the question's first word what it
does (see deed and on_stream).
"""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
tasks = {}
cancelled = []

STATES = {name: "TASK_STATE_" + name.upper().replace("-", "_") for name in (
    "submitted", "working", "input-required", "auth-required", "completed",
    "failed", "canceled", "rejected")}


def card(kind, host):
    url = f"http://{host}/{kind}/rpc"
    streaming = {"capabilities": {"streaming": "stream" in kind}}
    old = {"name": kind, "protocolVersion": "0.3.0", "url": url, **streaming}
    if kind.startswith("old"):
        return old
    if kind == "wrongurl":
        return {**old, "url": "ftp://127.0.0.1/rpc"}
    if kind == "grpc":
        return {"supportedInterfaces": [
            {"url": url, "protocolBinding": "GRPC", "protocolVersion": "1.0"}]}
    if kind == "elsewhere":
        url = url.replace("127.0.0.1", "localhost")
    if kind == "dead":
        url = "http://127.0.0.1:1/rpc"
    return {"supportedInterfaces": [
        {"url": "http://127.0.0.1:1/old", "protocolBinding": "JSONRPC",
         "protocolVersion": "0.3"},
        {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0",
         "tenant": "t1"}], **streaming}


class Wire:
    """The shapes of one version of the protocol."""

    def __init__(self, is_new):
        self.is_new = is_new

    def part(self, text):
        return {"text": text} if self.is_new else \
            {"kind": "text", "text": text}

    def data(self, value):
        return {"data": value} if self.is_new else \
            {"kind": "data", "data": value}

    def file(self):
        return {"url": "http://x/y.png", "filename": "y.png",
                "mediaType": "image/png"} if self.is_new else \
            {"kind": "file", "file": {"uri": "http://x/y.png", "name": "y.png",
                                      "mimeType": "image/png"}}

    def message(self, text, **more):
        return {"messageId": "m", "role": "ROLE_AGENT" if self.is_new else
                "agent", "parts": [self.part(text)], "contextId": "c1",
                **({} if self.is_new else {"kind": "message"}), **more}

    def status(self, state, text=None):
        return {"state": STATES[state] if self.is_new else state,
                **({"message": self.message(text)} if text else {})}

    def task(self, task):
        return {"id": task["id"], "contextId": task["context"],
                "status": self.status(task["state"], task.get("text")),
                "artifacts": task.get("artifacts", []),
                **({} if self.is_new else {"kind": "task"})}

    def wrap(self, member, kind, value):
        return {member: value} if self.is_new else {**value, "kind": kind}

    def reply(self, value):
        return self.wrap("message", "message", value)

    def of_task(self, task):
        return self.wrap("task", "task", self.task(task))

    def update(self, task, state, text=None):
        return self.wrap("statusUpdate", "status-update", {
            "taskId": task["id"], "contextId": task["context"],
            "status": self.status(state, text)})

    def artifact(self, task, text, append):
        return self.wrap("artifactUpdate", "artifact-update", {
            "taskId": task["id"], "contextId": task["context"],
            "append": append,
            "artifact": {"artifactId": "a", "parts": [self.part(text)]}})


def new_task(context, state, **more):
    with lock:
        task = {"id": f"task{len(tasks)}", "context": context or "c1",
                "state": state, "polls": 0, **more}
        tasks[task["id"]] = task
    return task


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def send(self, status, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind = self.path.split("/")[1]
        names = {"oldname": "agent.json"}
        if kind == "missing" or not self.path.endswith(
                "/.well-known/" + names.get(kind, "agent-card.json")):
            return self.send(404, {})
        if kind == "badcard":
            return self.send(200, b"<html>no card</html>")
        if kind == "moved":
            return self.send(302, b"", Location="/new/")
        self.send(200, card(kind, self.headers["Host"]))

    def do_POST(self):
        kind = self.path.split("/")[1]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.wire = Wire(self.headers["A2A-Version"] == "1.0")
        if kind in ("locked", "elsewhere") and \
                self.headers["X-Key"] != "opensesame":
            return self.send(401, b"Who are you?", "text/plain")
        request = json.loads(body)
        params = request["params"]
        if self.wire.is_new != (not kind.startswith("old")) or \
                (self.wire.is_new and params.get("tenant") != "t1"):
            return self.error(-32600, "wrong version or tenant")
        name = {"GetTask": "get", "tasks/get": "get", "CancelTask": "cancel",
                "tasks/cancel": "cancel", "SendMessage": "say",
                "message/send": "say", "message/stream": "stream",
                "SendStreamingMessage": "stream"}[request["method"]]
        getattr(self, "on_" + name)(params)

    def error(self, code, message, status=200):
        self.send(status, {"jsonrpc": "2.0", "id": 1,
                           "error": {"code": code, "message": message}})

    def result(self, value):
        self.send(200, {"jsonrpc": "2.0", "id": 1, "result": value})

    def on_get(self, params):
        task = tasks[params["id"]]
        task["polls"] += 1
        if task.get("hiccup") and task["polls"] == 1:
            return self.send(503, b"later", "text/plain")
        if task["state"] in ("submitted", "working") and not task.get("slow"):
            task["state"] = "working" if task["polls"] < 3 else "completed"
            if task["state"] == "completed":
                task["artifacts"] = [{"artifactId": "a", "parts": [
                    self.wire.part("polled"), self.wire.data({"n": 1}),
                    self.wire.file()]}]
        self.result(self.wire.task(task))

    def on_cancel(self, params):
        with lock:
            cancelled.append(params["id"])
        tasks[params["id"]]["state"] = "canceled"
        self.result(self.wire.task(tasks[params["id"]]))

    def on_say(self, params):
        message = params["message"]
        text = message["parts"][0]["text"]
        self.deed(text, message)

    def deed(self, text, message):
        word = text.split()[0]
        wire, context = self.wire, message.get("contextId")
        if message.get("taskId") and message["taskId"] not in tasks:
            return self.error(-32001, "no such task")
        if message.get("taskId") and tasks[message["taskId"]].get("gone"):
            return self.error(-32004, "that task is over")
        if message.get("taskId"):
            task = tasks[message["taskId"]]
            return self.result(wire.reply(wire.message(
                f"{task['question']} in {text}", contextId=context)))
        if word in ("auth-required", "failed", "canceled", "rejected"):
            self.result(wire.of_task(new_task(context, word, text="because")))
        elif word in ("input-required", "forgetful"):
            self.result(wire.of_task(new_task(
                context, "input-required", text="Which city?",
                question="weather", gone=word == "forgetful")))
        elif word in ("task", "slow", "hiccup"):
            self.result(wire.of_task(new_task(
                context, "submitted", slow=word == "slow",
                hiccup=word == "hiccup", text="on it")))
        elif word == "cancelled":
            self.result(wire.reply(wire.message(
                f"{len(cancelled)} cancelled")))
        elif word == "context":
            self.result(wire.reply(wire.message(str(context))))
        elif word == "garbage":
            self.send(200, b"\x00\xff{{{", "application/json")
        elif word == "nonsense":
            self.result({"kind": "elephant"})
        elif word == "longid":
            self.result(wire.of_task({**new_task(context, "working"),
                                      "id": "x" * 1000}))
        elif word == "nobody":
            self.send(200, {"jsonrpc": "2.0", "id": 1})
        elif word == "huge":
            self.send(200, b" " * (3 << 20))
        elif word == "long":
            self.result(wire.reply(wire.message("\u00e4" * 40000)))
        elif word == "error":
            self.error(-32603, "my fault", 500)
        elif word == "http":
            self.send(500, b"oops", "text/plain")
        elif word == "redirect":
            self.send(307, b"", Location="/new/rpc")
        elif word == "hangup":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{")
        else:
            self.result(wire.reply(wire.message("You asked: " + text)))

    # ---- streams

    def raw(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def events(self, values, step=7, end="\r\n"):
        """In pieces cut anywhere, with comments and other fields between."""
        text = "\ufeff: hello" + end * 2 + "retry: 5" + end
        for value in values:
            json_text = json.dumps({"jsonrpc": "2.0", "id": 1,
                                    "result": value}, indent=1)
            text += "event: x" + end + "".join(
                "data: " + line + end for line in json_text.split("\n")) + end
        data = text.encode()
        for at in range(0, len(data), step):
            self.raw(data[at:at + step])

    def on_stream(self, params):
        message = params["message"]
        text = message["parts"][0]["text"]
        word, wire = text.split()[0], self.wire
        if word not in ("stream", "drop", "dropearly", "flood", "badevent",
                        "slow", "bare", "lines", "reply"):
            return self.deed(text, message)
        self.close_connection = True
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; "
                 b"charset=utf-8\r\n\r\n")
        if word == "dropearly":
            return self.raw(b"data: {\"jsonrpc\"")
        if word == "badevent":
            return self.raw(b"data: nonsense\n\n")
        if word == "reply":
            return self.events([wire.reply(wire.message("at once"))])
        if word == "flood":
            try:
                while True:
                    self.raw(b"data: " + b"x" * 65536)
            except OSError:
                return None
        task = new_task(message.get("contextId"), "working",
                        slow=word == "slow")
        start = [wire.of_task(task), wire.update(task, "working", "step one")]
        pieces = [wire.artifact(task, "Hel", False),
                  wire.artifact(task, "lo \u00e4", True),
                  wire.update({**task, "id": "other"}, "failed", "not mine")]
        last = [wire.update(task, "completed", "done")]
        if word == "drop":
            return self.events(start + pieces)
        if word == "bare":
            task["state"] = "completed"
            task["artifacts"] = [{"artifactId": "a",
                                  "parts": [wire.part("from the task")]}]
            return self.events([wire.of_task({**task, "artifacts": [],
                                              "state": "completed"})])
        if word == "slow":
            self.events(start)
            return self.rfile.read(1)
        if word == "lines":
            return self.events(start + pieces + last, 100000, "\n")
        return self.events(start + pieces + last)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Those that hang up in mid-answer are what the tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


main()
