"""A regulator's decisions on labels (Art. 7(2)): kept with their proof, and in force at the gate once they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from provider_node.gate import Gate
from provider_node.label_rows import Decision, fold_again, insert_decisions
from shared.database import Transaction
from shared.mapping.times import micros_of

if TYPE_CHECKING:
    from provider_node.directives import Directive

LABEL_DECISION: Final = "label_decision"
"""The field of an entry's body with a decision on a label."""


class LabelDecisions:
    """Handles them.

    Args:
        gate: lets them take effect.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def store(self, transaction: Transaction, directives: Sequence[Directive]) -> None:
        """Stores decisions, each once, and what they make of their grants."""
        decisions = [_decision(directive) for directive in directives]
        for account_id in sorted({decision.account_id for decision in decisions}):
            transaction.lock(f"account {account_id}")
        insert_decisions(transaction, decisions)
        for grant_id in {decision.grant_id for decision in decisions}:
            fold_again(transaction, grant_id)

    def stored(self, directives: Sequence[Directive]) -> None:
        """Lets the gate know."""
        self._gate.changed(directive.entry.label_decision.account_id for directive in directives)


def _decision(directive: Directive) -> Decision:
    decision = directive.entry.label_decision
    return Decision(
        entry_id=directive.entry.entry_id.lower(),
        grant_id=decision.grant_id.lower(),
        account_id=decision.account_id.lower(),
        revision=decision.revision,
        outcome=int(decision.outcome),
        scope=int(decision.scope),
        end_time=micros_of(decision.end_time),
        reason=decision.reason,
        note=decision.note,
        decided_time=micros_of(decision.decided_time),
        log_index=directive.log_index,
        receipt=directive.receipt,
    )
