#!/usr/bin/python3
"""Credentials and endpoints that are missing, half, wrong or no endpoint: one
error event and log line with what was tried, AWS's code and the remedy."""
import os
import shutil
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
QUICK = {"retry_base_ms": 20, "retry_cap_ms": 100, "retry_slow_s": 0.3}


class Failing(unittest.TestCase):
    def again(self, g, *states):
        """Opens the session again, so that its events are seen from their
        begin."""
        faults.wait_until(
            lambda: g.call("session.get", session="robot")["state"] in states,
            f"{states}")
        g.bus.wait_subscribed()
        g.bus.drain()
        g.bus.at = len(g.bus.seen)
        g.call("session.open", session="robot")

    def told(self, g, error, code, *words):
        """The error, on the bus, by control and in the log."""
        self.assertEqual(error["code"], code)
        self.assertTrue(error["remedy"])
        for word in words:
            self.assertRegex(error["message"] + " " + error["remedy"], word)
        log = faults.logged(g, f"{error['code']}: {error['message']}",
                            error["remedy"], error.get("request_id", ""))
        self.assertNotIn(SECRET, log)
        self.assertNotIn(SECRET, str(g.bus.seen))
        return error

    def fails(self, g, code, *words, limit_s=2, **members):
        """Nothing helps before a person changes something."""
        self.again(g, "failed")
        begun = time.monotonic()
        error = g.bus.wait("error", recoverable=False, **members)["data"]
        self.assertLess(time.monotonic() - begun, limit_s)
        g.bus.wait("session.state", state="failed")
        kept = g.call("session.get", session="robot")["error"]
        self.assertEqual(kept, error, "for who asks later")
        self.assertNotIn("retry_in_ms", error)
        return self.told(g, error, code, *words)

    def tries(self, g, code, *words):
        """It may help to try again: told each time, and never given up."""
        for _ in range(3):
            error = g.bus.wait("error", code=code)["data"]
            self.assertTrue(error["recoverable"])
            self.assertGreaterEqual(error["retry_in_ms"], 0)
            g.bus.wait("session.state", state="waiting")
        self.assertNotIn("session.open", error["remedy"])
        return self.told(g, error, code, *words)


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


class Renewed(Failing):
    """Credentials in a file that somebody renews."""

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="vr-cred-")
        self.addCleanup(shutil.rmtree, folder, True)
        self.path = os.path.join(folder, "credentials")
        self.env = {"AWS_SHARED_CREDENTIALS_FILE": self.path}
        faults.profile(self.path, KEYS)

    def ask(self, g):
        answer = g.call("session.text", session="robot", text="hello robot",
                        wait="response")
        self.assertEqual(answer["text"], "Hello.")

    def test_expired_in_mid_stream_and_renewed_meanwhile(self):
        with Endpoint() as end, remote(end, {"bedrock": dict(
                QUICK, retry_slow_s=30)}, env=self.env) as g:
            g.wait_streaming()
            # Other ones, although the endpoint knows no others: what counts
            # is that they are looked for and differ.
            faults.profile(self.path, dict(KEYS, AWS_SESSION_TOKEN="new"))
            end.break_("expire_token", phase="listening")
            error = g.bus.wait("error")["data"]
            self.assertTrue(error["recoverable"])
            self.assertLess(error["retry_in_ms"], 100)
            self.assertRegex(error["remedy"], "profile")
            # Refused with the new ones, which are tried once, not for ever.
            error = g.bus.wait("error", code="UnrecognizedClientException")
            self.assertGreater(error["data"]["retry_in_ms"], 10000)
            faults.profile(self.path, KEYS)
            g.call("session.open", session="robot")
            g.wait_streaming()
            self.ask(g)
            self.assertEqual(g.stop(), 0)

    def test_expired_and_renewed_later(self):
        with Endpoint() as end, remote(end, {"bedrock": QUICK},
                                       env=self.env) as g:
            g.wait_streaming()
            faults.profile(self.path, dict(KEYS, AWS_SECRET_ACCESS_KEY="old"))
            end.break_("expire_token", phase="listening")
            for _ in range(3):
                error = g.bus.wait("error",
                                   code="InvalidSignatureException")["data"]
                self.assertTrue(error["recoverable"])
                g.bus.wait("session.state", state="waiting")
            faults.profile(self.path, KEYS)
            self.ask(g)
            self.assertEqual(g.stop(), 0)

    def test_expired_for_good_in_the_environment(self):
        with Endpoint() as end, remote(end, {"bedrock": QUICK}) as g:
            g.wait_streaming()
            end.break_("expire_token", phase="listening")
            error = g.bus.wait("error")["data"]
            self.assertFalse(error["recoverable"])
            self.told(g, error, "ValidationException", "restart")
            g.bus.wait("session.state", 2, state="failed")
            self.assertEqual(g.stop(), 0)


class Clock(Failing):
    def skewed(self, ms, words):
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            end.ask(wall_offset_ms=ms)
            end.break_("fin", phase="listening")
            g.bus.wait("error", code="fin")
            error = g.bus.wait("error", code="clock_skew")["data"]
            self.assertRegex(error["message"], words)
            self.assertTrue(error["recoverable"])
            g.wait_streaming()
            answer = g.call("session.text", session="robot",
                            text="hello robot", wait="response")
            self.assertEqual(answer["text"], "Hello.")
            requests = end.ask(stats=True)["requests"]
            self.assertEqual(requests, 3, "lost, refused once, accepted")
            codes = [e["data"]["code"] for e in g.bus.all("error")]
            self.assertEqual(codes, ["fin", "clock_skew"])
            # Known from now on: the next stream is not refused.
            end.break_("fin", phase="listening")
            g.bus.wait("error", code="fin")
            g.wait_streaming()
            self.assertEqual(end.ask(stats=True)["requests"], requests + 1)
            self.assertEqual(g.stop(), 0)
            self.assertEqual(end.records(kind="violation"), [])

    def test_behind(self):
        self.skewed(3600000, r"clock is 3[56]\d\d s behind")

    def test_ahead(self):
        self.skewed(-3600000, r"clock is 3[56]\d\d s ahead")

    def test_of_the_first_stream(self):
        with Endpoint() as end:
            end.ask(wall_offset_ms=1800000)
            with remote(end) as g:
                g.wait_streaming()
                faults.logged(g, "s behind the endpoint's")
                self.assertEqual(end.ask(stats=True)["requests"], 2)
                self.assertEqual(g.stop(), 0)


class Endpoints(Failing):
    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        with remote(f"https://127.0.0.1:{port}") as g:
            self.tries(g, "refused", f"127.0.0.1:{port}", "bedrock.endpoint")
            self.assertEqual(g.stop(), 0)

    def test_certificate_not_trusted(self):
        with Endpoint() as end, remote(end.url) as g:
            self.tries(g, "tls", f":{end.port}", "bedrock.ca_file")
            self.assertEqual(g.stop(), 0)

    def test_ca_file_missing(self):
        with Endpoint() as end, remote(
                end, {"bedrock": {"ca_file": "/nonexistent/ca.pem"}}) as g:
            self.tries(g, "tls", "/nonexistent/ca.pem", "bedrock.ca_file")
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
            self.tries(g, "tls")
            self.assertEqual(g.stop(), 0)

    def test_accepts_and_says_nothing(self):
        def serve(connection):
            while connection.recv(4096):
                pass

        with Listener(serve) as server, remote(
                server.url, {"bedrock": {"connect_timeout_ms": 300}}) as g:
            self.tries(g, "connect_timeout", f":{server.port}")
            self.assertEqual(g.stop(), 0)

    def test_closes_at_once(self):
        with Listener(lambda connection: None) as server, \
                remote(server.url) as g:
            self.tries(g, "tls", f":{server.port}")
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
            self.tries(g, "proxy", "407")
            self.assertEqual(g.stop(), 0)

    def test_proxy_is_away(self):
        with remote("https://127.0.0.1:1",
                    env=self.through("http://127.0.0.1:9")) as g:
            self.tries(g, "refused", "proxy that HTTPS_PROXY")
            self.assertEqual(g.stop(), 0)

    def test_https_proxy_is_refused_with_its_reason(self):
        with self.proxy() as proxy, remote(
                "https://127.0.0.1:1",
                env=self.through(f"https://127.0.0.1:{proxy.port}")) as g:
            self.tries(g, "proxy", "http://")
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
