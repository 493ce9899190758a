"""Text that others can see is read by the guard when it comes in, and not only when it leaves (Art. 5(2))."""

from __future__ import annotations

from shared.egress import findings
from shared.errors import InvalidInput, Violation


def identity_violations(field: str, text: str) -> list[Violation]:
    """Returns what the guard finds in a text: violations that name the field and the rule, never the value."""
    return [Violation(field, finding.rule, finding.mend) for finding in findings(text)]


def refuse_identity(field: str, text: str) -> None:
    """Refuses a text that holds identity data.

    Args:
        field: the field's path, for the violation.
        text: what was given.

    Raises:
        InvalidInput: IDENTITY_DATA.
    """
    violations = identity_violations(field, text)
    if violations:
        raise InvalidInput(f"{field} holds identity data: choose another text", "IDENTITY_DATA", violations)
