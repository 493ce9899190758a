"""What a policy would change, on the wire and in the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from shared.clock import from_micros
from shared.errors import Violation
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import policy_pb2
from shared.pb.filingnet.regulator.v1 import network_service_pb2
from shared.provisions.policy import Provenance
from shared.provisions.policy_preview import ChangeKind, EffectKind, PolicyChange, PolicyEffect


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """What would change if a policy were published.

    Attributes:
        follows_version: the newest policy, which it would follow.
        violations: for what it would be refused; empty where it may be published.
        changes: the rules that change, in the order of the policy.
        effects: what that does to what the node's register holds.
    """

    follows_version: int
    violations: Sequence[Violation]
    changes: Sequence[PolicyChange]
    effects: Sequence[PolicyEffect]


def preview_to_wire(preview: PolicyPreview) -> network_service_pb2.PreviewPolicyResponse:
    """Returns the message of a preview."""
    message = network_service_pb2.PreviewPolicyResponse(follows_version=preview.follows_version)
    for violation in preview.violations:
        message.violations.add(field=violation.field, rule=violation.rule, mend=violation.mend)
    for change in preview.changes:
        row = message.changes.add(
            field=change.field,
            kind=network_service_pb2.PolicyChangeKind.Name(change.kind),
            before=change.before,
            after=change.after,
            provenance=policy_pb2.Provenance.Name(change.provenance),
            article=change.article,
        )
        _set(row.before_end_time, change.before_end)
        _set(row.after_end_time, change.after_end)
    for effect in preview.effects:
        found = message.effects.add(
            kind=network_service_pb2.PolicyEffectKind.Name(effect.kind),
            field=effect.field,
            count=effect.count,
            successor=effect.successor,
        )
        _set(found.before_due_time, effect.before_due)
        _set(found.after_due_time, effect.after_due)
    return message


def preview_from_wire(message: network_service_pb2.PreviewPolicyResponse) -> PolicyPreview:
    """Returns the preview of a message."""
    return PolicyPreview(
        message.follows_version,
        [Violation(each.field, each.rule, each.mend) for each in message.violations],
        [
            PolicyChange(
                each.field,
                ChangeKind(each.kind),
                each.before,
                each.after,
                Provenance(each.provenance),
                each.article,
                micros_of(each.before_end_time),
                micros_of(each.after_end_time),
            )
            for each in message.changes
        ],
        [
            PolicyEffect(
                EffectKind(each.kind),
                each.field,
                each.count,
                each.successor,
                micros_of(each.before_due_time),
                micros_of(each.after_due_time),
            )
            for each in message.effects
        ],
    )


def _set(message: Timestamp, time: int) -> None:
    # A time that is not there stays unset: 1970 is no time of any policy.
    if time:
        message.FromDatetime(from_micros(time))
