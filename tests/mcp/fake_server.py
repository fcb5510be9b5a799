#!/usr/bin/python3
"""An MCP server that does what a test wants, over stdio or streamable HTTP.

    fake_server.py stdio [MODE]
    fake_server.py http [MODE]     prints "port N" first

MODE changes how it begins: `mute` answers nothing, `old` speaks a revision that
nobody knows, `loop` lists pages without end, `huge-list`, `huge-page` and
`huge-unknown` list more than a client has to read (at once, on a later page, as
a batch), `huge-growth` after `grow`, `huge-hello` begins so, `echo` sends back
what it gets, `later` stays alive when its input ends, `no-stream` has no GET
stream (http), `endless` has one with an event that does not end (http),
`forget` forgets each session after two calls (http), `json`
answers as JSON instead of events (http), `json-huge-list` does so and lists too
much (http), `broken` breaks each stream off after its first event (http),
`password` wants the header `X-Key: open` (http).
"""
import json
import os
import signal
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

KIND = sys.argv[1]
MODE = sys.argv[2] if len(sys.argv) > 2 else ""
HUGE_BYTES = 5 << 20
HUGE_LISTS = ("huge-list", "huge-page", "huge-unknown", "json-huge-list")
LONG_NAME = "a.very/long name " * 6


def tool(name, **more):
    return {"name": name, "inputSchema": {"type": "object"}, **more}


PAGES = [
    [tool("echo", description="Says it again", inputSchema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object", "properties": {"text": {"type": "string"}},
        "required": ["text"]},
        outputSchema={"type": "object"}, annotations={"readOnlyHint": True}),
     tool("search.web", title="Looks things up"),
     tool("search/web", description="Comes too late: same name")],
    [{"name": "no_schema_at_all"},
     tool("odd_schema", description="x", inputSchema=[1, 2]),
     tool(LONG_NAME, description="long"),
     tool("task_only", execution={"taskSupport": "required"})],
    [tool(n, description=n) for n in (
        "structured", "picture", "resources", "fails", "protocol_error",
        "slow", "die", "garbage", "huge_line", "big", "grow", "ask_back",
        "say_log", "bad_utf8", "environment", "hog", "fork", "silent", "huge",
        "endless", "batch")],
]
grown = []


class Server:
    """One session. `send(message)` goes to the client."""

    def __init__(self, send):
        self.send = send
        self.cancelled = set()

    def text(self, text, **more):
        return {"content": [{"type": "text", "text": text}], **more}

    def take(self, message, send=None):
        send = send or self.send
        method, ident = message.get("method"), message.get("id")
        params = message.get("params") or {}
        if method == "notifications/cancelled":
            self.cancelled.add(params["requestId"])
            self.log(f"cancelled {params['reason']}")
        if ident is None or method is None or MODE == "mute":
            return
        if MODE == "echo":
            send(message)
            return
        try:
            result = getattr(self, "on_" + method.replace("/", "_"))(
                params, ident, send)
        except ArithmeticError as e:
            send({"jsonrpc": "2.0", "id": ident,
                  "error": {"code": -32602, "message": str(e)}})
            return
        if result is not None:
            send({"jsonrpc": "2.0", "id": ident, "result": result})

    def log(self, text):
        self.send({"jsonrpc": "2.0", "method": "notifications/message",
                   "params": {"level": "warning", "data": text}})

    def on_initialize(self, params, ident, send):
        assert params["capabilities"] == {}
        if MODE == "huge-hello":
            return {"instructions": "u" * HUGE_BYTES}
        return {"protocolVersion": "1999-01-01" if MODE == "old" else
                params["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "fake", "version": "1"}}

    def on_ping(self, params, ident, send):
        return {}

    def on_tools_list(self, params, ident, send):
        if MODE == "loop":
            return {"tools": [], "nextCursor": "again"}
        if MODE in HUGE_LISTS and (
                MODE != "huge-page" or "cursor" in params):
            result = {"tools": [tool("x", description="u" * HUGE_BYTES)]}
            if MODE != "huge-unknown":
                return result
            send([{"jsonrpc": "2.0", "id": ident, "result": result}])
            return None
        if grown and MODE == "huge-growth":
            return {"tools": [tool("x", description="u" * HUGE_BYTES)]}
        page = int(params.get("cursor", 0))
        result = {"tools": PAGES[page] + (grown if page == 2 else [])}
        if page < 2:
            result["nextCursor"] = str(page + 1)
        return result

    def on_tools_call(self, params, ident, send):
        name, given = params["name"], params.get("arguments")
        assert isinstance(given, dict)
        token = params.get("_meta", {}).get("progressToken")
        if name == "echo":
            return self.text(given.get("text", "nothing"))
        if name == "structured":
            return {"content": [], "structuredContent": {"degrees": 21.5}}
        if name == "picture":
            return {"content": [
                {"type": "text", "text": "look"},
                {"type": "image", "mimeType": "image/png", "data": "QUJDRA=="},
                {"type": "audio", "mimeType": "audio/wav", "data": "QUJD"}]}
        if name == "resources":
            return {"content": [
                {"type": "resource", "resource": {
                    "uri": "file:///a", "text": "inside"}},
                {"type": "resource", "resource": {
                    "uri": "file:///b", "blob": "QUI=",
                    "mimeType": "application/zip"}},
                {"type": "resource_link", "uri": "file:///c", "name": "see"},
                {"type": "hologram"}, 7, None]}
        if name == "fails":
            return self.text("the disk is full", isError=True)
        if name == "protocol_error":
            raise ArithmeticError("no such thing")
        if name == "slow":
            return self.slow(given, ident, token, send)
        if name == "silent":
            return None
        if name == "batch":
            send([{"jsonrpc": "2.0", "id": ident, "result": self.text("b")}])
            return None
        if name == "huge":
            return self.huge(given.get("form"), ident, send)
        if name == "endless":
            # over HTTP to the connection that the call came by
            raw = getattr(send, "__self__", self).raw
            return self.endless(given["bytes"], ident, raw)
        return self.odd(name, given)

    def huge(self, form, ident, send):
        """Answers with more than a client has to read, in many a form."""
        result = self.text("w" * HUGE_BYTES)
        answer = {"jsonrpc": "2.0", "id": ident, "result": result}
        if form == "id last":
            answer = {"result": result, "jsonrpc": "2.0", "id": ident}
        elif form == "id inside":
            answer["result"]["id"] = "\"id\":1,"
        elif form == "no id":
            del answer["id"]
        elif form == "batch":
            answer = [answer]
        elif form == "notification":
            answer = {"jsonrpc": "2.0", "method": "notifications/message",
                      "params": {"id": ident, "data": result}}
        elif form == "request":
            answer["method"] = "sampling/createMessage"
        send(answer)
        if "method" in answer:
            return self.text("after it")
        return None

    def endless(self, count, ident, raw):
        """An answer that does not end; `count` 0: it never stops to come."""
        begin = f'{{"jsonrpc":"2.0","id":{ident},"result":{{"x":"'
        total = count or 1 << 40
        try:
            raw(begin.encode())
            for _ in range(0, total, 1 << 20):
                raw(b"v" * (1 << 20))
        except OSError:
            return
        while True:
            time.sleep(60)

    def slow(self, given, ident, token, send):
        """Reports progress until it is cancelled or `steps` are done."""
        def work():
            for step in range(1, given.get("steps", 3) + 1):
                if ident in self.cancelled:
                    return
                if token is not None:
                    send({"jsonrpc": "2.0", "method": "notifications/progress",
                          "params": {"progressToken": token, "progress": step,
                                     "total": 3, "message": f"step {step}"}})
                time.sleep(0.02)
            send({"jsonrpc": "2.0", "id": ident,
                  "result": self.text("slowly done")})
        if KIND == "http":
            work()
        else:
            threading.Thread(target=work, daemon=True).start()

    def odd(self, name, given):
        if name == "die":
            os.kill(os.getpid(), given.get("signal", signal.SIGKILL))
        if name == "garbage":
            sys.stdout.write("Hello, I am a log line\n{broken\n[]\n5\n\n")
            return self.text("after garbage")
        if name == "huge_line":
            sys.stdout.write('{"x":"' + "y" * (5 << 20) + '"}\n')
            return self.text("after the line")
        if name == "big":
            return self.text("z" * given["bytes"])
        if name == "grow":
            grown.append(tool("grown", description="new"))
            self.send({"jsonrpc": "2.0",
                       "method": "notifications/tools/list_changed"})
            return self.text("grown")
        if name == "ask_back":
            self.send({"jsonrpc": "2.0", "id": "q1", "method": "ping"})
            self.send({"jsonrpc": "2.0", "id": 77,
                       "method": "sampling/createMessage", "params": {}})
            self.answers = threading.Semaphore(0)
            return self.text("asked")
        if name == "say_log":
            self.log("told \x07 so")
            return self.text("logged")
        if name == "bad_utf8":
            sys.stdout.flush()
            return self.text("bad \udcff byte")
        if name == "environment":
            return self.text(",".join(sorted(os.environ)))
        if name == "fork":
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    time.sleep(60)
            return self.text(f"{os.getpid()} {child}")
        if name == "hog":
            self.hoard = b"x" * (200 << 20)
        return self.text("done")


def write_raw(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def stdio():
    lock = threading.Lock()

    def send(message):
        data = json.dumps(message, ensure_ascii=False).encode(
            errors="surrogateescape")
        with lock:
            sys.stdout.flush()
            sys.stdout.buffer.write(data + b"\n")
            sys.stdout.buffer.flush()

    server = Server(send)
    server.raw = write_raw
    print("a line on stderr", file=sys.stderr, flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "method" not in message:
            server.log("answer " + json.dumps(message, sort_keys=True))
        server.take(message)
    while MODE == "later":
        time.sleep(60)


sessions = {}
count = [0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def fail(self, status, text=""):
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": {
            "code": -32000, "message": text}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, kind, session=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, message, ident=None):
        text = json.dumps(message)
        half = text.find(",") + 1
        lines = [f"id: {ident}"] if ident else []
        lines += [": a comment", "data: " + text[:half], "data: " + text[half:]]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.wfile.flush()

    def raw(self, data):
        self.wfile.write(data if data[:1] != b"{" else b"data: " + data)

    def session(self):
        ident = self.headers.get("Mcp-Session-Id")
        if MODE == "password" and self.headers.get("X-Key") != "open":
            self.fail(401, "who are you")
            return None
        if ident not in sessions:
            self.fail(404, "no such session")
            return None
        if self.headers.get("MCP-Protocol-Version") != "2025-11-25":
            self.fail(400, "no version")
            return None
        return sessions[ident]

    def do_GET(self):
        server = self.session()
        if server is None:
            return
        last = self.headers.get("Last-Event-ID")
        if last and last in server.kept:
            self.begin("text/event-stream")
            for message in server.kept.pop(last):
                self.event(message, "later")
            return
        if MODE == "no-stream":
            self.fail(405)
            return
        self.begin("text/event-stream")
        self.wfile.write(b"retry: 20\n\n")
        if MODE == "endless":
            server.endless(0, 1, self.raw)
        while True:
            with server.ready:
                while not server.queue:
                    server.ready.wait()
                message = server.queue.pop(0)
            self.event(message)

    def do_DELETE(self):
        if self.session() is not None:
            del sessions[self.headers["Mcp-Session-Id"]]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            print("deleted", flush=True)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = json.loads(body)
        if message.get("method") == "initialize":
            if MODE == "password" and self.headers.get("X-Key") != "open":
                self.fail(401, "who are you")
                return
            self.greet(message)
            return
        server = self.session()
        if server is None:
            return
        if "method" not in message:
            server.log("answer " + json.dumps(message, sort_keys=True))
        if message.get("id") is None or "method" not in message:
            server.take(message)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.answer(server, message)

    def greet(self, message):
        count[0] += 1
        ident = f"session-{count[0]}"
        server = sessions[ident] = Server(None)
        server.queue, server.ready = [], threading.Condition()
        server.kept, server.calls = {}, 0

        def send(event):
            with server.ready:
                server.queue.append(event)
                server.ready.notify()
        server.send = send
        self.begin("application/json", ident)
        server.take(message, lambda m: self.wfile.write(
            json.dumps(m).encode()))

    def answer(self, server, message):
        if message["method"] == "tools/call":
            server.calls += 1
        if MODE == "forget" and server.calls > 2:
            sessions.pop(self.headers["Mcp-Session-Id"], None)
            self.fail(404, "no such session")
            return
        if MODE.startswith("json"):
            self.begin("application/json; charset=utf-8")
            server.take(message, lambda m: "result" in m and
                        self.wfile.write(json.dumps(m).encode()))
        elif MODE == "broken" and message["method"] == "tools/call":
            self.begin("text/event-stream")
            kept = server.kept.setdefault(f"e{message['id']}", [])
            self.wfile.write(
                f"retry: 10\nid: e{message['id']}\ndata:\n\n".encode())
            server.take(message, kept.append)
        else:
            self.begin("text/event-stream")
            server.take(message, self.event)


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, address):
        """A client that went away is none."""


if KIND == "stdio":
    stdio()
else:
    with Threads(("127.0.0.1", 0), Handler) as http:
        print(f"port {http.server_address[1]}", flush=True)
        # ends with the test
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)),
                         daemon=True).start()
        http.serve_forever()
