#!/usr/bin/python3
"""Reads Prometheus' text format 0.0.4 strictly, from standard input.

Usage: check_exposition.py [SAMPLE=VALUE...]

Written from the format's description and shares nothing with what prints it.
Each SAMPLE, such as 'a_total{b="c"}', must be there with that value. Prints how
many samples there were; every complaint is a line on stderr, and exit code 1.
"""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
VALUE = re.compile(r"[+-]?(Inf|[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?)|NaN")
PARTS = {"summary": ("", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Wrong(Exception):
    pass


def read_labels(text):
    """{name: value} of what stands between the braces."""
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        if not found:
            raise Wrong(f"no label at {text[at:]!r}")
        if found[1] in labels:
            raise Wrong(f"label {found[1]} twice")
        labels[found[1]] = re.sub(
            r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])
        at = found.end()
        if at < len(text):
            if text[at] != ",":
                raise Wrong(f"no comma at {text[at:]!r}")
            at += 1
    return labels


def read_sample(line):
    """(name, labels as a frozen set, value)"""
    found = re.fullmatch(rf"({NAME})(?:\{{(.*)\}})? (\S+)", line)
    if not found or not VALUE.fullmatch(found[3]):
        raise Wrong("no sample")
    labels = read_labels(found[2] or "")
    return found[1], frozenset(labels.items()), float(found[3])


class Exposition:
    def __init__(self):
        self.samples = {}
        self.helped = set()
        self.types = {}
        self.family = None
        self.closed = set()

    def begin(self, family):
        if family == self.family:
            return
        if family in self.closed:
            raise Wrong(f"{family} is in two groups")
        if self.family:
            self.closed.add(self.family)
        self.family = family

    def comment(self, line):
        found = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.*)", line)
        if not found:
            raise Wrong("neither HELP nor TYPE")
        kind, family, text = found.groups()
        self.begin(family)
        if kind == "HELP":
            if family in self.helped:
                raise Wrong("a second HELP")
            if re.search(r"\\(?![\\n])", re.sub(r"\\\\", "", text)):
                raise Wrong("a lone backslash")
            self.helped.add(family)
            return
        if family in self.types or text not in PARTS:
            raise Wrong("a second or unknown TYPE")
        self.types[family] = text

    def sample(self, line):
        name, labels, value = read_sample(line)
        kind = self.types.get(self.family)
        if not kind or self.family not in self.helped:
            raise Wrong("before its HELP and TYPE")
        if name not in [self.family + part for part in PARTS[kind]]:
            raise Wrong(f"not of {self.family}")
        if kind == "counter" and (value < 0 or not name.endswith("_total")):
            raise Wrong("no counter")
        if (kind == "summary" and name == self.family and
                not 0 <= float(dict(labels).get("quantile", "-1")) <= 1):
            raise Wrong("no quantile")
        if (name, labels) in self.samples:
            raise Wrong("twice")
        self.samples[name, labels] = value

    def line(self, line):
        if line.startswith("#"):
            self.comment(line)
        else:
            self.sample(line)


def main():
    text = sys.stdin.buffer.read().decode("utf-8", errors="strict")
    exposition, wrong = Exposition(), []
    if text and not text.endswith("\n"):
        wrong.append("the last line does not end")
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            exposition.line(line)
        except Wrong as e:
            wrong.append(f"line {number}: {e}: {line}")
    for wanted in sys.argv[1:]:
        sample, value = wanted.rsplit("=", 1)
        name, labels, _ = read_sample(sample + " 0")
        found = exposition.samples.get((name, labels))
        if found != float(value):
            wrong.append(f"{sample} is {found}, not {value}")
    print(len(exposition.samples))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
