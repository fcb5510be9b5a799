#!/usr/bin/python3
"""The settings file: what is wrong is told with its place, its line and what
would be right, all at once; nothing is started with it."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
from harness import program  # noqa: E402

EXAMPLE = os.path.join(harness.ROOT, "gateway", "voxring.example.jsonc")


class Config(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vr-config-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "voxring.jsonc")

    def run_with(self, *arguments, **env):
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith(("AWS_", "VOXRING_CONFIG"))}
        environment.update(env, VOXRING_RUNTIME_DIR=self.folder)
        done = subprocess.run([program("voxringd"), *arguments],
                              capture_output=True, timeout=20,
                              env=environment)
        harness.check_sanitizers(done.stderr.decode(errors="replace"))
        return (done.returncode, done.stdout.decode(errors="replace"),
                done.stderr.decode(errors="replace"))

    def check(self, text):
        with open(self.path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return self.run_with("--check-config", self.path)

    def wrong(self, text, *words):
        """Refused by --check-config and at the start, in the same words."""
        code, out, err = self.check(text)
        self.assertEqual(code, 2, out + err)
        for word in words:
            self.assertRegex(out + err, word)
        code, _, start = self.run_with("--config", self.path)
        self.assertEqual(code, 2)
        for word in words:
            self.assertRegex(start, word)
        self.assertEqual(os.listdir(self.folder), ["voxring.jsonc"])
        return out + err

    def test_shortest_is_complete(self):
        code, out, _ = self.check('{"sessions": {"robot": {}}}')
        self.assertEqual(code, 0)
        for word in ("amazon.nova-2-sonic-v1:0", "matthew", "16000", "24000",
                     "chunk_ms"):
            self.assertIn(word, out)

    def test_null_is_the_default(self):
        _, short, _ = self.check('{"sessions": {"robot": {}}}')
        code, nulls, _ = self.check(
            '{"log": null, "bedrock": null, "sessions": {"robot": {"voice": '
            'null, "input": {"rate_hz": null}, "chunk_ms": null}}}')
        self.assertEqual(code, 0)
        self.assertEqual(nulls, short)

    def test_example_is_accepted_and_is_the_default(self):
        code, out, err = self.run_with("--check-config", EXAMPLE)
        self.assertEqual(code, 0, err)
        _, short, _ = self.check(json.dumps({
            "sessions": {"robot": {}}, "tool_settings": {"clock": {}},
            "plugins": {"rules": {"*": {}}}, "workers": {"rules": {"*": {}}}}))
        self.assertEqual(out.partition("\n")[2], short.partition("\n")[2])

    def test_what_it_prints_is_a_file_it_takes(self):
        _, out, _ = self.check('{"sessions": {"a": {"voice": "amy"}, "b": {}}}')
        text = out[out.index("{"):]
        code, again, err = self.check(text)
        self.assertEqual(code, 0, err)
        self.assertEqual(again[again.index("{"):], text)

    def test_every_mistake_has_its_place_and_line(self):
        told = self.wrong(
            '// a robot\n{\n  "sesions": {},\n  "log": "loud",\n'
            '  "sessions": {"robot": {\n    "voise": "amy",\n'
            '    "chunk_ms": 7,\n    "input": {"rate_hz": 44100},\n'
            '    "listen": true, /* really */\n'
            '    "inference": {"top_p": "high"},\n'
            '    "history": [{"role": "ROBOT", "text": "x"}]\n  }}\n}\n',
            r":3: .*sesions", r":4: .*log.*trace",
            r":6: .*sessions\.robot\.voise", r":7: .*chunk_ms.*10.*100",
            r":8: .*input\.rate_hz.*8000.*48000", r":9: .*listen.*when_quiet",
            r":10: .*inference\.top_p", r":11: .*history.*USER")
        self.assertIn(self.path, told)

    def test_near_misses_are_suggested(self):
        self.wrong('{"sessions": {"robot": {"voise": "amy"}}}', r"voice")

    def test_broken_json(self):
        self.wrong("", r"voxring.jsonc")
        self.wrong('{\n"sessions": {\n"robot": {},,\n}}', r":3")
        self.wrong('{"sessions": {"robot": {}}', r":1")
        self.wrong('{"sessions": {"robot": {}}} and more', r":1")
        self.wrong('["sessions"]', r"keys and values")
        self.wrong("[" * 100000, r":1")
        self.wrong(b'{"log": "\xff"}', r"UTF-8|:1")
        self.wrong('{"log": "info", "log": "debug"}', r"twice|again|more than")

    def test_wrong_names_and_values(self):
        for text, *words in (
                ('{"sessions": {"Two Words": {}}}', "Two Words", "a-z"),
                ('{"sessions": {"x/../y": {}}}', "a-z"),
                ('{"bedrock": {"endpoint": "http://x"}}', "endpoint", "https"),
                ('{"bedrock": {"region": "us east"}}', "region", "us-east-1"),
                ('{"bus": {"events": "tcp://*:1"}}', "bus.events", "ipc://"),
                ('{"runtime_dir": "here"}', "runtime_dir", "/"),
                ('{"sessions": {"a": {"system_prompt_file": "none.txt"}}}',
                 "none.txt"),
                ('{"sessions": {"a": {"chunk_ms": 1e99}}}', "chunk_ms"),
                ('{"sessions": {"a": {"chunk_ms": 32.5}}}', "chunk_ms"),
                ('{"sessions": {"a": {"chunk_ms": -32}}}', "chunk_ms"),
                ('{"sessions": {"a": {"tools": ["a", 7]}}}', "tools"),
                ('{"plugins": {"config": {"clock": 7}}}', "plugins.config")):
            self.wrong(text, *words)

    def test_file_missing_or_no_file(self):
        for path in (os.path.join(self.folder, "none.jsonc"), self.folder):
            for option in ("--check-config", "--config"):
                code, out, err = self.run_with(option, path)
                self.assertEqual(code, 2)
                self.assertIn(path, out + err)

    def test_arguments(self):
        for arguments in (["--what"], ["extra"], ["--config"],
                          ["--ear", "real"], ["--config", EXAMPLE,
                                              "--log", "loud"]):
            code, out, err = self.run_with(*arguments)
            self.assertEqual(code, 2, arguments)
            self.assertTrue(out + err)
        code, out, _ = self.run_with("--help")
        self.assertEqual(code, 0)
        self.assertIn("--check-config", out)
        code, out, _ = self.run_with("--version")
        self.assertEqual((code, out.split()[0]), (0, "voxringd"))

    def test_every_key_is_in_the_example(self):
        with open(os.path.join(harness.ROOT, "gateway/config.tbl.h")) as f:
            table = f.read()
        keys = re.findall(r"^CONFIG_\w+\(\s*\"([\w.]+)\"", table, re.M)
        self.assertGreater(len(keys), 30)
        with open(EXAMPLE) as f:
            text = re.sub(r"^\s*//.*|//(?![^\"]*\"[^\"]*$).*", "", f.read(),
                          flags=re.M)
        example = json.loads(text)
        for key in keys:
            at = example
            if key.split(".")[0] not in example:
                at = example["sessions"]["robot"]
            for part in key.split("."):
                self.assertIn(part, at, key)
                at = at[part]


if __name__ == "__main__":
    unittest.main()
