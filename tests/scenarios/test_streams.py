#!/usr/bin/python3
"""Changes of streams beside everything else: sound that plays on, many sessions
at once, credentials that run out."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import (KEYS, check_responses, profile, remote,  # noqa: E402
                    wait_until)
from recorded import (ASKED, QUESTION, SCRIPT, SOON, STORY,  # noqa: E402
                      Rotating, Recorder)
from speech import Loudspeaker  # noqa: E402


class Sound(Rotating):
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


class Credentials(Rotating):
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


class Many(Rotating):
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
