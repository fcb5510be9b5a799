#!/usr/bin/python3
"""What the documents promise: their programs compile and run, their tables are
those of the code, and what control is said to answer is what it answers."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (Asking, Endpoint, check_account,  # noqa: E402
                    failed_with, refused, remote, wait_until)
import harness  # noqa: E402
from harness import Gateway, program  # noqa: E402

LOCAL = ["--ear", "script"]


def document(path):
    with open(os.path.join(harness.ROOT, path)) as f:
        return f.read()


def block(text, language, word):
    """The one code block of that language that holds this word."""
    found = [b for b in re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)
             if word in b]
    assert len(found) == 1, (language, word, len(found))
    return found[0]


class RingLayout(unittest.TestCase):
    def test_table_is_the_header_word_by_word(self):
        header = document("ipc/ring_layout.h")
        words = {name: int(at) for name, at in
                 re.findall(r"RING_AT\(([\w.]+), (\d+)\)", header)}
        rows = {name: int(at) for at, name in re.findall(
            r"(?m)^\| (\d+) \| `([\w.]+)` \|", document("ipc/README.md"))}
        slots = words.pop("slots")
        words["holder.pid"] = words.pop("holder")
        for name in [n for n in words if n.startswith("slots[1].")]:
            del words[name]
        self.assertEqual(rows, words)
        members = re.search(r"struct ring_slot \{(.*?)\};", header, re.S)[1]
        names = re.findall(r"(\w+)(?:\[.*\])?;", members)
        self.assertEqual(
            re.findall(r"`slots\[i\]\.(\w+)`", document("ipc/README.md")), names)
        self.assertIn(f"| {slots} + 64 i | `slots[i].position` |",
                      document("ipc/README.md"))
        version = re.search(r"define RING_ABI UINT32_C\((\d+)\)", header)[1]
        self.assertIn(f"## Layout, version {version}\n", document("ipc/README.md"))


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = document("README.md")

    def test_first_producer_compiles_as_told_and_runs(self):
        source = block(self.text, "c", "vr_writer_open")
        command = re.search(r"`(cc mic\.c [^`]*)`", self.text)[1]
        with tempfile.TemporaryDirectory() as folder, \
                Gateway(arguments=LOCAL) as g:
            with open(os.path.join(folder, "mic.c"), "w") as f:
                f.write(source)
            os.symlink(os.path.join(harness.ROOT, "ipc"),
                       os.path.join(folder, "ipc"))
            os.symlink(harness.BUILD, os.path.join(folder, "build"))
            sanitized = "asan" in harness.BUILD
            subprocess.run(command + (" -fsanitize=address,undefined"
                                      if sanitized else ""), shell=True,
                           cwd=folder, check=True)
            g.wait_streaming()
            ran = subprocess.run(["./mic"], cwd=folder, capture_output=True,
                                 timeout=30, env=dict(
                                     g.environment,
                                     LD_LIBRARY_PATH=harness.BUILD))
            self.assertEqual((ran.returncode, ran.stderr), (0, b""))
            wait_until(lambda: g.call("gateway.stats")["sessions"]["robot"]
                       ["input_frames"]["produced"] == 16000, "all is counted")
            stats = g.call("gateway.stats")["sessions"]["robot"]
            check_account(stats)
            self.assertEqual(stats["input_frames"]["lost"], 0)
            self.assertEqual(g.stop(), 0)
            ran = subprocess.run(["./mic"], cwd=folder, capture_output=True,
                                 timeout=30, env=dict(
                                     g.environment,
                                     LD_LIBRARY_PATH=harness.BUILD))
            self.assertEqual(ran.returncode, 1)
            self.assertTrue(ran.stderr)

    def test_first_subscriber_runs(self):
        source = block(self.text, "python", "v1/transcript/")
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()
            reader = subprocess.Popen([sys.executable, "-u", "-c", source],
                                      stdout=subprocess.PIPE, text=True,
                                      env=g.environment)
            self.addCleanup(reader.stdout.close)
            self.addCleanup(reader.wait)
            self.addCleanup(reader.kill)
            os.set_blocking(reader.stdout.fileno(), False)
            said = []

            def heard():
                g.call("session.text", session="robot", text="goodbye",
                       wait="response")
                said.extend(reader.stdout.readlines())
                return "assistant final Goodbye!\n" in said

            wait_until(heard, "the subscriber prints what is said")
            self.assertEqual(g.stop(), 0)

    def test_table_of_defaults_is_what_holds(self):
        with Gateway(arguments=LOCAL) as g:
            config = g.call("session.get", session="robot")["config"]
            self.assertEqual(g.stop(), 0)
        rows = dict(re.findall(r"(?m)^\| ((?:`[a-z_.]+`(?:, )?)+) \| (.*) \|$",
                               self.text))
        told = {key.strip("` "): value for keys, value in rows.items()
                for key in keys.split(",")}
        self.assertEqual(told["bedrock.model"], f"`{config['model']}`")
        self.assertEqual(told["voice"], f"`{config['voice']}`")
        inference = config["inference"]
        self.assertEqual(told["inference"], "{max_tokens} tokens, top_p {top_p}"
                         ", temperature {temperature}".format(**inference))
        for side in ("input", "output"):
            rate = config[side]["rate_hz"]
            self.assertEqual(config[side]["channels"], 1)
            self.assertTrue(told[side].startswith(f"{rate // 1000} kHz mono"))
            self.assertEqual(config[f"model_{side}_rate_hz"], rate)
        self.assertEqual(told["chunk_ms"], str(config["chunk_ms"]))
        for key in ("gap_ms", "connect_buffer_ms"):
            self.assertRegex(told[key], rf"^{config[key]}\b")
        self.assertEqual(told["tools_wait_ms"], f"all, {config['tools_wait_ms']}")
        self.assertEqual(config["tools"], "*")
        self.assertEqual(told["listen"], f"`{config['listen']}`")
        self.assertEqual(re.findall("`([a-z_]+)`", told["interrupt_on"]),
                         config["interrupt_on"])
        for key in ("endpointing_sensitivity", "greeting", "tool_choice"):
            self.assertEqual(told[key], "not sent")
            self.assertIsNone(config[key])
        self.assertEqual(config["history"], [])

        self.assertEqual(told["rotate_after_s"],
                         f"{config['rotate_after_s']}, "
                         f"{config['rotate_deadline_s']}")
        self.assertEqual(told["idle_close_s"],
                         "{idle_close_s}, {abandoned_s}, {max_session_s} "
                         "(never)".format(**config))
        for key in ("mode", "continuation"):
            self.assertEqual(told[key], f"`{config[key]}`")
        for key in ("deaf_after_s", "outage_buffer_s"):
            self.assertEqual(told[key], str(config[key]))
        self.assertIsNone(config["history_file"])

    def test_table_of_recovery_is_that_of_the_code(self):
        """Each kind of error has the actions that its rows have."""
        table = re.sub(r'"\s*\n\s*"', "", document(
            "gateway/bedrock/exceptions.tbl.h"))
        rows = re.findall(r"(?m)^CLASSIFY_(?:ERROR|H2|CAUSE)\(", table)
        found = re.findall(
            r'(?m)^CLASSIFY_(?:ERROR\(\s*"[^"]*",\s*"[^"]*",\s*\d+,|H2\(\d+, '
            r"\w+,|CAUSE\(\w+,)\s*(\w+),\s*(\w+),", table)
        self.assertEqual(len(found), len(rows))
        holds = {kind: {a for k, a in found if k == kind}
                 for kind in re.findall(r"(?m)^CLASSIFY_KIND\((\w+)", table)}
        actions = set(re.findall(r"(?m)^CLASSIFY_ACTION\((\w+)", table))
        part = self.text[self.text.index("| what happens (kind) |"):]
        told = {}
        for what, done in re.findall(r"(?m)^\| (.*) \| (.*) \|$",
                                     part[:part.index("\n\n")])[1:]:
            for kind in re.findall(r"\(`(\w+)`|, `(\w+)`\)", what):
                told["".join(kind)] = set(re.findall(r"`(\w+)`", done))
        self.assertEqual(told, holds)
        for action in actions:
            self.assertRegex(self.text, rf"(?m)^\* `{action}`: ")

    def test_default_prompt_is_sent_as_told(self):
        prompt = re.search(r'`system_prompt` \| "([^"]+)"', self.text)[1]
        with Endpoint() as end, remote(end) as g:
            g.wait_streaming()
            self.assertEqual(g.stop(), 0)
            sent = [r["body"]["event"]["textInput"]["content"]
                    for r in end.records(kind="received", type="textInput")]
            self.assertEqual(sent, [prompt])

    def test_what_it_names_is_there(self):
        for path in re.findall(r"`((?:ipc|gateway|tools|tests|bench)/"
                               r"[\w./-]*)`", self.text):
            self.assertTrue(os.path.exists(os.path.join(harness.ROOT, path)),
                            path)

    def test_figures_of_streams_and_history_have_sentences(self):
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()
            told = g.cli("stats", "--prometheus", check=True).stdout.decode()
            self.assertEqual(g.stop(), 0)
        for name in ("streams_open", "streams_limit", "session_rotations_total",
                     "session_reconnects_total", "session_replays_total",
                     "session_history_messages", "session_stream_age_seconds",
                     "session_end_of_speech_to_first_text_seconds",
                     "session_end_of_speech_to_first_audio_seconds",
                     "session_input_capacity_frames"):
            said = re.search(rf"(?m)^# HELP voxring_{name} (.*)$", told)
            self.assertTrue(said and "gateway.stats" not in said[1], name)

    def test_settings_it_shows_are_valid(self):
        shown = re.findall(r"(?ms)^```jsonc\n(.*?)^```", self.text)
        self.assertGreater(len(shown), 1)
        for text in shown:
            with tempfile.NamedTemporaryFile("w", suffix=".jsonc") as f:
                f.write(text)
                f.flush()
                ran = subprocess.run([program("voxringd"), "--check-config",
                                      f.name], capture_output=True, text=True)
                self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_help_names_every_option(self):
        out = subprocess.run([program("voxringd"), "--help"], check=True,
                             capture_output=True, text=True).stdout
        for option in re.findall(r"voxringd (--[a-z-]+)", self.text):
            self.assertIn(option, out)


class Control(unittest.TestCase):
    """ipc/control.md, section by section."""

    @staticmethod
    def promised():
        """{method: members of its answer} as the document tells."""
        told = {}
        for name, body in re.findall(
                r"(?ms)^### (\w+\.\w+)\n(.*?)(?=^##|\Z)",
                document("ipc/control.md")):
            found = re.search(r"(?s)\{([^{}\[]*(?:\[\{[^}]*\}\])?[^{}]*)\}",
                              body[body.index("nswers"):]
                              if "nswers" in body else "")
            told[name] = {m.split(":")[0].strip() for m in re.split(
                r",(?![^\[]*\])", found[1]) if m.strip()} if found else set()
        return told

    def test_answers_hold_what_is_documented(self):
        told = self.promised()
        self.assertGreater(len(told), 12)
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()

            def answers(method, **params):
                answer = g.call(method, **params)
                lacks = told[method] - set(answer) - {"error"}  # after one
                self.assertEqual(lacks, set(), method)
                return answer

            answers("session.list")
            answers("session.get", session="robot")
            answers("session.open", session="guest")
            answers("session.close", session="guest")
            answers("session.text", session="robot", text="hello robot")
            whole = g.call("session.text", session="robot", text="goodbye",
                           wait="response")
            self.assertLessEqual({"accepted", "response", "turn", "status",
                                  "text"}, set(whole))
            g.call("session.text", session="robot", text="tell me a story")
            g.bus.wait("transcript", role="assistant", stage="speculative")
            wait_until(lambda: g.call("session.get", session="robot")["rings"]
                       ["out"]["head_frame"] != "0", "it speaks")
            answers("session.interrupt", session="robot")
            answers("session.mute", session="robot", muted=False)
            answers("session.update", session="robot", config={"voice": "amy"})
            answers("session.rotate", session="robot")
            answers("session.reset", session="robot")
            answers("session.history", session="robot")
            answers("history.append", session="robot", role="user", text="Hi.")
            answers("history.replace", session="robot", messages=[])
            answers("session.sleep", session="robot")
            answers("tool.list")
            answers("tool.call", tool="clock")
            answers("gateway.stats")
            answers("gateway.version")
            answers("gateway.snapshot")
            answers("gateway.log")
            answers("gateway.shutdown")
            self.assertEqual(g.process.wait(10), 0)

    def test_examples_are_taken(self):
        examples = [json.loads(e) for e in re.findall(
            r"(?ms)^```json\n(.*?)^```", document("ipc/control.md"))]
        self.assertGreater(len(examples), 2)
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()
            for example in examples:
                g.call(example["method"], **example["params"])
            self.assertEqual(
                [m["text"] for m in g.call("session.history",
                                           session="kitchen")["messages"]],
                ["I am Ada.", "Hello Ada."])
            self.assertEqual(g.stop(), 0)

    def test_errors_are_those_told(self):
        with Gateway(arguments=LOCAL) as g:
            g.wait_streaming()
            told = [
                (-32006, "session.open", {}),
                (-32006, "session.open", {"history": []}),
                (-32602, "session.update", {"config": {"voic": "amy"}}),
                (-32602, "session.update",
                 {"config": {"system_prompt_file": "/etc/hostname"}}),
                (-32602, "session.open",
                 {"session": "x", "config": {"history_file": "/tmp/x"}}),
                (-32602, "session.open",
                 {"session": "x", "config": {"trigger_clip": "/tmp/x"}}),
                (-32001, "session.update", {"config": {"chunk_ms": 20}}),
                (-32001, "history.append",
                 {"role": "user", "text": "Hi.", "revision": "99"}),
                (-32602, "history.append", {"role": "user", "text": " "}),
                (-32005, "history.append",
                 {"role": "user", "text": "x" * 40000, "pinned": True}),
                (-32602, "history.replace",
                 {"messages": [{"role": "robot", "text": "Hi."}]}),
            ]
            for code, method, params in told:
                refused(g, method, code, **{"session": "robot", **params})
            g.call("session.sleep", session="robot")
            refused(g, "session.sleep", -32001, session="robot")
            refused(g, "session.rotate", -32001, session="robot")
            self.assertEqual(g.call("session.history",
                                    session="robot")["messages"], [])
            self.assertEqual(g.stop(), 0)

    def test_who_waits_is_answered_when_it_is_reset_or_put_to_sleep(self):
        with Endpoint() as end, remote(end) as g:
            for number, method in enumerate(("session.reset", "session.sleep")):
                g.wait_streaming()
                asked = Asking(g, "session.text", session="robot", text="slow",
                               wait="response")
                wait_until(lambda: len(end.records(kind="heard", text="slow"))
                           > number, "it is asked")
                g.call(method, session="robot")
                failed_with(asked.end(), -32004)
                answer = g.call("session.text", session="robot",
                                text="goodbye", wait="response")
                self.assertEqual(answer["text"], "Bye.")
            self.assertEqual(g.stop(), 0)

    def test_client_of_the_document_runs(self):
        source = block(document("ipc/control.md"), "python", "zmq.REQ")
        with Gateway(arguments=LOCAL) as g:
            os.symlink(g.runtime, os.path.join(g.folder, "voxring"))
            ran = subprocess.run([sys.executable, "-c", source], timeout=30,
                                 env=dict(g.environment,
                                          XDG_RUNTIME_DIR=g.folder),
                                 capture_output=True, text=True)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertIn("'accepted': True", ran.stdout)
            self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
