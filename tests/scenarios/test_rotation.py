#!/usr/bin/python3
"""Changes of streams that nobody notices: no frame twice, none missing, no
answer twice."""
import array
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import check_responses, wait_until  # noqa: E402
from recorded import (ASKED, QUESTION, SOON, Marker, Rotating,  # noqa: E402
                      difference, said, without_zeros)
from speech import Loudspeaker, Microphone, say  # noqa: E402


def samples_of(spoken):
    samples = array.array("h")
    samples.frombytes(spoken)
    return samples


class Rotation(Rotating):
    # ---- frames ----

    def test_every_frame_reaches_exactly_one_stream(self):
        end, g = self.start(SOON)
        with Marker(g, seed=7) as marker:
            for _ in range(6):
                g.bus.wait("stream", phase="current", reason="its age")
            marker.stop()
            self.all_sent(g, marker)
        stats = self.stats(g)
        self.assertEqual(stats["input_frames"]["resent"], 0)
        self.assertEqual(stats["input_frames"]["lost"], 0)
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)
        self.compare(end, marker)
        self.boundaries(end, g, marker)

    def compare(self, end, marker):
        received = marker.frames()[:0]
        for number in end.streams():
            told = end.told(number)
            self.assertTrue(told["whole"])
            self.assertEqual(told["rate_hz"], 16000)
            received += said(end.audio(number))
        self.assertIsNone(difference(received, marker.frames()))

    def boundaries(self, end, g, marker):
        """What the bus says of the boundary is where the next stream begins."""
        told = [e["data"] for e in g.bus.all("stream")
                if e["data"]["phase"] == "current"]
        self.assertEqual(len(told), len(end.streams()))
        for news, number in zip(told, end.streams()):
            at = int(news["boundary_frame"])
            heard = said(end.audio(number))
            self.assertEqual(news["replay"], "none")
            self.assertIsNone(difference(
                heard, marker.frames()[at:at + len(heard)]))

    def test_frames_through_rotations_on_demand_at_any_moment(self):
        end, g = self.start(ASKED)
        with Marker(g, seed=8) as marker:
            for _ in range(12):
                news = self.rotate(g)
            marker.stop()
            self.all_sent(g, marker)
        self.assertEqual(news["stream"], 13)
        self.assertEqual(self.stats(g)["counters"]["rotations_total"], 12)
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)
        self.compare(end, marker)

    def test_deadline_in_mid_speech_resends_from_its_start(self):
        preroll = 16 * 300
        end, g = self.start({"rotate_after_s": 3, "rotate_deadline_s": 4.5,
                             "rotate_gap_s": 0.2})
        with Marker(g, seed=9) as marker:
            speech = without_zeros(samples_of(say(
                "one two three four five six seven eight nine ten " * 3)))
            marker.speak(speech.tobytes())
            began = g.bus.wait("speech", phase="started")["data"]
            news = self.aged(g)
            self.assertEqual(news["replay"], "audio")
            self.assertFalse(marker.idle.is_set(), "it came in mid-speech")
            marker.idle.wait(30)
            g.bus.wait("response", phase="ended", status="complete")
            marker.stop()
            self.all_sent(g, marker)
        stats = self.stats(g)
        self.assertEqual(g.stop(), 0)
        self.no_trouble(end, g)
        at = int(news["resent_from_frame"])
        self.assertLessEqual(at, int(began["in_ring_frame"]))
        self.assertGreater(at, int(began["in_ring_frame"]) - 2 * preroll)
        old, new = said(end.audio(1)), said(end.audio(news["stream"]))
        wrote = marker.frames()
        self.assertIsNone(difference(old, wrote[:len(old)]))
        self.assertIsNone(difference(new, wrote[at:at + len(new)]))
        self.assertEqual(stats["input_frames"]["resent"], len(old) - at)
        self.assertEqual(stats["input_frames"]["lost"], 0)
        self.assertEqual(len(check_responses(g.bus)), 1)

    # ---- answers ----

    def ask_and_hear(self, g, mic, count):
        """Spoken and answered, exactly once."""
        mic.speak(say(QUESTION))
        self.answered(g, count)

    def answered(self, g, count):
        g.bus.wait("playback", phase="finished")
        ended = [e["data"] for e in g.bus.all("response")
                 if e["data"]["phase"] == "ended"]
        self.assertEqual(len(ended), count)
        self.assertEqual(ended[-1]["status"], "complete")

    def test_questions_around_a_change_are_answered_once(self):
        end, g = self.start(ASKED)
        moments = (("speech", {"phase": "started"}),
                   ("speech", {"phase": "ended"}),
                   ("transcript", {"role": "user"}),
                   ("response", {"phase": "started"}),
                   ("playback", {"phase": "started"}))
        with Microphone(g) as mic, Loudspeaker(g):
            asked = 0
            for kind, members in moments:
                asked += 1
                mic.speak(say(QUESTION))
                g.bus.wait(kind, **members)
                g.call("session.rotate", session="robot")
                self.answered(g, asked)
                g.bus.wait("stream", phase="current")
            for phase in ("opening", "current"):
                asked += 1
                g.call("session.rotate", session="robot")
                g.bus.wait("stream", phase=phase)
                self.ask_and_hear(g, mic, asked)
            wait_until(lambda: self.current(g) == asked + 1, "all rotated")
        heard = [e["data"]["text"] for e in g.bus.all("transcript")
                 if e["data"]["role"] == "user"]
        self.assertEqual(heard, [QUESTION] * asked)
        self.no_trouble(end, g)
        self.assertEqual(self.stats(g)["input_frames"]["resent"], 0)
        self.assertEqual(g.stop(), 0)
        self.assertEqual(len(check_responses(g.bus)), asked)

    def test_history_goes_along(self):
        end, g = self.start(ASKED)
        g.call("session.text", session="robot", text=QUESTION, wait="response")
        self.rotate(g)
        g.call("session.text", session="robot", text=QUESTION, wait="response")
        news = self.rotate(g)
        self.assertEqual(news["history_messages"], 4)
        self.assertEqual(g.stop(), 0)
        pair = [{"role": "USER", "text": QUESTION},
                {"role": "ASSISTANT", "text": "Hello."}]
        self.assertEqual([end.told(n)["history"] for n in (1, 2, 3)],
                         [[], pair, pair + pair])
        self.assertEqual([end.told(n)["texts"] for n in (1, 2, 3)],
                         [[QUESTION], [QUESTION], []])

    # ---- what goes on ----

    def test_usage_goes_on(self):
        end, g = self.start(ASKED)
        for _ in range(3):
            g.call("session.text", session="robot", text=QUESTION,
                   wait="response")
            self.rotate(g)
        self.assertEqual(g.stop(), 0)
        last, added = 0, 0
        for event in g.bus.all("usage"):
            total = event["data"]["total"]["output"]["speech_tokens"]
            added += event["data"]["delta"]["output"]["speech_tokens"]
            self.assertGreaterEqual(total, last)
            last = total
        self.assertEqual(last, added)
        of_streams = [r["body"]["event"]["usageEvent"]
                      for r in end.records(kind="sent", type="usageEvent")]
        self.assertEqual(added, sum(u["details"]["delta"]["output"]
                                    ["speechTokens"] for u in of_streams))
        self.assertGreater(added, 0)


    def test_without_continuation_only_the_wall_ends_a_stream(self):
        end, g = self.start(dict(SOON, continuation="off", rotate_after_s=0.3),
                            endpoint={"time_scale": 120})
        lost = g.bus.wait("error")["data"]
        self.assertEqual(lost["code"], "ModelTimeoutException")
        self.assertFalse(lost["recoverable"])
        g.bus.wait("session.state", state="failed")
        g.call("session.open", session="robot")
        g.wait_streaming()
        answer = g.call("session.text", session="robot", text=QUESTION,
                        wait="response")
        self.assertEqual(answer["text"], "Hello.")
        self.assertEqual(
            self.stats(g)["counters"]["rotations_total"], 0)
        self.assertEqual(g.stop(), 0)

    def test_many_walls_of_eight_minutes_without_an_error(self):
        """At time scale 120 the wall comes after 4 s."""
        end, g = self.start({"rotate_after_s": 3, "rotate_deadline_s": 3.7,
                             "rotate_gap_s": 0.1},
                            endpoint={"time_scale": 120})
        with Marker(g, seed=10) as marker, Loudspeaker(g):
            for turn in range(1, 7):
                marker.speak(say(QUESTION))
                g.bus.wait("turn", turn=str(turn))
                g.bus.wait("stream", phase="current")
            marker.stop()
            self.all_sent(g, marker)
        self.no_trouble(end, g)
        stats = self.stats(g)
        self.assertEqual(stats["counters"]["reconnects_total"], 0)
        self.assertGreaterEqual(stats["counters"]["rotations_total"], 6)
        self.assertEqual(stats["input_frames"]["lost"], 0)
        self.assertEqual(g.stop(), 0)
        self.assertEqual([r["status"] for r in check_responses(g.bus)],
                         ["complete"] * 6)


if __name__ == "__main__":
    unittest.main()
