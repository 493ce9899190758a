"""The chain of reasons behind an answer, from the article to the grant or the measure, for programs to read."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """One step of a chain of reasons.

    Attributes:
        article: e.g. "Art. 7(2)"; at most 20 characters.
        kind: what was looked at: "audience", "account", "measure", "provider_licence", "grant", "licence" or
        "approval".
        id: of the grant or the measure, or the number of a licence; empty where there is none.
        finding: what followed from it, as a code of capitals; at most 40 characters.
    """

    article: str
    kind: str
    id: str
    finding: str
