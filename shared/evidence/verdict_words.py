"""What filing-verify says of evidence that was proven: the facts as data, the same in words, and what stays unproven."""

from __future__ import annotations

from typing import Any, Final

from shared.evidence.disposals import VerifiedDisposal, class_word
from shared.evidence.forks import VerifiedFork
from shared.evidence.names import regulator_of
from shared.evidence.receipts import VerifiedReceipt
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.policy import PeriodUnit

RECEIPT_LIMITS: Final = (
    "That what the entry says is true, and what a regulator decided on it.",
    "That the keys in the key ring belong to whom it names: that rests on where the ring came from.",
)


def receipt_facts(verified: VerifiedReceipt) -> dict[str, Any]:
    """Returns what a receipt proves, as data."""
    entry, head = verified.entry, verified.head
    return {
        "origin": entry.origin,
        "entry_id": entry.entry_id,
        "kind": entry.WhichOneof("body"),
        "created_time": entry.created_time.ToJsonString(),
        "log": head.checkpoint.origin,
        "log_index": verified.log_index,
        "log_size": head.checkpoint.size,
        "log_key": head.key_id,
        "cosigned_by": [cosignature.name for cosignature in head.cosignatures],
        "final": bool(head.cosignatures),
        "filing": _filing_facts(verified),
    }


def _filing_facts(verified: VerifiedReceipt) -> dict[str, Any] | None:
    if not verified.entry.HasField("filing"):
        return None
    filing = verified.entry.filing
    return {
        "account_id": filing.account_id,
        "revision": filing.revision,
        "display_name": filing.display_name,
        "category": filing.category,
        "organisation_name": filing.organisation_name,
    }


def receipt_words(verified: VerifiedReceipt) -> list[str]:
    """Says what a receipt proves."""
    entry, head = verified.entry, verified.head
    facts = _filing_facts(verified)
    what = f"a {entry.WhichOneof('body')}"
    if facts:
        what = f"revision {facts['revision']} of account {facts['account_id']}"
    words = [f"{entry.origin} stated {what} in entry {entry.entry_id}."]
    if facts:
        words.append(f"It was filed as “{facts['display_name']}” in the category {facts['category']}.")
    words.append(
        f"{regulator_of(head.checkpoint.jurisdiction)} held it in its log at index {verified.log_index:,}"
        f" when the log had {head.checkpoint.size:,} entries."
    )
    words.extend(f"{witness.name} cosigned that head at {witness.time.isoformat()}." for witness in head.cosignatures)
    return words


def receipt_limits(verified: VerifiedReceipt) -> tuple[str, ...]:
    """Says what a receipt leaves unproven."""
    if verified.head.cosignatures:
        return RECEIPT_LIMITS
    return *RECEIPT_LIMITS, "That it is final: no other regulator cosigned this head; fetch the receipt again later."


FORK_LIMITS: Final = (
    "Which of the two histories is the true one, and which of the two heads was signed first.",
    "Whether the regulator did it, or somebody who had its key, or a backup that was put back and grew again.",
    "That the keys in the key ring belong to whom it names: that rests on where the ring came from.",
)


def fork_facts(verified: VerifiedFork) -> dict[str, Any]:
    """Returns what two signed heads prove that cannot both be true, as data."""
    smaller, larger = verified.smaller, verified.larger
    return {
        "log": smaller.checkpoint.origin,
        "smaller_size": smaller.checkpoint.size,
        "larger_size": larger.checkpoint.size,
        "smaller_root": smaller.checkpoint.root,
        "larger_root": larger.checkpoint.root,
        "larger_began_with": verified.began_with,
        "smaller_cosigned_by": [each.name for each in smaller.cosignatures],
        "larger_cosigned_by": [each.name for each in larger.cosignatures],
    }


def fork_words(verified: VerifiedFork) -> list[str]:
    """Says what the two heads prove."""
    smaller, larger = verified.smaller.checkpoint, verified.larger.checkpoint
    keeper = regulator_of(smaller.jurisdiction)
    if smaller.size == larger.size:
        return [f"{keeper} signed two heads of its log at {smaller.size:,} entries with different roots."]
    return [
        f"{keeper} signed a head of its log at {smaller.size:,} entries and one at {larger.size:,}.",
        f"The larger log does not begin with the smaller one: at {smaller.size:,} entries it had another root.",
    ]


DISPOSAL_LIMITS: Final = (
    "That no copy is left anywhere else, a backup for instance.",
    "That nobody held the records but by the holds that it names, and that the policy said what it states.",
)


def disposal_facts(verified: VerifiedDisposal) -> dict[str, Any]:
    """Returns what a certificate of disposal states, as data."""
    certificate = verified.certificate
    return {
        "node": certificate.node,
        "number": certificate.number,
        "record_class": class_word(certificate.record_class),
        "records": certificate.records,
        "policy_version": certificate.policy_version,
        "first_ceased_time": certificate.first_ceased_time.ToJsonString(),
        "last_ceased_time": certificate.last_ceased_time.ToJsonString(),
        "disposed_time": certificate.disposed_time.ToJsonString(),
        "actor": certificate.actor,
        "holds": [{"hold_id": hold.hold_id, "kept": hold.kept} for hold in certificate.holds],
        "digest": verified.digest,
        "previous_digest": certificate.previous_digest,
        "proven_records": [record.record_id for record in verified.records],
    }


def disposal_words(verified: VerifiedDisposal) -> list[str]:
    """Says what a certificate of disposal states."""
    certificate, facts = verified.certificate, disposal_facts(verified)
    unit = PeriodUnit(certificate.period.unit).name.lower()
    words = [
        f"{certificate.node} stated in its certificate {certificate.number:,} the disposal of records of the class"
        f" {facts['record_class']}, {certificate.records:,} in all, at {facts['disposed_time']}.",
        f"They had ceased to matter by {facts['last_ceased_time']}; by its policy {certificate.policy_version} they are"
        f" kept {certificate.period.amount:,} {unit} longer. {_holds(certificate)}",
    ]
    if verified.whole:
        words.append("The file names every one of them.")
    else:
        words.append(f"One of them is {verified.records[0].record_id}.")
    return words


def _holds(certificate: disposal_pb2.DisposalCertificate) -> str:
    if certificate.record_class >= disposal_pb2.RECORD_CLASS_FILING_ENTRY:
        return f"Legal holds that kept others: {len(certificate.holds):,}."
    return f"Legal holds in force: {len(certificate.holds):,}."
