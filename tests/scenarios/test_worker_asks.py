#!/usr/bin/python3
"""Tools that act on the conversation that called them, as far as config lets
them: they publish, say, change, remember, and end it."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Asking, check_tools  # noqa: E402
from speech import Loudspeaker  # noqa: E402
from workers import Working, tool, uses  # noqa: E402

OVER, GRANT, PARAMS = -32004, -32005, -32602
ALL = ["publish", "text", "update", "history", "end"]


def rules(grants):
    return {"workers": {"rules": {"*": {"grants": grants}}}}


class Acting(Working):
    def begin(self, *lines, grants=ALL, **more):
        """(endpoint, gateway, worker, its open call, who asked)"""
        end, g = self.start(uses("lift", "It is up."), *lines,
                            config=None if grants is None
                            else rules(grants), **more)
        arm = self.peer(g, "arm", tool("lift"))
        self.gained(end, g, "lift")
        asked = Asking(g, "session.text", session="robot", text="use lift",
                       wait="response")
        return end, g, arm, arm.called(), asked

    def test_what_is_granted(self):
        end, g, arm, call, asked = self.begin(
            {"hear": ["the arm is tired"], "on": "text", "say": "Poor arm."})
        number = g.bus.wait("tool.call", tool="lift")["data"]["call"]
        arm.ask(call, "publish", "lifting", {"kg": 2})
        event = g.bus.wait("tool.event")
        self.assertEqual(event["data"], {
            "provider": "arm", "tool": "lift", "call": number,
            "name": "lifting", "data": {"kg": 2}})
        self.assertEqual(event["subject"], "robot")
        arm.ask(call, "text", "the arm is tired")
        g.bus.wait("transcript", role="assistant", stage="final",
                   text="Poor arm.")
        self.assertEqual(arm.ask(call, "update", listen="when_quiet"),
                         ["listen"])
        self.assertEqual(g.call("session.get", session="robot")["config"][
            "listen"], "when_quiet")
        arm.ask(call, "append", "user", "I am called Ann.")
        history = arm.ask(call, "history")
        texts = [m["text"] for m in history["messages"]]
        self.assertIn("I am called Ann.", texts)
        self.assertIn("the arm is tired", texts)
        kept = g.call("session.history", session="robot")
        self.assertEqual(history["revision"], kept["revision"])
        self.wrong(arm, call)
        arm.finish(call, {"up": 1})
        g.bus.wait("transcript", role="assistant", stage="final",
                   text="It is up.")
        asked.end()
        for method, given in (("text", ["late"]), ("history", []),
                              ("end", [])):
            self.assertEqual(arm.ask(call, method, *given)["refused"], OVER)
        arm.do("publish", name="idle", data=None)
        event = g.bus.wait("tool.event", name="idle")
        self.assertNotIn("call", event["data"])
        self.assertEqual(event["topic"], "v1/tool.event/-")
        self.finish(end, g)

    def wrong(self, arm, call):
        """Asked wrongly: the reason says how, and nothing happens."""
        for method, given, named, word in (
                ("text", [7], {}, "text"),
                ("update", [], {"voice": 7}, "voice"),
                ("update", [], {"no_such_key": 1}, "no_such_key"),
                ("append", ["robot", "x"], {}, "role"),
                ("end", [], {"within_ms": "soon"}, "within_ms"),
                ("publish", [""], {}, "name")):
            answer = arm.ask(call, method, *given, **named)
            self.assertEqual(answer["refused"], PARAMS, (method, answer))
            self.assertIn(word, answer["why"])

    def test_what_is_not_granted(self):
        for grants, granted in ((None, {"publish"}), ([], set()),
                                (["text"], {"text"})):
            end, g, arm, call, asked = self.begin(
                {"hear": ["hi"], "on": "text", "say": "Hi."}, grants=grants)
            for method, given, named in (
                    ("publish", ["lifting", {}], {}), ("text", ["hi"], {}),
                    ("update", [], {"listen": "when_quiet"}),
                    ("history", [], {}), ("end", [], {})):
                answer = arm.ask(call, method, *given, **named)
                if method in granted:
                    self.assertFalse(isinstance(answer, dict)
                                     and "refused" in answer, answer)
                    continue
                self.assertEqual(answer["refused"], GRANT, answer)
                self.assertRegex(answer["why"], f'"{method}".*arm.*grants')
            arm.finish(call, {})
            asked.end()
            self.assertEqual(g.call("session.get", session="robot")["state"],
                             "streaming")
            self.finish(end, g)

    # ---- the end of the conversation ----

    GOODBYE = "Goodbye, and thank you for the talk. I liked it very much."

    def ended(self, end, g, speaker, reason):
        """All of the goodbye was in the ring and played before the close."""
        state = g.bus.wait("session.state", state="closing")["data"]
        self.assertIn(reason, state["reason"])
        g.bus.wait("session.state", state="closed")
        sent = sum(r["body"]["event"]["audioOutput"]["audio_bytes"]
                   for r in end.records(kind="sent", type="audioOutput"))
        self.assertGreater(sent, 2 * 24000)
        self.assertEqual(len(speaker.heard), sent)
        out = g.bus.all("metrics")[-1]["data"]["output"]
        self.assertEqual(out["received_frames_total"],
                         out["played_frames_total"])
        self.assertEqual(int(out["received_frames_total"]), sent // 2)
        told = [e["type"].split(".")[1] + "." + (e["data"].get("phase") or
                                                 e["data"].get("state"))
                for e in g.bus.seen if e["type"] in (
                    "voxring.playback.v1", "voxring.session.state.v1")]
        self.assertLess(told.index("playback.finished"),
                        told.index("session.closing")
                        if "session.closing" in told else len(told))
        self.assertEqual(end.records(kind="violation"), [])
        check_tools(g.bus)

    def test_the_end_comes_after_the_words(self):
        end, g = self.start(uses("leave", self.GOODBYE),
                            config=rules(["end"]))
        arm = self.peer(g, "arm", tool("leave"))
        self.gained(end, g, "leave")
        with Loudspeaker(g) as speaker:
            g.call("session.text", session="robot", text="use leave")
            call = arm.called()
            arm.ask(call, "end", "the battery is empty")
            arm.finish(call, {"status": "leaving"})
            self.ended(end, g, speaker, "the battery is empty")
        self.assertEqual(g.stop(), 0)

    def test_the_end_without_a_player(self):
        end, g = self.start(uses("leave", "Goodbye."),
                            config=rules(["end"]))
        arm = self.peer(g, "arm", tool("leave"))
        self.gained(end, g, "leave")
        g.call("session.text", session="robot", text="use leave")
        call = arm.called()
        arm.ask(call, "end")
        arm.finish(call, {})
        g.bus.wait("session.state", state="closed")
        kinds = [e["data"].get("phase") or e["data"].get("state")
                 for e in g.bus.seen if e["type"] in (
                     "voxring.playback.v1", "voxring.session.state.v1")]
        self.assertLess(kinds.index("finished"), kinds.index("closing"))
        self.assertEqual(g.stop(), 0)

    def test_the_end_has_a_limit(self):
        end, g = self.start(uses("leave", "And so it went on. " * 12),
                            config=rules(["end"]))
        arm = self.peer(g, "arm", tool("leave"))
        self.gained(end, g, "leave")
        with Loudspeaker(g):
            g.call("session.text", session="robot", text="use leave")
            call = arm.called()
            arm.ask(call, "end", within_ms=1500)
            arm.finish(call, {})
            g.bus.wait("session.state", state="closed", limit_s=8)
        self.assertNotIn("finished", [e["data"]["phase"]
                                      for e in g.bus.all("playback")])
        self.assertEqual(g.stop(), 0)

    def test_the_built_in_tool_for_it(self):
        line = uses("end_conversation", self.GOODBYE)
        end, g = self.start(dict(line, hear=["we are done"]),
                            session={"end_conversation": "on"})
        self.gained(end, g, "end_conversation")
        with Loudspeaker(g) as speaker:
            g.call("session.text", session="robot", text="we are done")
            self.ended(end, g, speaker, "tool")
        call = g.bus.all("tool.call")[0]["data"]
        self.assertEqual(call["kind"], "builtin")
        self.assertEqual(g.stop(), 0)

    def test_the_end_is_sleep_where_sound_wakes(self):
        end, g = self.start(
            uses("leave", "Goodbye."), config=rules(["end"]),
            session={"mode": "on_audio"}, wait=False)
        self.assertEqual(self.ask(g), "Hello.")
        arm = self.peer(g, "arm", tool("leave"))
        self.gained(end, g, "leave")
        g.call("session.text", session="robot", text="use leave")
        call = arm.called()
        arm.ask(call, "end")
        arm.finish(call, {})
        g.bus.wait("session.state", state="asleep")
        self.assertEqual(self.ask(g), "Hello.")
        self.finish(end, g)


if __name__ == "__main__":
    unittest.main()
