#!/usr/bin/python3
"""Changes of streams that nobody notices: no frame twice, none missing, no
answer twice, no sound cut."""
import array
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (KEYS, check_account, check_responses,  # noqa: E402
                    profile, remote, wait_until)
from recorded import (Marker, Recorder, difference, said,  # noqa: E402
                      without_zeros)
from speech import Loudspeaker, Microphone, say  # noqa: E402

# Rotations that come soon; the deadline is far.
SOON = {"rotate_after_s": 1.5, "rotate_deadline_s": 60, "rotate_gap_s": 0.2}
# None by time; those that are asked for come at once.
ASKED = {"rotate_after_s": 400, "rotate_deadline_s": 470, "rotate_gap_s": 0.1}

STORY = "Once upon a time there was a robot. " + "And so it went on. " * 4
SCRIPT = {"first_audio_ms": 150, "endpoint_ms": 400, "lines": [
    {"hear": ["hello robot"], "say": "Hello."},
    {"hear": ["tell me a story"], "on": "text", "say": STORY}]}
QUESTION = "hello robot"


def samples_of(spoken):
    samples = array.array("h")
    samples.frombytes(spoken)
    return samples


class Base(unittest.TestCase):
    def start(self, session, script=SCRIPT, **more):
        """(endpoint, gateway), both closed at the end of the scenario."""
        end = Recorder(script, **more.pop("endpoint", {}))
        self.addCleanup(end.close)
        g = remote(end, {"sessions": {"robot": session},
                         **more.pop("config", {})}, **more)
        self.addCleanup(g.close)
        g.wait_streaming()
        return end, g

    def stats(self, g, session="robot"):
        stats = g.call("gateway.stats")["sessions"][session]
        check_account(stats)
        return stats

    def current(self, g):
        return g.call("session.get", session="robot")["stream"]["generation"]

    def no_trouble(self, end, g):
        self.assertEqual(g.bus.all("error"), [])
        self.assertEqual(end.records(kind="violation"), [])

    def rotate(self, g):
        """One on demand; returns the news of it."""
        g.call("session.rotate", session="robot")
        return g.bus.wait("stream", phase="current", reason="asked for")["data"]

    def aged(self, g):
        """The news of one by its age; the last such one."""
        news = g.bus.wait("stream", phase="current", reason="its age")["data"]
        g.call("session.update", session="robot", config=ASKED)
        return news

    def all_sent(self, g, marker):
        wait_until(lambda: self.stats(g)["input_frames"]["produced"]
                   == len(marker.written) // 2 and
                   self.stats(g)["input_frames"]["pending"] < 512,
                   "all but a part of a chunk is sent")


class Rotation(Base):
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

    # ---- sound ----

    def story(self, g, speaker):
        """What is heard of a story."""
        del speaker.heard[:]
        g.call("session.text", session="robot", text="tell me a story")
        g.bus.wait("playback", phase="finished")
        wait_until(lambda: speaker.stats.position >= speaker.stats.head,
                   "the loudspeaker has all")
        return bytes(speaker.heard)

    def test_sound_that_plays_is_not_cut_by_the_deadline(self):
        self.change_while_it_speaks(300, dict(SOON, rotate_deadline_s=2.5))

    def test_sound_that_still_comes_is_not_cut_by_the_deadline(self):
        self.change_while_it_speaks(100, dict(SOON, rotate_deadline_s=5))

    def change_while_it_speaks(self, speed, limits):
        end, g = self.start(dict(ASKED), dict(SCRIPT,
                                              audio_speed_percent=speed))
        with Loudspeaker(g) as speaker:
            whole = self.story(g, speaker)
            g.call("session.update", session="robot", config=limits)
            self.rotate(g)
            g.call("session.text", session="robot", text="tell me a story")
            del speaker.heard[:]
            g.bus.wait("playback", phase="started")
            news = self.aged(g)
            g.bus.wait("playback", phase="finished")
            wait_until(lambda: speaker.stats.position >= speaker.stats.head,
                       "the loudspeaker has all")
            self.assertEqual(len(speaker.heard), len(whole))
            self.assertEqual(bytes(speaker.heard), whole)
            self.assertEqual(speaker.flushes, [])
        history = g.call("session.history", session="robot")["messages"]
        self.assertEqual([m["text"] for m in history],
                         ["tell me a story", STORY.strip()] * 2)
        stats = self.stats(g)
        self.assertEqual(stats["output_frames"]["lost"], 0)
        self.assertEqual(stats["output_frames"]["flushed"], 0)
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)
        self.assertEqual([r["status"] for r in check_responses(g.bus)],
                         ["complete"] * 2)
        told = end.told(news["stream"])["history"]
        self.assertEqual([m["role"] for m in told],
                         ["USER", "ASSISTANT"] * 2)
        self.assertIn("Once upon a time", told[-1]["text"])

    def test_answer_longer_than_its_stream_ends(self):
        """The old stream may talk for a while; then that answer is over, and
        the next one is another."""
        story = "Once upon a time there was a robot. " + "It went on. " * 24
        script = dict(SCRIPT, audio_speed_percent=100, lines=[
            SCRIPT["lines"][0],
            {"hear": ["tell me a story"], "on": "text", "say": story}])
        end, g = self.start(dict(SOON, rotate_after_s=2, rotate_deadline_s=4),
                            script)
        with Loudspeaker(g):
            g.call("session.text", session="robot", text="tell me a story")
            self.aged(g)
            first = g.bus.wait("response", phase="ended")["data"]
            self.assertEqual(first["status"], "error")
            g.bus.wait("stream", phase="ended", stream=1)
            answer = g.call("session.text", session="robot", text=QUESTION,
                            wait="response")
            self.assertEqual(answer["text"], "Hello.")
            self.assertNotEqual(answer["response"], first["response"])
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)
        check_responses(g.bus)

    def test_question_while_the_old_stream_still_talks(self):
        script = dict(SCRIPT, audio_speed_percent=100, lines=[
            SCRIPT["lines"][0],
            {"hear": ["tell me a story"], "on": "text", "say": STORY * 2}])
        end, g = self.start(dict(SOON, rotate_after_s=2, rotate_deadline_s=4),
                            script)
        with Loudspeaker(g):
            g.call("session.text", session="robot", text="tell me a story")
            self.aged(g)
            answer = g.call("session.text", session="robot", text=QUESTION,
                            wait="response")
            self.assertEqual(answer["text"], "Hello.")
            self.assertEqual(answer["status"], "complete")
            self.assertEqual(answer["turn"], "2")
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)
        self.assertEqual(len(check_responses(g.bus)), 2)

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

    # ---- credentials ----

    def in_seconds(self, seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ",
                             time.gmtime(time.time() + seconds))

    def test_credentials_renewed_in_time_are_rotated_to(self):
        end = Recorder(SCRIPT)
        self.addCleanup(end.close)
        path = os.path.join(end.folder, "credentials")
        profile(path, KEYS, self.in_seconds(14))
        g = remote(end, {"sessions": {"robot": dict(
            ASKED, credential_margin_s=2, rotate_gap_s=0.5)}},
            env={"AWS_SHARED_CREDENTIALS_FILE": path})
        self.addCleanup(g.close)
        g.wait_streaming()
        wait_until(lambda: "no newer ones are found" in g.whole_log(),
                   "it looks for newer ones", 20)
        self.assertEqual(self.current(g), 1)
        profile(path, KEYS, self.in_seconds(3600))
        news = g.bus.wait("stream", phase="current",
                          reason="the credentials run out")["data"]
        self.assertEqual(news["stream"], 2)
        self.assertGreater(news["age_seconds"], 0)
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)

    def test_credentials_that_run_out_make_no_storm(self):
        env = dict(KEYS, AWS_CREDENTIAL_EXPIRATION=self.in_seconds(3))
        end, g = self.start(dict(ASKED, rotate_gap_s=0.2), env=env)
        wait_until(lambda: "no newer ones are found" in g.whole_log(),
                   "it looks for newer ones", 20)
        for _ in range(3):
            g.bus.wait("heartbeat")
        stats = self.stats(g)["counters"]
        self.assertEqual(self.current(g), 1)
        self.assertEqual(stats["streams_total"], 1)
        self.assertEqual(stats["rotations_total"], 0)
        self.assertEqual(g.whole_log().count("no newer ones are found"), 1)
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)


class Many(Base):
    """Streams are counted over all sessions."""

    def begin(self, names, session, bedrock):
        end = Recorder(SCRIPT)
        self.addCleanup(end.close)
        g = remote(end, {"sessions": {name: session for name in names},
                         "bedrock": bedrock})
        self.addCleanup(g.close)
        return end, g

    def test_rotations_are_spread(self):
        names = [f"robot{n}" for n in range(8)]
        end, g = self.begin(names, {
            "rotate_after_s": 4, "rotate_deadline_s": 60, "rotate_gap_s": 0.1},
            {"max_concurrent_handovers": 2})
        changed = {}
        while len(changed) < len(names):
            news = g.bus.wait("stream", phase="current", reason="its age")
            changed.setdefault(news["subject"], news["time"])
        self.assertEqual(len(set(changed.values())), len(names), changed)
        beside, most = set(), 0
        for e in g.bus.all("stream"):
            key = e["subject"], e["data"]["stream"]
            if e["data"]["phase"] == "opening" and key[1] > 1:
                beside.add(key)
            elif e["data"]["phase"] in ("current", "dropped", "ended"):
                beside.discard(key)
            most = max(most, len(beside))
        self.assertLessEqual(most, 2)
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)

    def state(self, g, name):
        return g.call("session.get", session=name)["state"]

    def test_streams_are_limited_and_waited_for(self):
        end, g = self.begin("abc", ASKED, {"max_streams": 2})
        wait_until(lambda: sorted(self.state(g, n) for n in "abc")
                   == ["queued", "streaming", "streaming"], "one waits")
        waiting = next(n for n in "abc" if self.state(g, n) == "queued")
        others = [n for n in "abc" if n != waiting]
        g.call("session.rotate", session=others[0])
        g.call("session.close", session=others[1])
        g.bus.wait("stream", phase="current", limit_s=20)
        wait_until(lambda: self.state(g, waiting) == "streaming", "its turn")
        self.assertEqual(self.state(g, others[0]), "streaming")
        self.assertLessEqual(g.call("gateway.stats")["streams"]["open"], 2)
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)

    def test_rotation_without_room_is_made_all_the_same(self):
        """One stream is allowed and one is open: nothing beside it, so at the
        deadline it is left for the next."""
        end, g = self.begin(["robot"], {
            "rotate_after_s": 2, "rotate_deadline_s": 4, "rotate_gap_s": 0.1},
            {"max_streams": 1})
        g.wait_streaming()
        g.bus.wait("stream", phase="current", stream=2)
        g.wait_streaming()
        answer = g.call("session.text", session="robot", text=QUESTION,
                        wait="response")
        self.assertEqual(answer["text"], "Hello.")
        self.no_trouble(end, g)
        self.assertEqual(g.stop(), 0)


if __name__ == "__main__":
    unittest.main()
