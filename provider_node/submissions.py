"""What a member of the public reports, and the report that it becomes: words and telling addresses are sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from provider_node.front_names import identity_violations
from provider_node.report_rows import StoredReport
from provider_node.sealed_words import SealedWords
from shared.errors import InvalidInput, Violation
from shared.identifiers import new_account_id
from shared.provisions.reports import ReportState
from shared.provisions.spans import FOREVER

DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Submission:
    """What a member of the public reports.

    Attributes:
        account_id: the account.
        baseline: that it names, 1 to 7.
        item_url: the public item's address; empty for the account as a whole.
        item_digest: SHA-256 of the item as it stood, or empty.
        statement: the words, at most 2,000 characters; empty where there are none.
    """

    account_id: str
    baseline: int
    item_url: str = ""
    item_digest: bytes = b""
    statement: str = ""


def check_item(submission: Submission) -> None:
    """Checks that an item is named by its digest.

    Raises:
        InvalidInput: ITEM_WRONG.
    """
    whole = not submission.item_digest and not submission.item_url
    if not whole and len(submission.item_digest) != DIGEST_BYTES:
        mend = "give the SHA-256 of the item, 32 bytes, or neither address nor digest"
        violation = Violation("item_digest", "ITEM_WRONG", mend)
        raise InvalidInput("an item is named by its digest", "ITEM_WRONG", [violation])


def received_report(submission: Submission, tracking_digest: bytes, received: int, words: SealedWords) -> StoredReport:
    """Returns a report as it is received; when it leaves is still to be set.

    Args:
        submission: checked.
        tracking_digest: of the reporter's code.
        received: when, in microseconds.
        words: seals an address that the guard does not let pass.
    """
    report_id, sealed = new_account_id(), None
    if identity_violations("item_url", submission.item_url):
        sealed = words.seal("report", report_id, "item_url", submission.item_url)
    return StoredReport(
        report_id=report_id,
        account_id=submission.account_id,
        baseline=submission.baseline,
        item_url="" if sealed else submission.item_url,
        sealed_url=sealed,
        item_digest=submission.item_digest,
        tracking_digest=tracking_digest,
        state=ReportState.RECEIVED,
        reports=1,
        received_time=received,
        answered_time=FOREVER,
        settled_time=FOREVER,
        leave_time=FOREVER,
        paused=False,
        outcome="",
        sealed_answer=None,
        version=1,
    )
