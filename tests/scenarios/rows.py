"""The rows of the recovery table, read from gateway/bedrock/exceptions.tbl.h
itself, and how voxring-local brings each about."""
import ast
import functools
import os
import re
import subprocess

import harness

READER = """
#define ROW(...) (__VA_ARGS__),
#define CLASSIFY_ERROR(code, message, status, kind, action, remedy) \\
    ROW("error", code, message, status, #kind, #action, remedy)
#define CLASSIFY_H2(error, name, kind, action, remedy) \\
    ROW("h2", #name, "", error, #kind, #action, remedy)
#define CLASSIFY_CAUSE(cause, kind, action, remedy) \\
    ROW("cause", #cause, "", 0, #kind, #action, remedy)
#include "gateway/bedrock/exceptions.tbl.h"
"""
NOBODY = "NobodyKnowsThisException"
WORDS = "Struck on purpose"


class Row:
    def __init__(self, table, code, message, number, kind, action, remedy):
        self.table, self.code, self.message = table, code, message
        self.number, self.kind, self.action = number, kind, action
        self.remedy = remedy

    def __repr__(self):
        said = self.code or self.message or self.number
        return f"{self.table} {said}: {self.action}"

    def matches(self, code, status, message):
        return self.table == "error" \
            and self.code.lower() in ("", code.lower()) \
            and self.message.lower() in message.lower() \
            and self.number in (0, status)

    def spoken(self):
        """(code, status, message) of an error that only this row is about."""
        code = self.code or ("ValidationException" if self.message else NOBODY)
        usual = 400 if self.code or self.message else 418
        return code, self.number or usual, \
            f"{WORDS}: {self.message}" if self.message else WORDS


@functools.lru_cache(None)
def table():
    text = subprocess.run(
        [os.environ.get("CC", "cc"), "-E", "-P", f"-I{harness.ROOT}", "-x", "c",
         "-"], input=READER, capture_output=True, check=True, text=True).stdout
    return [Row(*row) for row in ast.literal_eval(f"[{text}]")]


def first_match(code, status, message):
    return next(r for r in table() if r.matches(code, status, message))


def strikes(row):
    """(on a stream, on a request): each (fault, members), or None where it
    cannot strike so."""
    if row.table == "error":
        code, status, message = row.spoken()
        request = "refuse", {"status": status, "errortype": code,
                             "message": message}
        if row.action == "stay":
            return ("exception_stay", {"name": code, "message": message}), None
        if row.number:
            return None, request
        return ("exception", {"name": code, "message": message}), request
    if row.table == "h2":
        fault = "rst", {"code": row.number}
        return fault, fault
    return CAUSES[row.code]


UNKNOWN_H2 = 99
CAUSES = {
    "end_stream": (("end_stream", {}), None),
    "fin": (("fin", {}), ("fin", {})),
    "rst_stream": (("rst", {"code": UNKNOWN_H2}),) * 2,
    "goaway": (("goaway", {"code": UNKNOWN_H2, "last_stream": "zero"}),) * 2,
    "tls": (("tls_alert", {}),) * 2,
    "network": (("cut", {}),) * 2,
    "bad_frame": (("bad_crc", {}), None),
    # Found by waiting for them:
    "black_hole": (("black_hole", {}),) * 2,
    "stalled": (("slow_reader", {}), None),
    "no_answer": (None, ("no_answer", {})),
    # Made by what lies between, see faults.Way:
    "refused": (None, None), "connect_timeout": (None, None),
    "no_h2": (None, None), "proxy": (None, None),
}
SLOW = ("black_hole", "stalled", "no_answer")
WAYS = ("refused", "connect_timeout", "no_h2", "proxy")
# A peer that breaks HTTP/2 itself is made of bytes, in
# tests/bedrock/test_stream_ends.c; a name that was resolved once is remembered
# for a minute, so that losing it is for the start, in test_stream_ends.py.
ELSEWHERE = ("protocol", "dns")


def sentence(remedy):
    """As a pattern: the table's remedy begins what is told."""
    return "^" + re.escape(remedy)
