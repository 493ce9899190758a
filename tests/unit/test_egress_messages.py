"""The egress guard on messages of the contracts: where it looks, what it leaves to a grammar, what it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2, timestamp_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from shared.egress import check_message
from shared.errors import Violation
from shared.pb.filingnet.network.v1 import directory_pb2, entry_pb2, filing_pb2, grammar_pb2
from shared.validation import MAX_VIOLATIONS

MOBILE = "13800138000"
LICENCE_LIKE_A_MOBILE = "13120170002"
ID_NUMBER = "330106188001010014"  # made up, of a birth in 1880
FIELD: Final = descriptor_pb2.FieldDescriptorProto
GRAMMAR: Final[Any] = grammar_pb2.grammar
UNKNOWN_BYTES: Final = b"\x9a\x06\x0b" + MOBILE.encode()


def message_of_every_shape() -> Any:
    """Makes a message of a contract that nests, lists, maps and chooses in the ways that the network's may one day."""
    file = descriptor_pb2.FileDescriptorProto(
        name="every_shape.proto", package="every_shape", syntax="proto3", dependency=[grammar_pb2.DESCRIPTOR.name]
    )
    shapes = {
        # kind of message: its fields by name, with kind and whether it is a list; "?" begins a member of its oneof
        "Leaf": {"text": ("", False), "closed": ("", False)},
        "Numbers": {"more": ("Numbers", True), "one": ("Numbers", False), "closed": ("", False)},
        "Lines": {"lines": ("", True)},
        "Leaves": {"leaves": ("Leaf", True)},
        "Whole": {
            **{name.lower(): (name, False) for name in ("Leaf", "Numbers", "Lines", "Leaves")},
            **{f"?chosen_{name.lower()}": (name, False) for name in ("Leaf", "Numbers", "Lines", "Leaves")},
            "?note": ("", False),
        },
    }
    for kind, fields in shapes.items():
        message = file.message_type.add(name=kind)
        if kind == "Whole":
            message.oneof_decl.add(name="choice")
        for number, (name, (of, many)) in enumerate(fields.items(), 1):
            field = message.field.add(name=name.removeprefix("?"), number=number)
            field.label = FIELD.LABEL_REPEATED if many else FIELD.LABEL_OPTIONAL
            field.type = FIELD.TYPE_MESSAGE if of else FIELD.TYPE_STRING
            if of:
                field.type_name = f".every_shape.{of}"
            if name.startswith("?"):
                field.oneof_index = 0
            if name == "closed":
                field.options.Extensions[GRAMMAR] = "a licence number"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("every_shape.Whole"))()


def clean_entry() -> entry_pb2.Entry:
    entry = entry_pb2.Entry(
        entry_id="01890a5d-ac96-774b-bcce-b302099a8057", origin="provider/wave", jurisdiction="330000", sequence=1
    )
    entry.created_time.FromSeconds(1)
    entry.filing.account_id = "3f2b8c1e-1380-4013-8000-123456789abc"
    entry.filing.display_name = "第一财经日报"
    entry.filing.uscc = "91110000100000019N"
    entry.filing.organisation_name = "上海第一财经传媒有限公司"
    entry.filing.reviewed_time.FromSeconds(1)
    return entry


def told(message: Message) -> list[tuple[str, str]]:
    found = check_message(message)
    if all(violation.rule != "UNKNOWN_FIELD" for violation in found):
        # Who has seen to it that there are no unknown fields is told the same.
        assert found == check_message(message, no_unknown_fields=True)
    return [(violation.field, violation.rule) for violation in found]


def test_passes_a_clean_entry() -> None:
    """An ordinary filing is no alarm."""
    assert [] == check_message(clean_entry())


@pytest.mark.parametrize("name", ["display_name", "organisation_name"])
def test_finds_identity_data_in_the_free_texts_of_a_filing(name: str) -> None:
    """Both free texts of a filing are read, and the violation names the field from the top."""
    entry = clean_entry()
    setattr(entry.filing, name, f"新闻{MOBILE}，{ID_NUMBER}")

    assert [(f"filing.{name}", "IDENTITY_NUMBER"), (f"filing.{name}", "MOBILE_NUMBER")] == told(entry)


def test_finds_identity_data_in_lists_and_nested_messages() -> None:
    """Texts in lists, and in messages in lists, are told with their index."""
    policy = entry_pb2.Entry()
    policy.policy.categories.add(code="news", title_zh="时政", title_en="News")
    policy.policy.categories.add(code="law", title_zh=f"法治{MOBILE}", title_en="E00000018")
    policy.policy.agreement.baselines.extend(["法律法规", ID_NUMBER])
    decision = entry_pb2.Entry()
    decision.filing_decision.note = f"请联系{MOBILE}"

    assert [
        ("policy.agreement.baselines[1]", "IDENTITY_NUMBER"),
        ("policy.categories[1].title_en", "PASSPORT_NUMBER"),
        ("policy.categories[1].title_zh", "MOBILE_NUMBER"),
    ] == sorted(told(policy))
    assert [("filing_decision.note", "MOBILE_NUMBER")] == told(decision)


def test_leaves_fields_with_a_grammar_to_their_validation() -> None:
    """A licence number that looks like a mobile number passes in its own field, and in no other."""
    directory = directory_pb2.Directory(version=1)
    directory.nodes.add(name="provider/wave", title="浪潮", licence={"number": LICENCE_LIKE_A_MOBILE})
    directory.nodes.add(name="provider/other", title=LICENCE_LIKE_A_MOBILE)

    assert [("nodes[1].title", "MOBILE_NUMBER")] == told(directory)


def test_finds_identity_data_in_keys_and_values_of_maps() -> None:
    """Maps hide nothing, and a key is not told, because a key can be anything."""
    detail = error_details_pb2.ErrorInfo(reason="OK", domain="filingnet", metadata={"a": MOBILE, "b": "clean"})
    keyed = error_details_pb2.ErrorInfo(metadata={ID_NUMBER: "clean"})
    nested = struct_pb2.Struct()
    nested.fields["a"].list_value.values.add(string_value="clean")
    nested.fields["a"].list_value.values.add().struct_value.fields["b"].string_value = MOBILE

    assert [("metadata", "MOBILE_NUMBER")] == told(detail)
    assert [("metadata", "IDENTITY_NUMBER")] == told(keyed)
    assert [("fields.list_value.values[1].struct_value.fields.string_value", "MOBILE_NUMBER")] == told(nested)


def test_finds_identity_data_in_every_shape_of_message() -> None:
    """Guards: texts are read in messages, lists and choices, at any depth, whether or not unknown fields are looked for."""
    places: dict[str, Callable[[Any], object]] = {
        "leaf.text": lambda whole: setattr(whole.leaf, "text", MOBILE),
        "lines.lines[1]": lambda whole: whole.lines.lines.extend(["clean", MOBILE]),
        "leaves.leaves[1].text": lambda whole: [whole.leaves.leaves.add(text=text) for text in ("clean", MOBILE)],
        "chosen_leaf.text": lambda whole: setattr(whole.chosen_leaf, "text", MOBILE),
        "chosen_lines.lines[0]": lambda whole: whole.chosen_lines.lines.append(MOBILE),
        "chosen_leaves.leaves[0].text": lambda whole: whole.chosen_leaves.leaves.add(text=MOBILE),
        "note": lambda whole: setattr(whole, "note", MOBILE),
    }
    for place, put in places.items():
        whole = message_of_every_shape()
        put(whole)
        assert [(place, "MOBILE_NUMBER")] == told(whole)


def test_passes_clean_messages_of_every_shape() -> None:
    """Guards: nothing chosen, a choice without texts, and a text that a grammar closes are no alarm."""
    nothing, numbers, closed = (message_of_every_shape() for _ in range(3))
    numbers.chosen_numbers.one.more.add()
    closed.leaf.closed = closed.numbers.closed = closed.chosen_leaf.closed = MOBILE

    assert [[], [], [], []] == [told(each) for each in (nothing, numbers, closed, entry_pb2.Entry())]


def test_passes_over_what_holds_no_text_where_the_caller_has_looked_for_unknown_fields() -> None:
    """Guards: a message that can hold no text, however often it holds itself, costs nothing when the caller vouches."""
    within, chosen = message_of_every_shape(), message_of_every_shape()
    within.numbers.one.MergeFromString(UNKNOWN_BYTES)
    chosen.chosen_numbers.one.MergeFromString(UNKNOWN_BYTES)

    assert [[], []] == [check_message(whole, no_unknown_fields=True) for whole in (within, chosen)]
    assert [("numbers.one", "UNKNOWN_FIELD")] == told(within)
    assert [("chosen_numbers.one", "UNKNOWN_FIELD")] == told(chosen)


def test_does_not_read_bytes() -> None:
    """A person's random reference is no text, whatever its bytes spell."""
    entry = clean_entry()
    entry.filing.person_reference = f"tel: {MOBILE}".encode()

    assert [] == check_message(entry)


def test_refuses_fields_that_the_contracts_do_not_know() -> None:
    """What this version cannot read does not pass, at any depth."""
    unknown = timestamp_pb2.Timestamp.FromString(UNKNOWN_BYTES)
    top = entry_pb2.Entry.FromString(clean_entry().SerializeToString() + UNKNOWN_BYTES)
    deep = clean_entry()
    deep.filing.identity_verified_time.MergeFrom(unknown)

    assert [("", "UNKNOWN_FIELD")] == told(top)
    assert [("filing.identity_verified_time", "UNKNOWN_FIELD")] == told(deep)


def test_tells_how_to_mend_and_never_the_value() -> None:
    """Every violation has a mend, and none repeats what it found."""
    filing = filing_pb2.Filing(display_name=f"{MOBILE} {ID_NUMBER} E00000018")

    violations = check_message(filing)

    assert [True] * 3 == [len(violation.mend) > 10 for violation in violations]
    assert [] == [value for value in (MOBILE, ID_NUMBER, "00000018") if value in repr(violations)]


def test_fails_closed_on_its_own_errors() -> None:
    """What cannot be walked through, or is nested without end, is a violation and not an error."""
    endless = struct_pb2.Struct()
    inner = endless
    for _ in range(2000):
        inner = inner.fields["a"].struct_value

    for message in (endless, None):
        violations = check_message(message)  # type: ignore[arg-type]
        assert [("", "GUARD_FAILED")] == [(violation.field, violation.rule) for violation in violations]


def test_bounds_what_it_tells() -> None:
    """A message full of identity data is refused without an answer of its own size."""
    directory = directory_pb2.Directory(nodes=[{"title": MOBILE}] * (MAX_VIOLATIONS + 1))

    violations = check_message(directory)

    assert MAX_VIOLATIONS == len(violations)
    assert all(isinstance(violation, Violation) for violation in violations)
