"""The contracts' own field rules, applied: what protovalidate finds, as violations that name field, rule and mend.

Rules describe what a field must be and never repeat what it was, so that no identity value can leave through an error.
"""

from __future__ import annotations

from typing import Any, Final

import protovalidate
from google.protobuf.message import Message

from shared.errors import InvalidInput, Violation

MAX_VIOLATIONS: Final = 50
"""Most violations that are told of one message."""


def field_violations(message: Message) -> list[Violation]:
    """Returns what in a message breaks its contract; empty where nothing does.

    Args:
        message: any message of the contracts.

    Returns:
        At most 50 violations, each with the path of the field (empty for a rule about the whole message).
    """
    found = protovalidate.collect_violations(message)
    return [_violation(each.proto) for each in found[:MAX_VIOLATIONS]] if found else []


def validate(message: Message) -> None:
    """Checks a message against its contract.

    Raises:
        InvalidInput: FIELD_VIOLATIONS, with every violation.
    """
    violations = field_violations(message)
    if violations:
        fields = ", ".join(dict.fromkeys(violation.field or "the message" for violation in violations))
        raise InvalidInput(f"correct these fields: {fields}"[:300], "FIELD_VIOLATIONS", violations)


def _violation(found: Any) -> Violation:
    elements = found.field.elements if found.field is not None else []
    path = ".".join(_element(element) for element in elements)
    return Violation(path[:120], found.rule_id[:80], found.message[:300] or f"keep the rule {found.rule_id}")


def _element(element: Any) -> str:
    subscript = element.subscript
    # Only indexes are told: a map's key could be anything.
    index = f"[{subscript.value}]" if subscript is not None and isinstance(subscript.value, int) else ""
    return f"{element.field_name}{index}"
