#!/usr/bin/python3
"""Tools that run on while the conversation does: on models that talk meanwhile,
and on those that would be silent, which are told that it runs and ask again."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import wait_until  # noqa: E402
from speech import Loudspeaker, Microphone, say  # noqa: E402
from workers import Working, tool, uses  # noqa: E402

V1 = "amazon.nova-sonic-v1:0"
RESULT = {"found": "a bone"}


class Asynchronous(Working):
    def setUp(self):
        self.calls_seen = 0

    def worker(self, end, g, *names, **how):
        """A Peer whose tools run until it is told that they are done."""
        peer = self.peer(g, "dog", *[tool(n, mode="async", **how)
                                     for n in names])
        self.gained(end, g, *names)
        return peer

    def said(self, g, text):
        """The robot has said it."""
        return g.bus.wait("transcript", role="assistant", stage="final",
                          text=text)["data"]

    def result(self, g, call):
        wait_until(lambda: [e for e in g.bus.all("tool.result")
                            if e["data"]["call"] == call], "it has ended")
        ends = [e["data"] for e in g.bus.all("tool.result")
                if e["data"]["call"] == call]
        self.assertEqual(len(ends), 1)
        return ends[0]

    def next_call(self, g):
        """The next tool.call of all, whatever was waited for before."""
        number = self.calls_seen
        self.calls_seen += 1
        wait_until(lambda: len(g.bus.all("tool.call")) > number,
                   f"call {number + 1}")
        return g.bus.all("tool.call")[number]["data"]


class TalksOn(Asynchronous):
    """Nova 2: a tool's answer may come while something else is said."""

    def test_two_calls_overlap_with_talk(self):
        end, g = self.start(
            uses("dig", "I found {dig.found}.", say_while="I dig."),
            uses("bake", "I baked {bake.made}.", say_while="I bake."))
        dog = self.worker(end, g, "dig", "bake")
        g.call("session.text", session="robot", text="use dig")
        self.said(g, "I dig.")
        first = self.next_call(g)
        self.assertEqual((first["mode"], first["kind"], first["provider"]),
                         ("async", "worker", "dog"))
        g.call("session.text", session="robot", text="use bake")
        self.said(g, "I bake.")
        second = self.next_call(g)
        dig, bake = dog.called(), dog.called()
        self.assertEqual((dig["called"], bake["called"]), ("dig", "bake"))
        self.assertFalse(dig["limited"] or bake["limited"])
        self.assertEqual(self.ask(g), "Hello.")
        self.progress(g, dog, dig, first)
        self.assertEqual(g.bus.all("tool.result"), [])
        dog.finish(bake, {"made": "a cake"})
        self.said(g, "I baked a cake.")
        self.assertEqual(self.ask(g), "Hello.")
        dog.finish(dig, RESULT)
        self.said(g, "I found a bone.")
        for call, content in ((first, RESULT), (second, {"made": "a cake"})):
            result = self.result(g, call["call"])
            self.assertEqual((result["outcome"], result["delivery"],
                              result["content"]),
                             ("result", "answer", content))
        self.assertEqual(self.results(end), [
            (second["tool_use_id"], {"made": "a cake"}),
            (first["tool_use_id"], RESULT)])
        self.finish(end, g)

    def progress(self, g, dog, dig, call):
        dog.do("progress", call=dig["id"], done=2, total=5, message="deeper")
        told = g.bus.wait("tool.progress", done=2)
        self.assertEqual(told["subject"], "robot")
        self.assertEqual(told["data"], {"call": call["call"], "tool": "dig",
                                        "done": 2, "total": 5,
                                        "message": "deeper"})
        self.assertEqual(self.ask(g), "Hello.")
        dog.do("progress", call=dig["id"], done=3)
        told = g.bus.wait("tool.progress")["data"]
        self.assertEqual(told, {"call": call["call"], "tool": "dig", "done": 3})

    def test_the_same_call_joins_the_one_that_runs(self):
        end, g = self.start(uses("dig", "I found {dig.found}.",
                                 {"where": "here", "deep": 2}),
                            dict(uses("dig", "There: {dig.found}.",
                                      {"deep": 2, "where": "there"}),
                                 hear=["dig there"]),
                            dict(uses("dig", "Again: {dig.found}.",
                                      {"deep": 2, "where": "here"}),
                                 hear=["dig again"]))
        dog = self.worker(end, g, "dig")
        calls = []
        for text in ("use dig", "dig there", "dig again"):
            g.call("session.text", session="robot", text=text)
            calls.append(self.next_call(g))
        self.assertEqual([c.get("joins") for c in calls],
                         [None, None, calls[0]["call"]])
        here, there = dog.called(), dog.called()
        self.assertEqual((here["arguments"]["where"],
                          there["arguments"]["where"]), ("here", "there"))
        dog.finish(here, RESULT)
        results = [self.result(g, c["call"]) for c in (calls[0], calls[2])]
        self.assertEqual([(r["content"], r["delivery"]) for r in results],
                         [(RESULT, "answer")] * 2)
        dog.finish(there, {"found": "nothing"})
        self.said(g, "There: nothing.")
        self.assertEqual(dog.count("called"), 0)
        # what has ended is nothing to join
        g.call("session.text", session="robot", text="use dig")
        self.assertNotIn("joins", self.next_call(g))
        dog.finish(dog.called(), RESULT)
        self.said(g, "I found a bone.")
        self.finish(end, g)

    def test_it_outlives_its_stream(self):
        """The model is told in words, as the next stream knows no call."""
        end, g = self.start(
            uses("dig", "I found it.", say_while="I dig."),
            {"hear": ["The tool *"], "on": "text", "say": "It has dug."},
            session={"rotate_tool_wait_s": 0.2})
        dog = self.worker(end, g, "dig")
        g.call("session.text", session="robot", text="use dig")
        self.said(g, "I dig.")
        call, dig = self.next_call(g), dog.called()
        g.call("session.rotate", session="robot")
        g.bus.wait("stream", phase="current", reason="asked for")
        self.assertEqual(self.ask(g), "Hello.")
        dog.finish(dig, RESULT)
        self.said(g, "It has dug.")
        result = self.result(g, call["call"])
        self.assertEqual((result["delivery"], result["late"],
                          result["content"]), ("text", True, RESULT))
        self.assertEqual(g.stop(), 0)
        texts = end.told(end.streams()[-1])["texts"]
        self.assertEqual(len(texts), 2)
        self.assertIn('"a bone"', texts[-1])
        self.assertEqual(end.told(end.streams()[-1])["tool_results"], [])

    def test_the_worker_dies_meanwhile(self):
        end, g = self.start(uses("dig", say_while="I dig."))
        dog = self.worker(end, g, "dig")
        g.call("session.text", session="robot", text="use dig")
        self.said(g, "I dig.")
        call = self.next_call(g)
        dog.called()
        dog.kill()
        self.assertEqual(self.ask(g), "Hello.")
        self.said(g, "It failed.")
        result = self.result(g, call["call"])
        self.assertEqual((result["outcome"], result["delivery"]),
                         ("error", "answer"))
        self.assertIn("gone", result["failure"])
        self.finish(end, g)

    def test_a_limit_of_its_own(self):
        end, g = self.start(uses("dig", say_while="I dig."))
        dog = self.worker(end, g, "dig", timeout_s=0.3)
        g.call("session.text", session="robot", text="use dig")
        call, dig = self.next_call(g), dog.called()
        self.assertTrue(dig["limited"])
        result = self.result(g, call["call"])
        self.assertEqual(result["outcome"], "timeout")
        dog.do("await_cancel", call=dig["id"])
        dog.told("cancelled")
        dog.finish(dig, RESULT)  # late: it goes nowhere
        self.said(g, "It failed.")
        self.assertEqual(self.ask(g), "Hello.")
        self.assertEqual(len(self.results(end)), 1)
        self.finish(end, g)

    def test_config_makes_a_tool_asynchronous(self):
        end, g = self.start(
            uses("dig", "I found {dig.found}.", say_while="I dig."),
            config={"tool_settings": {"dig": {"mode": "async"}}})
        dog = self.peer(g, "dog", tool("dig"))
        self.gained(end, g, "dig")
        g.call("session.text", session="robot", text="use dig")
        self.assertEqual(self.next_call(g)["mode"], "async")
        dig = dog.called()
        self.assertFalse(dig["limited"])
        self.assertEqual(self.ask(g), "Hello.")
        dog.finish(dig, RESULT)
        self.said(g, "I found a bone.")
        self.finish(end, g)


class Silent(Asynchronous):
    """v1: it would be silent until the answer comes, so it is told that the
    tool runs, and asks again."""

    def begin(self, *lines, **more):
        """Each utterance brings the next line."""
        end, g = self.start(
            *[dict(line, on="speech") for line in lines],
            session={"model": V1, **more.pop("session", {})}, **more)
        self.mic = Microphone(g).__enter__()
        self.addCleanup(self.mic.__exit__)
        return end, g

    def speak(self, g, answer):
        """One utterance, and what the robot says to it."""
        self.mic.speak(say("now"))
        self.said(g, answer)

    def asked(self, number, say_what, arguments=None):
        return dict(uses("dig", say_what, arguments), hear=[f"dig {number}"])

    def prompt(self, end):
        """What the current stream's SYSTEM text says."""
        starts = [r["body"]["event"] for r in
                  end.records(kind="received", type="textInput")]
        return starts[-1]["textInput"]["content"]

    def test_placeholder_then_news_then_asked_again(self):
        end, g = self.begin(self.asked(1, "It is {dig.status}."),
                            {"hear": ["hello there"], "say": "Hi."},
                            self.asked(2, "Still {dig.status}."),
                            self.asked(3, "I found {dig.found}."),
                            self.asked(4, "Anew {dig.status}."))
        self.assertNotIn("take long", self.prompt(end))
        dog = self.worker(end, g, "dig")
        self.assertRegex(self.prompt(end), "take long: dig.*same input")
        self.speak(g, "It is running.")
        first, dig = self.next_call(g), dog.called()
        self.assertEqual(first["mode"], "async")
        self.speak(g, "Hi.")
        self.assertEqual(g.bus.all("tool.result"), [])
        # asked again while it runs: it is the same work
        self.speak(g, "Still running.")
        second = self.next_call(g)
        self.assertEqual(second["joins"], first["call"])
        self.assertEqual(self.result(g, second["call"])["delivery"], "answer")
        dog.do("progress", call=dig["id"], done=1)
        self.assertEqual(g.bus.wait("tool.progress")["data"]["call"],
                         first["call"])
        # what came of it is on the bus at once, and kept for the model
        dog.finish(dig, RESULT)
        result = self.result(g, first["call"])
        self.assertEqual((result["delivery"], result["content"],
                          result["outcome"]), ("kept", RESULT, "result"))
        self.speak(g, "I found a bone.")
        third = self.next_call(g)
        self.assertEqual(third["joins"], first["call"])
        result = self.result(g, third["call"])
        self.assertEqual((result["content"], result["delivery"]),
                         (RESULT, "answer"))
        self.assertEqual(dog.count("called"), 0)
        # told once: now it is a new question
        self.speak(g, "Anew running.")
        self.assertNotIn("joins", self.next_call(g))
        dog.finish(dog.called(), RESULT)
        given = [content for _, content in self.results(end)]
        self.assertEqual(given[2], RESULT)
        for content in (given[0], given[1], given[3]):
            self.assertEqual(content["status"], "running")
            self.assertIn("call dig again", content["message"])
        wait_until(lambda: len(g.bus.all("tool.result")) == 4, "all have ended")
        self.finish(end, g)

    def test_what_is_kept_outlives_the_stream(self):
        # each stream begins with the first line
        end, g = self.begin(self.asked(1, "{dig.status} or {dig.found}."))
        dog = self.worker(end, g, "dig")
        self.speak(g, "running or unknown.")
        call = self.next_call(g)
        g.call("session.rotate", session="robot")
        g.bus.wait("stream", phase="current", reason="asked for")
        dog.finish(dog.called(), RESULT)
        self.assertEqual(self.result(g, call["call"])["delivery"], "kept")
        g.call("session.rotate", session="robot")
        g.bus.wait("stream", phase="current", reason="asked for")
        self.speak(g, "unknown or a bone.")
        self.assertEqual(self.next_call(g)["joins"], call["call"])
        self.finish(end, g)

    def test_other_arguments_are_another_question(self):
        end, g = self.begin(self.asked(1, "It is {dig.status}.", {"n": 1}),
                            self.asked(2, "So is {dig.status}.", {"n": 2}))
        dog = self.worker(end, g, "dig")
        self.speak(g, "It is running.")
        self.speak(g, "So is running.")
        self.assertEqual([c["arguments"] for c in (dog.called(),
                                                   dog.called())],
                         [{"n": 1}, {"n": 2}])
        self.assertNotIn("joins", self.next_call(g))
        self.assertNotIn("joins", self.next_call(g))
        self.assertEqual(end.records(kind="violation"), [])
        self.assertEqual(g.stop(), 0)
        self.assertEqual([e["data"]["outcome"]
                          for e in g.bus.all("tool.result")],
                         ["cancelled"] * 2)

    def test_nothing_is_kept_if_config_says_so(self):
        end, g = self.begin(self.asked(1, "It is {dig.status}."),
                            self.asked(2, "Again {dig.status}."),
                            session={"async_result_s": 0,
                                     "async_guidance": "off"})
        dog = self.worker(end, g, "dig")
        self.assertNotIn("take long", self.prompt(end))
        self.speak(g, "It is running.")
        call = self.next_call(g)
        dog.finish(dog.called(), RESULT)
        self.assertEqual(self.result(g, call["call"])["delivery"], "nothing")
        self.speak(g, "Again running.")
        self.assertNotIn("joins", self.next_call(g))
        dog.finish(dog.called(), RESULT)
        wait_until(lambda: len(g.bus.all("tool.result")) == 2, "it has ended")
        self.finish(end, g)

    def test_a_failure_is_kept_too(self):
        end, g = self.begin(self.asked(1, "It is {dig.status}."),
                            self.asked(2, "Never said."))
        dog = self.worker(end, g, "dig")
        self.speak(g, "It is running.")
        call = self.next_call(g)
        dog.finish(dog.called(), error="the ground is too hard")
        result = self.result(g, call["call"])
        self.assertEqual((result["outcome"], result["delivery"]),
                         ("error", "kept"))
        self.speak(g, "It failed.")
        again = self.result(g, self.next_call(g)["call"])
        self.assertEqual((again["outcome"], again["delivery"]),
                         ("error", "answer"))
        self.assertRegex(self.results(end)[-1][1]["error"], "too hard")
        self.finish(end, g)

    def test_a_synchronous_tool_is_waited_for(self):
        end, g = self.begin(self.asked(1, "I found {dig.found}."))
        dog = self.peer(g, "dog", tool("dig"))
        self.gained(end, g, "dig")
        self.assertNotIn("take long", self.prompt(end))
        self.mic.speak(say("now"))
        dig = dog.called()
        self.assertTrue(dig["limited"])
        self.assertEqual(self.next_call(g)["mode"], "sync")
        self.assertEqual(self.results(end), [])
        dog.finish(dig, RESULT)
        self.said(g, "I found a bone.")
        self.finish(end, g)


class Interrupted(Asynchronous):
    """A user who talks into what the robot says meanwhile."""

    def begin(self, **how):
        end, g = self.start(
            uses("dig", "I found {dig.found}.",
                 say_while="I am digging. " + "It is hard work. " * 6))
        dog = self.worker(end, g, "dig", **how)
        g.call("session.text", session="robot", text="use dig")
        call, dig = self.next_call(g), dog.called()
        g.bus.wait("playback", phase="started")
        return end, g, dog, call, dig

    def test_it_runs_on(self):
        end, g, dog, call, dig = self.begin()
        with Loudspeaker(g), Microphone(g) as mic:
            mic.speak(say("hello robot"))
            g.bus.wait("interruption")
            self.said(g, "Hello.")
            self.assertEqual(g.bus.all("tool.result"), [])
            dog.finish(dig, RESULT)
            self.assertEqual(self.result(g, call["call"])["delivery"],
                             "answer")
            self.assertEqual(self.ask(g), "Hello.")
        self.assertEqual(self.results(end), [(call["tool_use_id"], RESULT)])
        self.assertEqual(end.records(kind="violation"), [])

    def test_it_is_cancelled_if_it_wants_that(self):
        end, g, dog, call, dig = self.begin(cancel_on_interrupt=True)
        with Loudspeaker(g), Microphone(g) as mic:
            mic.speak(say("hello robot"))
            g.bus.wait("interruption")
            dog.do("await_cancel", call=dig["id"])
            dog.told("cancelled")
            result = self.result(g, call["call"])
            self.assertEqual((result["outcome"], result["reason"]),
                             ("cancelled", "The user interrupted"))
            self.said(g, "Hello.")
            dog.finish(dig, RESULT)
            self.assertEqual(self.ask(g), "Hello.")
        self.assertEqual(len(g.bus.all("tool.result")), 1)
        self.assertLessEqual(len(self.results(end)), 1)
        self.assertEqual(end.records(kind="violation"), [])


if __name__ == "__main__":
    unittest.main()
