#!/usr/bin/python3
"""Credentials and endpoints that are missing, half, wrong or no endpoint: one
error event and log line with what was tried, AWS's code and the remedy."""
import os
import socket
import ssl
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults  # noqa: E402
from faults import KEYS, Endpoint, Listener, remote  # noqa: E402

SECRET = KEYS["AWS_SECRET_ACCESS_KEY"]
TRACE = ["--log", "trace"]


class Failing(unittest.TestCase):
    def fails(self, g, code, *words, limit_s=2, **members):
        """Opens the session again, so that its events are seen from their
        begin; it fails with that error, on the bus and in the log."""
        faults.wait_until(
            lambda: g.call("session.get", session="robot")["state"] == "failed",
            "failed")
        g.bus.drain()
        g.bus.at = len(g.bus.seen)
        begun = time.monotonic()
        g.call("session.open", session="robot")
        error = g.bus.wait("error", **members)["data"]
        self.assertLess(time.monotonic() - begun, limit_s)
        g.bus.wait("session.state", state="failed")
        self.assertEqual(error["code"], code)
        kept = g.call("session.get", session="robot")["error"]
        self.assertEqual(kept, error, "for who asks later")
        self.assertTrue(error["remedy"])
        self.assertFalse(error["recoverable"], "nothing recovers yet")
        for word in words:
            self.assertRegex(error["message"] + " " + error["remedy"], word)
        log = faults.logged(g, f"{error['code']}: {error['message']}",
                            error["remedy"], error.get("request_id", ""))
        self.assertNotIn(SECRET, log)
        self.assertNotIn(SECRET, str(g.bus.seen))
        return error


class Credentials(Failing):
    def test_none_names_each_source_tried(self):
        with remote("https://127.0.0.1:1", env={}, arguments=TRACE) as g:
            error = self.fails(g, "no_credentials", "environment",
                               "AWS_ACCESS_KEY_ID", "/nonexistent/credentials",
                               "default")
            self.assertEqual(error["class"], "config")
            self.assertEqual(g.stop(), 0)

    def test_half_names_the_missing_half(self):
        half = {"AWS_SECRET_ACCESS_KEY": SECRET}
        with remote("https://127.0.0.1:1", env=half, arguments=TRACE) as g:
            self.fails(g, "no_credentials", "AWS_SECRET_ACCESS_KEY is set but "
                       "AWS_ACCESS_KEY_ID is not")
            self.assertEqual(g.stop(), 0)

    def test_half_profile_names_file_and_key(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "credentials")
            with open(path, "w") as f:
                f.write("[default]\naws_access_key_id = AKIAHALF\n")
            with remote("https://127.0.0.1:1",
                        env={"AWS_SHARED_CREDENTIALS_FILE": path}) as g:
                self.fails(g, "no_credentials", "aws_secret_access_key", path)
                self.assertEqual(g.stop(), 0)

    def test_wrong_secret(self):
        wrong = dict(KEYS, AWS_SECRET_ACCESS_KEY="another/secret/0123456789")
        with Endpoint() as end, remote(end, env=wrong, arguments=TRACE) as g:
            error = self.fails(g, "InvalidSignatureException", "secret")
            self.assertEqual(error["http_status"], 403)
            self.assertTrue(error["request_id"])
            self.assertNotIn("another/secret", g.whole_log())
            self.assertEqual(g.stop(), 0)

    def test_unknown_key_id(self):
        wrong = dict(KEYS, AWS_ACCESS_KEY_ID="AKIANOBODYHASTHISONE")
        with Endpoint() as end, remote(end, env=wrong, arguments=TRACE) as g:
            error = self.fails(g, "UnrecognizedClientException", "access key")
            self.assertEqual(error["http_status"], 403)
            self.assertNotIn("AKIANOBODYHASTHISONE", g.whole_log())
            self.assertEqual(g.stop(), 0)

    def test_wrong_session_token(self):
        wrong = dict(KEYS, AWS_SESSION_TOKEN="token/that/nobody/may/see")
        with Endpoint() as end, remote(end, env=wrong, arguments=TRACE) as g:
            self.fails(g, "UnrecognizedClientException")
            self.assertNotIn("token/that", g.whole_log())
            self.assertEqual(g.stop(), 0)

    def test_nothing_secret_at_trace_level(self):
        token = dict(KEYS, AWS_SESSION_TOKEN="token/that/nobody/may/see")
        with Endpoint(keys=token) as end, remote(end, env=token,
                                                 arguments=TRACE) as g:
            g.wait_streaming()
            g.call("session.text", session="robot", text="hello robot",
                   wait="response")
            self.assertEqual(g.stop(), 0)
            log = g.whole_log()
            self.assertRegex(log, r"-> audioInput, \d+ bytes")
            self.assertRegex(log, r"<- audioOutput, \d+ bytes")
            self.assertIn("-> {\"event\":{\"promptStart\"", log)
            self.assertIn("AKIA", log)
            for secret in (SECRET, KEYS["AWS_ACCESS_KEY_ID"], "token/that",
                           "Signature=", "AWS4"):
                self.assertNotIn(secret, log)
            self.assertNotRegex(log, r"\b[0-9a-f]{64}\b", "a signature")
            self.assertNotRegex(log, r"[A-Za-z0-9+/]{200}", "audio")

    def test_profile_holds_a_conversation(self):
        with Endpoint() as end, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "credentials")
            with open(path, "w") as f:
                f.write("[default]\naws_access_key_id = AKIAWRONG\n"
                        "aws_secret_access_key = wrong\n"
                        "# the robot's\n[robot]\n"
                        f"aws_access_key_id = {KEYS['AWS_ACCESS_KEY_ID']}\n"
                        f"aws_secret_access_key={SECRET}\n")
            with remote(end, {"bedrock": {"profile": "robot"}}, env={
                    "AWS_SHARED_CREDENTIALS_FILE": path}) as g:
                answer = g.call("session.text", session="robot",
                                text="hello robot", wait="response")
                self.assertEqual(answer["text"], "Hello.")
                self.assertEqual(g.stop(), 0)
                self.assertEqual(end.records(kind="violation"), [])

    def test_credentials_given_later_are_found(self):
        with Endpoint() as end, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "credentials")
            with remote(end, env={"AWS_SHARED_CREDENTIALS_FILE": path}) as g:
                self.fails(g, "no_credentials", path)
                with open(path, "w") as f:
                    f.write("[default]\n"
                            f"aws_access_key_id={KEYS['AWS_ACCESS_KEY_ID']}\n"
                            f"aws_secret_access_key={SECRET}\n")
                g.call("session.open", session="robot")
                g.wait_streaming()
                self.assertEqual(g.stop(), 0)


class Endpoints(Failing):
    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        with remote(f"https://127.0.0.1:{port}") as g:
            self.fails(g, "refused", f"127.0.0.1:{port}", "bedrock.endpoint")
            self.assertEqual(g.stop(), 0)

    def test_certificate_not_trusted(self):
        with Endpoint() as end, remote(end.url) as g:
            self.fails(g, "tls", f":{end.port}", "bedrock.ca_file")
            self.assertEqual(g.stop(), 0)

    def test_ca_file_missing(self):
        with Endpoint() as end, remote(
                end, {"bedrock": {"ca_file": "/nonexistent/ca.pem"}}) as g:
            self.fails(g, "tls", "/nonexistent/ca.pem", "bedrock.ca_file")
            self.assertEqual(g.stop(), 0)

    def no_h2(self, protocols):
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = faults.make_certificate(folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            if protocols:
                context.set_alpn_protocols(protocols)

            def serve(connection):
                with context.wrap_socket(connection, server_side=True) as tls:
                    while tls.recv(4096):
                        pass

            with Listener(serve) as server, remote(
                    server.url, {"bedrock": {"ca_file": certificate}}) as g:
                self.fails(g, "no_h2", "HTTP/2", "ALPN")
                self.assertEqual(g.stop(), 0)

    def test_no_alpn_at_all(self):
        self.no_h2([])

    def test_only_http_1(self):
        self.no_h2(["http/1.1"])

    def test_no_tls(self):
        def serve(connection):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with Listener(serve) as server, remote(server.url) as g:
            self.fails(g, "tls")
            self.assertEqual(g.stop(), 0)

    def test_accepts_and_says_nothing(self):
        def serve(connection):
            while connection.recv(4096):
                pass

        with Listener(serve) as server, remote(
                server.url, {"bedrock": {"connect_timeout_ms": 300}}) as g:
            self.fails(g, "connect_timeout", f":{server.port}")
            self.assertEqual(g.stop(), 0)

    def test_closes_at_once(self):
        with Listener(lambda connection: None) as server, \
                remote(server.url) as g:
            self.fails(g, "tls", f":{server.port}")
            self.assertEqual(g.stop(), 0)

    def test_unknown_model(self):
        config = {"bedrock": {"model": "amazon.nova-9-opera-v1:0"}}
        with Endpoint() as end, remote(end, config) as g:
            error = self.fails(g, "ValidationException", "model identifier",
                               "bedrock.model")
            self.assertEqual(error["http_status"], 400)
            self.assertRegex(g.whole_log(), "nova-9-opera-v1:0 is not known")
            self.assertEqual(g.stop(), 0)


    def test_voice_that_the_model_lacks(self):
        config = {"sessions": {"robot": {"voice": "nobody"}}}
        with Endpoint() as end, remote(end, config) as g:
            self.fails(g, "ValidationException", "voice", "matthew")
            faults.logged(g, "voice nobody is not known")
            self.assertEqual(g.stop(), 0)


class Proxies(Failing):
    @staticmethod
    def proxy(answer=b"HTTP/1.1 200 OK\r\n\r\n"):
        def serve(connection):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            connection.sendall(answer)
            if b" 200 " not in answer:
                return
            host, port = head.split()[1].decode().rsplit(":", 1)
            with socket.create_connection((host, int(port))) as far:
                back = faults.threading.Thread(target=faults.pump,
                                               args=(far, connection))
                back.start()
                faults.pump(connection, far)
                back.join()

        return Listener(serve)

    def through(self, url):
        return dict(KEYS, https_proxy=url, no_proxy="", NO_PROXY="")

    def test_conversation_through_a_proxy(self):
        with Endpoint() as end, self.proxy() as proxy, remote(
                end, env=self.through(f"http://127.0.0.1:{proxy.port}")) as g:
            answer = g.call("session.text", session="robot", text="hello robot",
                            wait="response")
            self.assertEqual(answer["text"], "Hello.")
            self.assertEqual(proxy.count, 1)
            self.assertEqual(g.stop(), 0)

    def test_proxy_wants_a_password(self):
        answer = (b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                  b"Proxy-Authenticate: Basic realm=\"x\"\r\n"
                  b"Content-Length: 0\r\n\r\n")
        with self.proxy(answer) as proxy, remote(
                "https://127.0.0.1:1",
                env=self.through(f"http://127.0.0.1:{proxy.port}")) as g:
            self.fails(g, "proxy", "407")
            self.assertEqual(g.stop(), 0)

    def test_proxy_is_away(self):
        with remote("https://127.0.0.1:1",
                    env=self.through("http://127.0.0.1:9")) as g:
            self.fails(g, "refused", "proxy that HTTPS_PROXY")
            self.assertEqual(g.stop(), 0)

    def test_https_proxy_is_refused_with_its_reason(self):
        with self.proxy() as proxy, remote(
                "https://127.0.0.1:1",
                env=self.through(f"https://127.0.0.1:{proxy.port}")) as g:
            self.fails(g, "proxy", "http://")
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
