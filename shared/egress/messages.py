"""The guard on a whole message of the contracts: every text in it that no grammar closes, wherever it lies.

What has to be read is worked out once for each kind of message and kept, so that an entry costs little more than the
reading of its two or three texts. Fields with the option (filingnet.network.v1.grammar) are not read: their validation
rules enforce the grammar. Fields that this version of the contracts does not know could hold anything and are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from shared.egress.guard import Finding, findings
from shared.errors import Violation
from shared.pb.filingnet.network.v1 import grammar_pb2
from shared.validation import MAX_VIOLATIONS

_GRAMMAR: Final[Any] = grammar_pb2.grammar
_UNKNOWN: Final = "send only fields of these contracts; bring both nodes to the same version of them"


def check_message(message: Message, *, no_unknown_fields: bool = False) -> list[Violation]:
    """Returns what in a message the guard lets neither out nor in; empty where it is clean.

    Args:
        message: any message of the contracts, with all that it holds: nested, repeated and in maps.
        no_unknown_fields: whether the caller has seen to it that the message holds nothing but fields of its contract.

    Returns:
        At most MAX_VIOLATIONS, each with the path of the field ("filing.display_name", "nodes[3].title"; a map's key is
        not told), the rule of a finding or UNKNOWN_FIELD, and how to mend it. Never a value. GUARD_FAILED where the
        message could not be read; it never raises.
    """
    broken: list[Violation] = []
    try:
        (_read_texts if no_unknown_fields else _read)(message, "", broken)
    except Exception:  # noqa: BLE001 - fails closed, and tells nothing of an error that may quote a value
        broken.append(
            Violation("", "GUARD_FAILED", "send plain text; the guard lets nothing pass that it has not read")
        )
    return broken[:MAX_VIOLATIONS]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The fields of one kind of message that are read, by name: texts, and messages, which may hold texts."""

    texts: tuple[str, ...]
    text_lists: tuple[str, ...]
    messages: tuple[str, ...]
    message_lists: tuple[str, ...]
    maps: tuple[tuple[str, FieldDescriptor, FieldDescriptor], ...]  # with key and value
    texts_within: tuple[str, ...]  # those of messages that can hold texts and stand for themselves
    choices_within: tuple[str, ...]  # oneofs of which a message that can hold texts may be chosen
    textless: frozenset[str]  # members of these oneofs that hold none, or are texts and read as such
    simple: bool  # neither lists nor maps hold texts


def _read(message: Any, path: str, broken: list[Violation]) -> None:
    plan = _plan(message.DESCRIPTOR)
    if len(UnknownFieldSet(message)):
        broken.append(Violation(path.removesuffix("."), "UNKNOWN_FIELD", _UNKNOWN))
    for name in plan.texts:
        if found := findings(getattr(message, name)):
            _tell(found, f"{path}{name}", broken)
    for name in plan.messages:
        if message.HasField(name):
            _read(getattr(message, name), f"{path}{name}.", broken)
    for name in plan.text_lists:
        for index, text in enumerate(getattr(message, name)):
            if found := findings(text):
                _tell(found, f"{path}{name}[{index}]", broken)
    for name in plan.message_lists:
        for index, element in enumerate(getattr(message, name)):
            _read(element, f"{path}{name}[{index}].", broken)
    for name, key, value in plan.maps:
        _read_map(getattr(message, name), key, value, f"{path}{name}", broken)


def _read_texts(message: Any, path: str, broken: list[Violation]) -> None:
    # The same as _read for a message without unknown fields: what can hold no text is passed over.
    plan = _plan(message.DESCRIPTOR)
    if not plan.simple:
        _read(message, path, broken)
        return
    for name in plan.texts:
        if found := findings(getattr(message, name)):
            _tell(found, f"{path}{name}", broken)
    for name in plan.texts_within:
        if message.HasField(name):
            _read_texts(getattr(message, name), f"{path}{name}.", broken)
    for oneof in plan.choices_within:
        if (chosen := message.WhichOneof(oneof)) is not None and chosen not in plan.textless:
            _read_texts(getattr(message, chosen), f"{path}{chosen}.", broken)


def _read_map(entries: Any, key: FieldDescriptor, value: FieldDescriptor, path: str, broken: list[Violation]) -> None:
    for each in entries:
        if key.type == FieldDescriptor.TYPE_STRING:
            _tell(findings(each), path, broken)
        if value.type == FieldDescriptor.TYPE_STRING:
            _tell(findings(entries[each]), path, broken)
        elif value.type == FieldDescriptor.TYPE_MESSAGE:
            _read(entries[each], f"{path}.", broken)


def _tell(found: Iterable[Finding], path: str, broken: list[Violation]) -> None:
    broken.extend(Violation(path, each.rule, each.mend) for each in found)


@cache
def _plan(descriptor: Descriptor) -> _Plan:
    fields = descriptor.fields
    texts = [field for field in fields if field.type == FieldDescriptor.TYPE_STRING and not _has_grammar(field)]
    nested = [(field, field.message_type) for field in fields if field.message_type is not None]
    maps = [(field.name, entry) for field, entry in nested if entry.GetOptions().map_entry]
    messages = [field for field, kind in nested if not kind.GetOptions().map_entry]
    within = [field for field in messages if not field.is_repeated and _holds_texts(field.message_type)]
    choices = {field.containing_oneof.name: field.containing_oneof for field in within if field.containing_oneof}
    members = {field.name for oneof in choices.values() for field in oneof.fields}
    return _Plan(
        tuple(field.name for field in texts if not field.is_repeated),
        tuple(field.name for field in texts if field.is_repeated),
        tuple(field.name for field in messages if not field.is_repeated),
        tuple(field.name for field in messages if field.is_repeated),
        tuple((name, entry.fields_by_name["key"], entry.fields_by_name["value"]) for name, entry in maps),
        tuple(field.name for field in within if field.containing_oneof is None),
        tuple(choices),
        frozenset(members - {field.name for field in within}),
        simple=not maps and not any(field.is_repeated for field in [*texts, *messages]),
    )


def _holds_texts(descriptor: Descriptor | None, above: frozenset[str] = frozenset()) -> bool:
    # A message within itself adds nothing to what it holds.
    return (
        descriptor is not None
        and descriptor.full_name not in above
        and any(
            (field.type == FieldDescriptor.TYPE_STRING and not _has_grammar(field))
            or _holds_texts(field.message_type, above | {descriptor.full_name})
            for field in descriptor.fields
        )
    )


def _has_grammar(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().HasExtension(_GRAMMAR))
