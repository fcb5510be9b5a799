#!/usr/bin/python3
"""Plugins that come, change and go while a conversation runs: it gains and
loses their tools by a change of streams that nobody notices."""
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Asking, check_responses, check_tools, logged  # noqa: E402
from faults import wait_until  # noqa: E402
import harness  # noqa: E402
from recorded import (ASKED, SCRIPT, Marker, Rotating,  # noqa: E402
                      difference, said)
from speech import Loudspeaker  # noqa: E402
from test_tools import PLUGIN, compile_plugin  # noqa: E402

# The sanitizers' toolhost loads a file from where it lies, so that reports
# name it: then a file that is in use must not be written over.
IN_PLACE = os.path.basename(harness.BUILD) not in ("asan", "tsan")
SETTLE_MS = 100
GREET = {"hear": ["use greet"], "on": "text", "say": "Version {greet.version}.",
         "say_error": "It failed.", "tool": {"name": "greet"}}
LOST = {"hear": ["use greet later"], "on": "text", "slow_ms": 1500,
        "say": "Version {greet.version}.", "say_error": "It failed.",
        "tool": {"name": "greet"}}
STORY = {"hear": ["a short story"], "on": "text",
         "say": "Once upon a time there was a robot. And so it went on."}
LINES = dict(SCRIPT, lines=[GREET, LOST, STORY])
TEXT = PLUGIN.replace('.name = "%(name)s", .description',
                      '.name = "greet", .description') \
             .replace('"\\"required\\":[\\"n\\"]}"', '"\\"required\\":[]}"')
REFUSES = 'snprintf(w, n, "it wants more"); return -1;'
DIES = "static void __attribute__((constructor)) dies(void) { _exit(9); }"


class DropIn(Rotating):
    def setUp(self):
        self.own = tempfile.mkdtemp(prefix="vr-dropin-")
        self.addCleanup(shutil.rmtree, self.own, True)
        self.folder = os.path.join(self.own, "drop")
        self.gate = os.path.join(self.own, "gate")
        self.made = 0
        os.mkdir(self.folder, 0o755)

    def begin(self, session=None, path=None, **plugins):
        """(endpoint, gateway) of a conversation that runs, without greet."""
        end, g = self.start(dict(ASKED, **(session or {})), LINES, config={
            "plugins": dict({"path": path or [
                harness.usual_plugins(self.own), self.folder],
                "settle_ms": SETTLE_MS}, **plugins)})
        wait_until(lambda: g.call("tool.list")["complete"], "all are settled")
        return end, g

    # ---- files ----

    def make(self, version, slow=False, name="greet", **more):
        """A plugin's file outside the folder, whose tool greet answers with
        that version; a slow one waits for the gate."""
        self.made += 1
        workshop = os.path.join(self.own, str(self.made))
        os.mkdir(workshop)
        wait = f'while (access("{self.gate}", F_OK)) usleep(1000);'
        more.setdefault("text", TEXT)
        compile_plugin(
            workshop, name, timeout=30000, call=(wait if slow else "")
            + 'host->complete(call->token, VOXRING_OK,'
            + f' "{{\\"version\\": \\"{version}\\"}}");', **more)
        return os.path.join(workshop, f"{name}.so")

    def open_gate(self):
        with open(self.gate, "w"):
            pass

    def place(self, name="greet"):
        return os.path.join(self.folder, f"{name}.so")

    def copy(self, made, name="greet"):
        """As cp does, which writes over what is there."""
        if not IN_PLACE and os.path.exists(self.place(name)):
            return self.move(made, name)
        subprocess.run(["cp", made, self.place(name)], check=True)

    def move(self, made, name="greet"):
        subprocess.run(["cp", made, self.place(name) + ".new"], check=True)
        os.rename(self.place(name) + ".new", self.place(name))

    # ---- what is told ----

    def registered(self, g, state, **members):
        return g.bus.wait("tool.registered", state=state, **members)["data"]

    def rotated(self, g):
        return g.bus.wait("stream", phase="current",
                          reason="the tools changed")["data"]

    def offered(self, g):
        return {t["name"] for t in g.call("tool.list")["tools"]}

    def provider(self, g, name="greet"):
        return [p for p in g.call("tool.list")["providers"]
                if p["name"] == name]

    def ask(self, g, text="use greet"):
        return g.call("session.text", session="robot", text=text,
                      wait="response")["text"]

    def version(self, g):
        """Of whoever answers a call by control."""
        answer = g.call("tool.call", tool="greet", arguments={})
        self.assertEqual(answer["outcome"], "result", answer)
        return int(answer["content"]["version"])

    def rotations(self, g):
        return self.stats(g)["counters"]["rotations_total"]

    def dropped_in(self, g, made, name="greet", **more):
        """Copied, offered, and known to the conversation."""
        self.copy(made, name)
        self.registered(g, "offered", tool="greet", **more)
        return self.rotated(g)

    def finish(self, end, g, marker=None):
        """In good order; each frame went to exactly one stream."""
        if marker:
            marker.stop()
            self.all_sent(g, marker)
        frames = self.stats(g)["input_frames"]
        self.assertEqual((frames["resent"], frames["lost"]), (0, 0))
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)
        check_responses(g.bus)
        check_tools(g.bus)
        if marker:
            self.compare(end, marker)

    def compare(self, end, marker):
        received = marker.frames()[:0]
        for number in end.streams():
            self.assertTrue(end.told(number)["whole"])
            received += said(end.audio(number))
        self.assertIsNone(difference(received, marker.frames()))

    # ---- drop in ----

    def test_half_a_file_is_not_loaded_and_a_whole_one_is_gained(self):
        with open(self.make(1), "rb") as f:
            whole = f.read()
        end, g = self.begin()
        with Marker(g, seed=1) as marker, open(self.place(), "wb") as f:
            f.write(whole[:len(whole) // 2])
            f.flush()
            # That a later file is offered shows that this one was looked at.
            subprocess.run(["cp", os.path.join(harness.BUILD, "plugins",
                                               "system.so"), self.folder],
                           check=True)
            self.registered(g, "offered", provider="system")
            self.rotated(g)
            self.assertEqual([p["state"] for p in self.provider(g)],
                             ["waiting"])
            self.assertNotIn("greet", self.offered(g))
            self.assertNotIn("greet", [e["data"]["provider"] for e in
                                       g.bus.all("tool.registered")])
            f.write(whole[len(whole) // 2:])
            f.close()
            news = self.registered(g, "offered", tool="greet")
            self.assertEqual((news["provider"], news["kind"]),
                             ("greet", "plugin"))
            news = self.rotated(g)
            self.assertEqual(news["replay"], "none")
            self.assertEqual(self.ask(g), "Version 1.")
            call = g.bus.wait("tool.call", tool="greet")["data"]
            self.assertEqual((call["provider"], call["kind"], call["mode"]),
                             ("greet", "plugin", "sync"))
            self.finish(end, g, marker)
        self.assertNotIn("greet", end.told(1)["tools"])
        self.assertIn("greet", end.told(news["stream"])["tools"])

    def test_gained_while_the_robot_talks(self):
        """What it says is heard to its end first."""
        made = self.make(1)
        end, g = self.begin()
        with Loudspeaker(g) as speaker, Marker(g, seed=2) as marker:
            asked = Asking(g, "session.text", session="robot",
                           text="a short story", wait="response")
            g.bus.wait("playback", phase="started")
            self.copy(made)
            self.registered(g, "offered", tool="greet")
            self.assertEqual(asked.end()["text"], STORY["say"])
            g.bus.wait("playback", phase="finished")
            self.rotated(g)
            self.assertEqual(speaker.flushes, [])
            self.assertEqual(self.ask(g), "Version 1.")
            self.assertEqual(g.bus.all("interruption"), [])
            self.finish(end, g, marker)

    def test_folder_that_is_not_watched_is_read_when_asked(self):
        made = self.make(1)
        end, g = self.begin(watch="off")
        self.copy(made)
        g.bus.drain()
        g.bus.wait("heartbeat")
        self.assertEqual(self.provider(g), [])
        g.call("tool.reload", provider="greet")
        self.registered(g, "offered", tool="greet")
        self.rotated(g)
        self.assertEqual(self.ask(g), "Version 1.")
        self.finish(end, g)

    # ---- replace ----

    def replace(self, g, put, version, before):
        """A call that the old version is in ends with its answer; the next
        one gets the new version's."""
        put(self.make(before, slow=True))
        self.registered(g, "replaced", provider="greet")
        asked = Asking(g, "session.text", session="robot", text="use greet",
                       wait="response")
        g.bus.wait("tool.call", tool="greet")
        old = self.provider(g)[0]["pid"]
        put(self.make(version))
        self.registered(g, "replaced", provider="greet")
        self.assertEqual(self.version(g), version)
        self.assertTrue(os.path.exists(f"/proc/{old}"))
        self.open_gate()
        self.assertEqual(asked.end()["text"], f"Version {before}.")
        os.unlink(self.gate)
        wait_until(lambda: not os.path.exists(f"/proc/{old}"),
                   "the old version's process has ended")
        self.assertEqual(self.ask(g), f"Version {version}.")

    def test_replaced_in_mid_call_by_cp_and_by_mv(self):
        end, g = self.begin()
        with Marker(g, seed=3) as marker:
            self.dropped_in(g, self.make(1))
            self.replace(g, self.copy, 3, before=2)
            self.replace(g, self.move, 5, before=4)
            # The model knows nothing of it: the tools are the same.
            self.assertEqual(self.rotations(g), 1)
            self.finish(end, g, marker)

    def test_replaced_twice_quickly(self):
        end, g = self.begin()
        self.dropped_in(g, self.make(1))
        second, third, fourth = (self.make(v) for v in (2, 3, 4))
        seen = []
        self.copy(second)
        self.copy(third)

        def newest(version):
            seen.append(self.version(g))
            return seen[-1] == version
        wait_until(lambda: newest(3), "the third answers")
        self.move(second)
        g.call("tool.reload", provider="greet")
        self.move(fourth)
        wait_until(lambda: newest(4), "the fourth answers")
        self.assertTrue(set(seen) <= {1, 2, 3, 4}, seen)
        self.assertEqual(self.ask(g), "Version 4.")
        self.assertEqual(self.rotations(g), 1)
        self.finish(end, g)

    def test_new_version_with_another_description_is_a_rotation(self):
        end, g = self.begin()
        with Marker(g, seed=4) as marker:
            self.dropped_in(g, self.make(1))
            self.move(self.make(2, text=TEXT.replace("something odd",
                                                     "something new")))
            news = self.rotated(g)
            self.assertEqual(self.ask(g), "Version 2.")
            self.assertNotIn("gone", [e["data"]["state"] for e in
                                      g.bus.all("tool.registered")])
            self.finish(end, g, marker)
        prompts = end.records(kind="received", type="promptStart")
        self.assertIn("something new", str(prompts[news["stream"] - 1]))
        self.assertNotIn("something new", str(prompts[news["stream"] - 2]))

    def test_broken_new_version_leaves_the_old(self):
        end, g = self.begin()
        self.dropped_in(g, self.make(1))
        text = os.path.join(self.own, "text.so")
        with open(text, "w") as f:
            f.write("this is no library, however often one copies it\n" * 10)
        for made, why in (
                (text, "no shared library"),
                (self.make(2, text="int %(name)s_nothing;"), "voxring_plugin"),
                (self.make(3, init=REFUSES), "it wants more"),
                (self.make(4, init="_exit(9);"), "exit|status 9"),
                (self.make(5, after=DIES), "exit|status 9")):
            self.move(made)
            news = self.registered(g, "refused", provider="greet")
            self.assertRegex(news["reason"], why)
            self.assertRegex(news["reason"], "the old one goes on")
            self.assertEqual(self.ask(g), "Version 1.")
        self.move(self.make(6))
        self.registered(g, "replaced", provider="greet")
        self.assertEqual(self.ask(g), "Version 6.")
        self.assertEqual(self.rotations(g), 1)
        self.finish(end, g)

    # ---- remove ----

    def test_removed_in_mid_call(self):
        """The call gets its answer, then the tool is gone."""
        end, g = self.begin()
        with Marker(g, seed=5) as marker:
            first = self.dropped_in(g, self.make(1, slow=True))
            pid = self.provider(g)[0]["pid"]
            asked = Asking(g, "session.text", session="robot",
                           text="use greet", wait="response")
            g.bus.wait("tool.call", tool="greet")
            os.unlink(self.place())
            news = self.registered(g, "gone", tool="greet")
            self.assertEqual(news["provider"], "greet")
            self.assertNotIn("greet", self.offered(g))
            self.open_gate()
            self.assertEqual(asked.end()["text"], "Version 1.")
            news = self.rotated(g)
            wait_until(lambda: not os.path.exists(f"/proc/{pid}"),
                       "its process has ended")
            self.assertEqual(self.provider(g), [])
            self.finish(end, g, marker)
        self.assertIn("greet", end.told(first["stream"])["tools"])
        self.assertNotIn("greet", end.told(news["stream"])["tools"])

    def test_removed_before_the_model_uses_it(self):
        """It was offered, and is not there: one error, one warning."""
        end, g = self.begin()
        self.dropped_in(g, self.make(1))
        asked = Asking(g, "session.text", session="robot",
                       text="use greet later", wait="response")
        wait_until(lambda: end.records(kind="received", type="textInput")[-1:]
                   and "later" in str(end.records(
                       kind="received", type="textInput")[-1]), "it is asked")
        os.unlink(self.place())
        self.registered(g, "gone", tool="greet")
        self.assertEqual(asked.end()["text"], "It failed.")
        result = g.bus.wait("tool.result", tool="greet")["data"]
        self.assertEqual((result["outcome"], result["delivery"]),
                         ("error", "answer"))
        self.assertIn("error", result["content"])
        self.rotated(g)
        log = logged(g, "call 1: greet")
        self.assertEqual(len([line for line in log.splitlines()
                              if " warn " in line and "greet" in line]), 1)
        results = end.records(kind="received", type="toolResult")
        self.assertEqual(len(results), 1)
        self.finish(end, g)

    # ---- refused ----

    def test_file_that_everybody_may_write_to(self):
        made = self.make(1)
        os.chmod(made, 0o777)
        end, g = self.begin()
        shutil.copy(made, self.place())
        news = self.registered(g, "refused", provider="greet")
        self.assertRegex(news["reason"], r"written by everybody.*chmod o-w")
        self.assertNotIn("greet", self.offered(g))
        provider, = self.provider(g)
        self.assertEqual(provider["state"], "refused")
        self.assertIn("chmod o-w", provider["reason"])
        logged(g, "chmod o-w")
        os.chmod(self.place(), 0o755)
        self.registered(g, "offered", tool="greet")
        self.rotated(g)
        self.assertEqual(self.ask(g), "Version 1.")
        self.finish(end, g)

    def test_folder_that_everybody_may_write_to(self):
        self.copy(self.make(1))
        os.chmod(self.folder, 0o777)
        end, g = self.begin()
        logged(g, self.folder, "can be written by everybody")
        self.assertNotIn("greet", self.offered(g))
        os.chmod(self.folder, 0o755)
        self.registered(g, "offered", tool="greet")
        self.rotated(g)
        self.assertEqual(self.ask(g), "Version 1.")
        self.finish(end, g)

    def test_two_plugins_with_one_tool(self):
        end, g = self.begin()
        with Marker(g, seed=6) as marker:
            self.dropped_in(g, self.make(1, name="first"), "first",
                            provider="first")
            self.copy(self.make(2, name="second"), "second")
            news = self.registered(g, "refused", provider="second")
            self.assertEqual(news["tool"], "greet")
            for named in ("first", "second"):
                self.assertRegex(news["reason"], rf"{named}\.so|\b{named}\b")
            self.assertRegex(logged(g, "second"), r"(?m) error tools .*greet.*"
                             r"(first.*second|second.*first)")
            self.assertEqual(self.ask(g), "Version 1.")
            self.assertEqual(self.rotations(g), 1)
            os.unlink(self.place("first"))
            self.registered(g, "offered", tool="greet", provider="second")
            self.assertEqual(self.version(g), 2)
            self.assertEqual(self.ask(g), "Version 2.")
            self.finish(end, g, marker)

    def test_plugin_that_lacks_its_config(self):
        """Told when it is loaded, not in the middle of a call."""
        wants = ('if (!strstr(c, "\\"key\\"")) { snprintf(w, n, "it has no key:'
                 ' set plugins.config.greet.key"); return -1; } return 0;')
        made = self.make(1, init=wants, before="#include <string.h>\n")
        end, g = self.begin()
        self.copy(made)
        news = self.registered(g, "refused", provider="greet")
        self.assertIn("set plugins.config.greet.key", news["reason"])
        logged(g, "set plugins.config.greet.key")
        self.assertNotIn("greet", self.offered(g))
        self.assertIn("set plugins.config.greet.key",
                      self.provider(g)[0]["reason"])
        self.assertNotIn("Version", self.ask(g))
        self.assertEqual(g.bus.all("tool.call"), [])
        self.assertEqual(self.rotations(g), 0)
        self.finish(end, g)
        os.unlink(self.place())
        shutil.rmtree(os.path.join(self.own, "plugins"))
        end, g = self.begin(config={"greet": {"key": "abc"}})
        self.copy(made)
        self.registered(g, "offered", tool="greet")
        self.rotated(g)
        self.assertEqual(self.ask(g), "Version 1.")
        self.finish(end, g)

    def test_links_are_followed(self):
        """As those who install several versions beside one another do."""
        made = self.make(1), self.make(2)
        end, g = self.begin()
        os.symlink(made[0], self.place())
        self.registered(g, "offered", tool="greet")
        self.rotated(g)
        self.assertEqual(self.ask(g), "Version 1.")
        os.symlink(made[1], self.place() + ".new")
        os.rename(self.place() + ".new", self.place())
        self.registered(g, "replaced", provider="greet")
        self.assertEqual(self.ask(g), "Version 2.")
        self.assertTrue(stat.S_ISLNK(os.lstat(self.place()).st_mode))
        self.finish(end, g)


if __name__ == "__main__":
    unittest.main()
