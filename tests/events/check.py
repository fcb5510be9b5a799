#!/usr/bin/python3
"""Checks published events against ipc/schemas/ and ipc/events.md.

Reads JSON lines: first {"fields": {TYPE: [[kind, must, path, what], ...]}}, the
gateway's own list, then one {"topic": ..., "event": ...} for each event. Prints
what is wrong; the exit status is 1 if anything is.
"""
import json
import os
import re
import sys

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {"text": "string", "u64": "string", "count": "integer",
         "seconds": "number", "number": "number", "flag": "boolean", "list": "array"}
wrong = []


def schema(name):
    with open(os.path.join(ROOT, "ipc/schemas", name + ".json")) as f:
        document = json.load(f)
    jsonschema.Draft202012Validator.check_schema(document)
    return document


def leaves(node, prefix="", must=True):
    """(path, schema, required) of all members that the gateway fills one by one."""
    for name, child in node.get("properties", {}).items():
        path = prefix + name
        needed = must and name in node.get("required", [])
        if child.get("type") == "object" and "properties" in child:
            yield from leaves(child, path + ".", needed)
        else:
            yield path, child, needed


def check_fields(name, fields, sections):
    described = {p: (s, r) for p, s, r in leaves(schema(name))}
    table = {f[2]: f for f in fields}
    if set(described) != set(table):
        wrong.append(f"{name}: schema and gateway differ: "
                     f"{sorted(set(described) ^ set(table))}")
    for path, (kind, must, _, what) in table.items():
        node, required = described.get(path, ({}, None))
        if required is not None and required != must:
            wrong.append(f"{name}.{path}: required {required} in the schema, {must} in the gateway")
        if kind in TYPES and node.get("type") != TYPES[kind]:
            wrong.append(f"{name}.{path}: is {node.get('type')} in the schema, {kind} in the gateway")
        row = rf"^\| `{re.escape(path)}` \|.*\| {'always' if must else 'maybe'} \| {re.escape(what)} \|$"
        if not re.search(row, sections.get(name, ""), re.M):
            wrong.append(f"{name}.{path}: not in ipc/events.md as it is")


def sections_of_docs():
    with open(os.path.join(ROOT, "ipc/events.md")) as f:
        parts = re.split(r"^### (.*)$", f.read(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def check_examples(sections):
    for name, text in sections.items():
        for example in re.findall(r"^```json\n(.*?)^```", text, re.M | re.S):
            try:
                jsonschema.validate(json.loads(example), schema(name), jsonschema.Draft202012Validator)
            except (ValueError, jsonschema.ValidationError) as e:
                wrong.append(f"{name}: the example in ipc/events.md: {e}")


def check_event(topic, event):
    name = topic.split("/")[1]
    try:
        jsonschema.validate(event, schema("envelope"), jsonschema.Draft202012Validator)
        jsonschema.validate(event["data"], schema(name), jsonschema.Draft202012Validator)
    except jsonschema.ValidationError as e:
        wrong.append(f"{topic}: {e.json_path}: {e.message}")
    if event["type"] != f"voxring.{name}.v1":
        wrong.append(f"{topic}: has the type {event['type']}")
    return name


def main():
    fields = json.loads(sys.stdin.readline())["fields"]
    sections = sections_of_docs()
    if set(sections) != set(fields):
        wrong.append(f"ipc/events.md and the gateway differ: {sorted(set(sections) ^ set(fields))}")
    for name in fields:
        check_fields(name, fields[name], sections)
    check_examples(sections)
    seen = set()
    for line in sys.stdin:
        document = json.loads(line)
        seen.add(check_event(document["topic"], document["event"]))
    if seen != set(fields):
        wrong.append(f"not published by the test: {sorted(set(fields) - seen)}")
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
