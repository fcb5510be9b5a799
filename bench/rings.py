"""The ring's rows: what the C benches print, and who waits on an idle gateway.

bench_trip runs twice: with both processes on one CPU, where a wake-up is a
switch and differences show, and with a CPU for each, where a virtual machine's
interrupt to a CPU that sleeps is most of it.
"""
import os
import subprocess
import time

import harness

PEERS = (("pipe", "a pipe"), ("stream", "a Unix stream"),
         ("seqpacket", "Unix seqpacket"), ("zmq", "ZeroMQ ipc"))
READERS = (1, 4, 15)


def measured(name, *arguments):
    """{row: [figure...]} of one C bench."""
    out = subprocess.run([harness.program(f"bench/{name}"), *arguments], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    rows = (line.split() for line in out.splitlines())
    return {r[0]: [float(f) for f in r[1:]] for r in rows}


def used(pid):
    """(seconds of CPU, times it was let run) of all threads."""
    total, runs = 0, 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            on_cpu, _, times = map(int, f.read().split())
        total, runs = total + on_cpu, runs + times
    return total / 1e9, runs


def waiting(seconds):
    """What 16 processes at the rings of a session that sleeps, and its gateway,
    use: [(share of a CPU in percent, wake-ups a second)] of the two."""
    config = {"log": "error", "sessions": {"robot": {"tools": [], "mode": "manual"}}}
    with harness.Gateway(config, arguments=["--ear", "none"]) as gateway:
        crowd = subprocess.Popen(
            [harness.program("bench/bench_idle"), gateway.runtime, "robot"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with crowd:
            pids = crowd.stdout.readline().split()
            if not pids:
                raise AssertionError("bench_idle could not attach")
            time.sleep(1)  # what follows an attachment is over
            groups, begin = (pids, [gateway.process.pid]), time.monotonic()
            before = [[used(pid) for pid in group] for group in groups]
            time.sleep(seconds)
            after = [[used(pid) for pid in group] for group in groups]
            took = time.monotonic() - begin
        gateway.stop()
    return [(100 * (sum(u[0] for u in b) - sum(u[0] for u in a)) / took,
             (sum(u[1] for u in b) - sum(u[1] for u in a)) / took)
            for a, b in zip(before, after)]


def slashed(values, form, unit):
    return " / ".join(format(v, form) for v in values) + " " + unit


def commits(row):
    ours, floor = measured("bench_ring")["ring_commit_ns"]
    row("ring: commit of 10 ms, nobody asleep", f"{ours:.0f} ns", f"{floor:.0f} ns",
        f"{ours / floor:.2f}x (goal 1.3x)")
    r = measured("bench_readers")
    awake = [r[f"awake_{n}_ns"] for n in READERS]
    asleep = [[ns / 1e3 for ns in r[f"asleep_{n}_ns"]] for n in READERS]
    row("ring: commit, 1 / 4 / 15 readers spin at it", slashed((a[0] for a in awake), ".0f", "ns"),
        slashed((a[1] for a in awake), ".0f", "ns"), "goal: does not grow; writer's CPU time")
    row("ring: commit that wakes 1 / 4 / 15 readers", slashed((a[0] for a in asleep), ".1f", "us"),
        slashed((a[1] for a in asleep), ".1f", "us"),
        "floor: one futex; an eventfd each: " + slashed((a[2] for a in asleep), ".1f", "us"))


def trips(row):
    places = (("one CPU", measured("bench_trip", "1")), ("a CPU each", measured("bench_trip", "2")))
    for place, t in places:
        wake = {name: figures[2] for name, figures in t.items()}
        row(f"ring: commit that wakes, {place}", f"{wake['ring'] / 1e3:.2f} us",
            f"{wake['futex'] / 1e3:.2f} us", against(wake))
        p50 = {name: figures[0] for name, figures in t.items()}
        for name, word in (("ring", ""), ("bell", " by doorbell")):
            row(f"ring: there and back{word}, {place}",
                slashed(t[name][:2], ".1f", "us"), slashed(t["futex"][:2], ".1f", "us"),
                "p50 / p99; " + against(p50, name))
    t = places[0][1]
    for name, word in PEERS:
        row(f"there and back / to send, by {word}",
            f"{t['ring'][0]:.1f} us / {t['ring'][3]:.0f} ns",
            f"{t[name][0]:.1f} us / {t[name][3]:.0f} ns",
            "one CPU, p50; to send while nobody sleeps")


def against(figures, name="ring"):
    ours = figures[name]
    return (f"{ours / figures['futex']:.2f}x futex, {ours / figures['eventfd']:.2f}x "
            "eventfd (goal 1.5x)")


def stalls(row, seconds):
    s = measured("bench_stall", str(seconds))
    for name, word in (("write", "vr_write()"), ("late", "arrival")):
        dying, strangers, nobody = (s[f"{name}_{phase}_us"] for phase in range(3))
        row(f"{word}, readers killed: p50 / p99.9 / max", slashed(dying[:3], ".0f", "us"),
            slashed(nobody[:3], ".0f", "us"),
            f"floor: nobody killed; others killed: {slashed(strangers[:3], '.0f', 'us')}; "
            f"{dying[3]:.0f} kills")


def idle(row, seconds):
    crowd, gateway = waiting(seconds)
    for (share, runs), word in ((crowd, "15 readers and a producer, all waiting"),
                                (gateway, "voxringd beside them")):
        row(f"idle CPU of {word}", f"{share:.3f} %", "0 %",
            f"goal none; {runs:.0f} wake-ups a second")


def rows(row, seconds):
    """Prints all by row(name, ours, floor, goal)."""
    commits(row)
    trips(row)
    stalls(row, seconds / 2)
    idle(row, seconds)
