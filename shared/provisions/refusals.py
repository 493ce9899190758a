"""Why the rules refuse something: one shape for every judgement, the same at both ends of the wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import Violation


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is refused: the stable reason of the gravest violation, and every violation, gravest first."""

    reason: str
    violations: tuple[Violation, ...]


def refusal_of(violations: Iterable[Violation]) -> Refusal | None:
    """Returns the refusal for what is wrong, gravest first; None where nothing is."""
    found = tuple(violations)
    return Refusal(found[0].rule, found) if found else None
