"""Everything that crosses a wire has a bound, so that no peer can fill a node's memory with one field."""

import protovalidate
import pytest
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from shared.pb.buf.validate import validate_pb2
from shared.pb.filingnet.network.v1 import grammar_pb2
from tests.contract.bounds import closed, has_grammar, rules_of, unbounded
from tests.contract.descriptors import PACKAGES, fields, messages

Field = descriptor_pb2.FieldDescriptorProto


def message_with(**rules_by_name: tuple[int, bool, validate_pb2.FieldRules]) -> Descriptor:
    """Makes a message type with one field for each name: its type, whether it is repeated, its rules."""
    file = descriptor_pb2.FileDescriptorProto(name="control.proto", package="control", syntax="proto3")
    file.dependency.append("buf/validate/validate.proto")
    message = file.message_type.add(name="Control")
    for number, (name, (kind, repeated, rules)) in enumerate(rules_by_name.items(), start=1):
        label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
        field = message.field.add(name=name, number=number, type=kind, label=label)
        field.options.Extensions[validate_pb2.field].CopyFrom(rules)  # type: ignore[index]
    pool = DescriptorPool()
    for dependency in [
        *(each for each in validate_pb2.DESCRIPTOR.dependencies),
        validate_pb2.DESCRIPTOR,
    ]:
        pool.AddSerializedFile(dependency.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindMessageTypeByName("control.Control")


def test_every_field_is_bounded() -> None:
    """Every string, bytes and repeated field of the three packages has a rule that bounds it."""
    assert [] == unbounded(messages(*PACKAGES))


def test_checker_names_what_is_unbounded() -> None:
    """The checker finds each kind of missing bound, and nothing else, in a message that is broken on purpose."""
    rules = validate_pb2.FieldRules
    text, data = validate_pb2.StringRules, validate_pb2.BytesRules
    control = message_with(
        bare=(Field.TYPE_STRING, False, rules()),
        lower_bound=(Field.TYPE_STRING, False, rules(string=text(min_len=1))),
        open_pattern=(Field.TYPE_STRING, False, rules(string=text(pattern="^[a-z]+$"))),
        no_anchor=(Field.TYPE_STRING, False, rules(string=text(pattern="[a-z]"))),
        format_off=(Field.TYPE_STRING, False, rules(string=text(uuid=False))),
        bare_bytes=(Field.TYPE_BYTES, False, rules(bytes=data(min_len=1))),
        no_count=(Field.TYPE_INT32, True, rules()),
        no_item=(Field.TYPE_STRING, True, rules(repeated=validate_pb2.RepeatedRules(max_items=1))),
        fine=(Field.TYPE_STRING, False, rules(string=text(max_len=1))),
        fine_uuid=(Field.TYPE_STRING, False, rules(string=text(uuid=True))),
        fine_pattern=(Field.TYPE_STRING, False, rules(string=text(pattern=r"^([a-z]|\p{Han}){1,9}$"))),
        fine_bytes=(Field.TYPE_BYTES, False, rules(bytes=data(len=32))),
        fine_number=(Field.TYPE_INT64, False, rules()),
    )
    expected = ["bare", "lower_bound", "open_pattern", "no_anchor", "format_off", "bare_bytes", "no_count", "no_item"]
    assert expected == [finding.split(":")[0].removeprefix("control.Control.") for finding in unbounded([control])]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^[0-9]{11}$", True),
        (r"^(a|b)?\p{L}{0,4}$", True),
        ("^a|b$", False),
        ("^a*$", False),
        ("^(ab+)$", False),
        ("a", False),
        ("", False),
    ],
)
def test_closed_pattern(pattern: str, expected: bool) -> None:
    """A pattern closes a field when it holds at both ends and has a longest match."""
    assert expected == closed(pattern)


def test_every_grammar_is_enforced() -> None:
    """A field that the egress guard leaves out because of its grammar has a rule that enforces one."""
    grammar = grammar_pb2.grammar
    marked = [
        field
        for field in fields(messages(*PACKAGES))
        if field.GetOptions().Extensions[grammar]  # type: ignore[index]
    ]
    assert [] != marked
    loose = []
    for field in marked:
        rules = rules_of(field)
        value_rules = rules.repeated.items if field.is_repeated else rules  # type: ignore[attr-defined]
        if field.type != FieldDescriptor.TYPE_STRING or not has_grammar(value_rules):
            loose.append(field.full_name)
    assert [] == loose


@pytest.mark.parametrize("message", messages(*PACKAGES), ids=lambda message: message.full_name)
def test_every_rule_compiles(message: Descriptor) -> None:
    """A rule of the wrong type would be found by the first message on the wire, and fail it; it is found here."""
    protovalidate.collect_violations(message_factory.GetMessageClass(message)())
