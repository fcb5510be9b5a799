#!/usr/bin/python3
"""A robot's base, simulated: what the plugin `robot` talks to.

Usage: robot_base.py ENDPOINT [SPEED_M_PER_S]

    robot_base.py ipc:///tmp/base.sock
    "plugins": {"config": {"robot": {"endpoint": "ipc:///tmp/base.sock"}}}

Put the robot's driver in its place; tools/plugins/robot/README.md has the
messages. Keep three things: a movement tells its progress at least each second,
it ends when `hold_ms` pass without a word from who asked for it, and `stop`
ends any movement, whoever sends it.
"""
import json
import math
import sys
import time

import zmq


class Base:
    def __init__(self, router, speed):
        self.router, self.speed = router, speed
        self.x = self.y = self.heading = 0.0
        self.move = None  # the one movement there is

    def pose(self):
        return {"x": self.x, "y": self.y, "heading_deg": self.heading}

    def send(self, peer, number, **members):
        text = json.dumps({"id": number, **members}).encode()
        self.router.send_multipart([peer, text])

    def end_move(self, **members):
        move, self.move = self.move, None
        if move:
            self.send(move["peer"], move["id"], pose=self.pose(), **members)

    def begin_move(self, peer, number, m):
        if self.move:
            return self.send(peer, number, error="I am moving already")
        turn, far = math.radians(self.heading), m.get("distance_m", 0.0)
        x = m.get("x", self.x + far * math.cos(turn))
        y = m.get("y", self.y + far * math.sin(turn))
        now, here = time.monotonic(), (self.x, self.y)
        self.move = {"peer": peer, "id": number, "begun": now, "heard": now,
                     "from": here, "to": (x, y), "length": math.dist(here, (x, y)),
                     "heading": m.get("heading_deg", self.heading),
                     "hold": m.get("hold_ms", 1000) / 1000}

    def step(self):
        now, m = time.monotonic(), self.move
        if not m:
            return
        if now - m["heard"] > m["hold"]:
            return self.end_move(ok=True, stopped=True)
        part = min(1, self.speed * (now - m["begun"]) / (m["length"] or 1e-9))
        self.x, self.y = (a + (b - a) * part for a, b in zip(m["from"], m["to"]))
        if part < 1:
            return self.send(m["peer"], m["id"], progress=round(part, 3))
        self.heading = m["heading"]
        self.end_move(ok=True)

    def on_message(self, peer, text):
        m = json.loads(text)
        number, command = m["id"], m["command"]
        if self.move and self.move["id"] == number:
            self.move["heard"] = time.monotonic()
        if command == "battery":
            self.send(peer, number, ok=True, percent=87, charging=False)
        elif command == "pose":
            self.send(peer, number, ok=True, pose=self.pose())
        elif command == "move":
            self.begin_move(peer, number, m)
        elif command == "stop":
            own = self.move and self.move["id"] == number
            self.end_move(ok=True, stopped=True)
            own or self.send(peer, number, ok=True, stopped=True, pose=self.pose())
        elif command != "alive":
            self.send(peer, number, error=f"I do not know the command {command}")


def main():
    router = zmq.Context.instance().socket(zmq.ROUTER)
    router.bind(sys.argv[1])
    print(router.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    base = Base(router, float(sys.argv[2]) if len(sys.argv) == 3 else 0.5)
    while True:
        if router.poll(50 if base.move else None):
            try:
                base.on_message(*router.recv_multipart())
            except (ValueError, KeyError, TypeError) as e:
                print(f"a message that is none: {e}", file=sys.stderr)
        base.step()


if __name__ == "__main__":
    main()
