#!/usr/bin/python3
"""What becomes of a call that the user talks over, of one that the
conversation may not make, and of arguments that are hardly there."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Asking, logged, wait_until  # noqa: E402
import misbehaving  # noqa: E402
from misbehaving import V1  # noqa: E402
from speech import Loudspeaker, Microphone, say  # noqa: E402


class Calls(misbehaving.Misbehaving):
    # ---- barge-in ----

    def interrupt(self, tool, settings=None, v1=False, **flags):
        """A user who speaks while the tool runs and the robot talks; the
        tool.result."""
        name = tool.removesuffix("_async")
        self.plugin(name, 'sign("begun");'
                    "while (!host->is_cancelled(call->token) &&"
                    ' access("DIRT/gate", F_OK)) usleep(1000);'
                    ' if (host->is_cancelled(call->token)) sign("cancelled");'
                    "done(call);".replace("DIRT", self.dirt), **flags)
        talk = "One moment please. " + "I am looking it up. " * 6
        line = self.line(tool, **{"say_before" if v1 else "say_while": talk})
        line["on"] = "speech" if v1 else "text"
        end, g = self.begin([line, dict(self.well(), on="speech")],
                            session=settings)
        with Loudspeaker(g), Microphone(g) as mic:
            if v1:
                mic.speak(say("do"))
            else:
                g.call("session.text", session="robot", text=f"use {tool}")
            call = self.all_of(g, "tool.call", tool)[0]["data"]["call"]
            wait_until(lambda: g.bus.all("playback"), "it talks")
            wait_until(lambda: self.signed("begun"), "the tool runs")
            mic.speak(say("are you well"))
            g.bus.wait("interruption")
            if "CANCEL" not in flags.get("flags", ""):
                self.turn_with(g, "echo")
                self.assertFalse(self.signed("cancelled"))
                self.sign("gate")
            told = g.bus.wait("tool.result", call=call)["data"]
            if "CANCEL" in flags.get("flags", ""):
                self.turn_with(g, "echo")
                wait_until(lambda: self.signed("cancelled"), "the tool knows")
        return end, g, told

    def cancelled(self, tool, results, settings=None, **more):
        end, g, told = self.interrupt(
            tool, settings, flags="VOXRING_CANCEL_ON_INTERRUPT", **more)
        self.assertEqual(told["outcome"], "cancelled", told)
        self.assertIn("interrupted", told["reason"])
        self.assertEqual(told["delivery"], "answer" if results else "nothing")
        use = [u for u in self.uses(end) if u["toolName"] == tool][0]
        got = self.results(end).get(use["toolUseId"], [])
        self.assertEqual(len(got), results, got)
        self.assertTrue(all("error" in text for text in got))
        self.finish(end, g)

    def test_barge_in_leaves_a_call_alone(self):
        end, g, told = self.interrupt("look")
        self.assertEqual((told["outcome"], told["delivery"]),
                         ("result", "answer"))
        self.one_result_each(end)
        self.finish(end, g)

    def test_barge_in_leaves_an_asynchronous_call_alone(self):
        end, g, told = self.interrupt("look_async")
        self.assertEqual((told["outcome"], told["delivery"]),
                         ("result", "answer"))
        self.one_result_each(end)
        self.finish(end, g)

    def test_barge_in_cancels_where_the_tool_wants_it(self):
        self.cancelled("look", 1)

    def test_barge_in_cancels_an_asynchronous_call(self):
        self.cancelled("look_async", 1)

    def test_cancelled_and_nothing_is_sent(self):
        self.cancelled("look", 0, {"cancelled_result": "nothing"})

    def test_barge_in_cancels_on_a_silent_model(self):
        self.cancelled("look", 1, {"model": V1}, v1=True)

    # ---- names and arguments ----

    def test_tool_that_the_conversation_may_not_use(self):
        """It was offered on this stream; then the settings changed."""
        end, g = self.begin([self.line("clock", slow_ms=1000), self.well()])
        asked = Asking(g, "session.text", session="robot", text="use clock",
                       wait="response")
        wait_until(lambda: end.records(kind="received", type="textInput"),
                   "it is asked")
        g.call("session.update", session="robot", config={"tools": ["echo"]})
        self.assertEqual(asked.end()["text"], "clock failed.")
        told = g.bus.wait("tool.result", tool="clock")["data"]
        self.assertEqual(told["outcome"], "error")
        self.assertIn("no tool of that name", told["reason"])
        warned = [line for line in logged(g, "no tool of that name").split("\n")
                  if " warn " in line and "clock" in line]
        self.assertEqual(len(warned), 1, warned)
        g.bus.wait("stream", phase="current", reason="the settings changed")
        self.is_well(g)
        self.one_result_each(end)
        self.finish(end, g)

    def test_arguments_that_are_hardly_there(self):
        """The plugin gets an object, whatever the model or a person sends."""
        self.plugin("show", "host->complete(call->token, VOXRING_OK,"
                    " call->input_json);")
        tool = {"name": "show", "arguments": {"a": "b"},
                "double_encoded": True}
        end, g = self.begin([
            self.line("show"),
            {"hear": ["show empty"], "say": "Done.", "tool": {
                "name": "show", "double_encoded": True}},
            {"hear": ["show more"], "say": "{show.a}.", "tool": tool},
            self.well()])
        self.assertEqual(self.ask(g, "use show"), "show is done.")
        self.assertEqual(self.ask(g, "show empty"), "Done.")
        self.assertEqual(self.ask(g, "show more"), "b.")
        contents = [e["data"]["content"] for e in g.bus.all("tool.result")]
        self.assertEqual(contents, [{}, {}, {"a": "b"}])
        sent = [use["content"] for use in self.uses(end)]
        self.assertEqual(sent, ["{}", '"{}"', '"{\\"a\\":\\"b\\"}"'])
        answer = g.call("tool.call", tool="show")
        self.assertEqual((answer["outcome"], answer["content"]),
                         ("result", {}))
        self.is_well(g)
        self.one_result_each(end)
        self.finish(end, g)


if __name__ == "__main__":
    unittest.main()
