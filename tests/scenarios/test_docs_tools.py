#!/usr/bin/python3
"""What the documents promise of tools: their commands and programs work as
they stand there, with a gateway that runs, and their tables are complete."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
from faults import wait_until  # noqa: E402
from harness import Gateway, program  # noqa: E402

LOCAL = ["--ear", "script"]
GUIDES = ("README.md", "tools/README.md")


def document(path):
    with open(os.path.join(harness.ROOT, path)) as f:
        return f.read()


def blocks(path, language):
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", document(path))


def offered(gateway):
    return {t["name"] for t in gateway.call("tool.list")["tools"]}


class Tools(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vr-docs-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.symlink(os.path.join(harness.ROOT, "tools"),
                   os.path.join(self.folder, "tools"))

    def test_first_plugin_is_made_tried_dropped_in_and_called(self):
        shown = [b for b in blocks("README.md", "sh") if "tool new" in b]
        self.assertEqual(len(shown), 1)
        os.makedirs(os.path.join(self.folder, "build", "plugins"))
        for name in ("voxring", "voxring-toolhost"):
            os.symlink(program(name), os.path.join(self.folder, "build", name))
        make, call = shown[0].split("build/voxring tool call")
        with Gateway({"plugins": {"path": os.path.join(
                self.folder, "build", "plugins")}}, arguments=LOCAL) as g:
            g.wait_streaming()
            for lines, ready in ((make, set()), ("build/voxring tool call"
                                                 + call, {"greet"})):
                wait_until(lambda: ready <= offered(g), "it is offered")
                ran = subprocess.run(["sh", "-e", "-c", lines],
                                     cwd=self.folder, env=g.environment,
                                     capture_output=True, text=True)
                self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
            self.assertIn("Ada", ran.stdout)
            g.bus.wait("stream", phase="current", stream=2)
            self.assertEqual(g.stop(), 0)

    def test_workers_of_the_guides_run(self):
        for guide in GUIDES:
            source = [b for b in blocks(guide, "python") if "Worker(" in b]
            self.assertEqual(len(source), 1, guide)
            with self.subTest(guide), Gateway(arguments=LOCAL) as g:
                worker = subprocess.Popen(
                    [sys.executable, "-c", source[0]], env=dict(
                        g.environment, PYTHONPATH=os.path.join(
                            harness.ROOT, "ipc"),
                        VOXRING_LIBRARY=os.environ.get(
                            "VOXRING_LIBRARY", os.path.join(
                                harness.ROOT, "build", "libvoxring.so"))))
                try:
                    wait_until(lambda: "lamp" in offered(g), "it is offered")
                    answer = g.call("tool.call", tool="lamp",
                                    arguments={"on": True})
                    self.assertEqual(answer["content"],
                                     {"text": "The lamp is on."})
                    self.assertEqual(g.stop(), 0)
                finally:
                    worker.kill()
                    worker.wait()

    def test_settings_shown_are_valid(self):
        for text in blocks("tools/README.md", "jsonc"):
            path = os.path.join(self.folder, "voxring.jsonc")
            with open(path, "w") as f:
                f.write(text)
            ran = subprocess.run([program("voxringd"), "--check-config", path],
                                 capture_output=True, text=True)
            self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_tables_name_every_plugin_and_its_tools(self):
        """By what each offers where it has what it needs."""
        plugins = {f[:-3] for f in os.listdir(program("plugins"))
                   if f.endswith(".so")}
        for guide in ("README.md", "tools/plugins/README.md"):
            text = document(guide)
            part = text[text.index("| plugin |"):].split("\n\n")[0]
            self.assertEqual(set(re.findall(r"(?m)^\| `(\w+)` \|", part)),
                             plugins, guide)
        told = document("tools/plugins/README.md")
        for name in plugins:
            ran = subprocess.run(
                [program("voxring-toolhost"), "--check",
                 os.path.join(program("plugins"), name + ".so")],
                capture_output=True, text=True, check=True)
            row = re.search(rf"(?m)^\| `{name}` \| (.*?) \|", told)[1]
            self.assertEqual(set(re.findall(r"`(\w+)`", row)),
                             {t["name"] for t in json.loads(ran.stdout)
                              ["tools"]}, name)


if __name__ == "__main__":
    unittest.main()
