"""Finds fields that a peer could fill without end.

A field is bounded when its own protovalidate rule says how long it can get: a length, a closed set, a format of known
length, or a pattern that is anchored at both ends and matches no text beyond some length. A rule on the message around
it does not count: the next message that uses the field would forget it.
"""

import re
from re import _constants, _parser  # type: ignore[attr-defined]

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from shared.pb.buf.validate import validate_pb2

LONGEST = 1_000_000
TEXT_LIMITS = ("const", "in", "len", "max_len", "len_bytes", "max_bytes")
BYTES_LIMITS = ("const", "in", "len", "max_len", "ip", "ipv4", "ipv6")
FORMATS = ("uuid", "tuuid", "ip", "ipv4", "ipv6")
UNICODE_CLASS = re.compile(r"\\[pP]\{\w+\}")


def rules_of(field: FieldDescriptor) -> Message:
    """Reads the protovalidate rules of a field, empty when it has none."""
    return field.GetOptions().Extensions[validate_pb2.field]  # type: ignore[index]


def stated(rules: Message) -> set[str]:
    """Names the rules that are set; a format that is set to false states nothing."""
    return {rule.name for rule, value in rules.ListFields() if value is not False}


def closed(pattern: str) -> bool:
    """Says whether a pattern is anchored at both ends and cannot match text of any length."""
    tree = _parser.parse(UNICODE_CLASS.sub("x", pattern))
    anchors = [(_constants.AT, _constants.AT_BEGINNING), (_constants.AT, _constants.AT_END)]
    return len(tree) >= 2 and [tree[0], tree[-1]] == anchors and tree.getwidth()[1] <= LONGEST


def has_grammar(rules: Message) -> bool:
    """Says whether string rules enforce a grammar: a pattern anchored at both ends, a format, or a closed set."""
    names = stated(rules.string)  # type: ignore[attr-defined]
    anchored = re.fullmatch(r"\^.*\$", rules.string.pattern)  # type: ignore[attr-defined]
    return bool(names & {*FORMATS, "const", "in"} or anchored)


def bounded(kind: int, rules: Message) -> bool:
    """Says whether rules bound a single value of a field type; only text and bytes need a bound."""
    if kind == FieldDescriptor.TYPE_STRING:
        text = rules.string  # type: ignore[attr-defined]
        return bool(stated(text) & {*TEXT_LIMITS, *FORMATS}) or closed(text.pattern)
    if kind == FieldDescriptor.TYPE_BYTES:
        return bool(stated(rules.bytes) & set(BYTES_LIMITS))  # type: ignore[attr-defined]
    return True


def unbounded(messages: list[Descriptor]) -> list[str]:
    """Names the fields without a bound, each with what is missing."""
    found = []
    for field in (field for message in messages for field in message.fields):
        rules = rules_of(field)
        value_rules = rules
        if rules.ignore == validate_pb2.IGNORE_ALWAYS:  # type: ignore[attr-defined]
            found.append(f"{field.full_name}: its rules are ignored")
        if field.is_repeated:
            is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
            limit = "map.max_pairs" if is_map else "repeated.max_items"
            outer, inner = limit.split(".")
            if inner not in stated(getattr(rules, outer)):
                found.append(f"{field.full_name}: no {limit}")
            value_rules = rules.repeated.items  # type: ignore[attr-defined]
        if not bounded(field.type, value_rules):
            found.append(f"{field.full_name}: no length")
    return found
