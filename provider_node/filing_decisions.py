"""Decisions on filings (Art. 7(1)): the first decision on a revision stands, and is kept with its proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Final

from shared.clock import micros
from shared.database import Transaction

if TYPE_CHECKING:
    from provider_node.directives import Directive

FILING_DECISION: Final = "filing_decision"
"""The field of an entry's body with a decision on a filing."""


class FilingDecisions:
    """Handles them."""

    def store(self, transaction: Transaction, directives: Sequence[Directive]) -> None:
        """Stores decisions on revisions that have none yet."""
        decisions = [(directive.entry.filing_decision, directive) for directive in directives]
        transaction.executemany(
            "INSERT INTO decision (account_id, revision, outcome, reason, fields, note, decided_time, log_index,"
            " receipt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, revision) DO NOTHING",
            [
                (
                    decision.account_id.lower(),
                    decision.revision,
                    int(decision.outcome),
                    decision.reason,
                    json.dumps(list(decision.fields)),
                    decision.note,
                    micros(decision.decided_time.ToDatetime(UTC)),
                    directive.log_index,
                    directive.receipt,
                )
                for decision, directive in decisions
            ],
        )

    def stored(self, directives: Sequence[Directive]) -> None:
        """Has nobody to tell: where a filing stands is read when it is asked."""
