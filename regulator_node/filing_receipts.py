"""Receipts of filings, from the own log, a copy of another log, or what the nation forwarded with proof."""

from __future__ import annotations

from typing import Final

from regulator_node.log_proofs import read_best_receipt
from shared.database import Database, Transaction
from shared.errors import NotFound

MAX_RECEIPT_BYTES: Final = 131_072
"""Longest receipt that is handed out, in bytes; those of filings and decisions take a few kilobytes."""


class FilingReceipts:
    """Reads receipts.

    Args:
        database: the register.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, jurisdiction: str, log_index: int) -> bytes:
        """Reads the receipt of one entry, to be verified offline by `filing-verify`: with cosignatures once it is final.

        Args:
            jurisdiction: whose log.
            log_index: index in it, from 0.

        Returns:
            A serialised Receipt.

        Raises:
            NotFound: LOG_INDEX_UNKNOWN, nothing of that is held here, or it is a document of the nation, which is no
                filing and is signed by itself.
        """
        receipt = await self._database.read(lambda transaction: _read(transaction, jurisdiction, log_index))
        if len(receipt) > MAX_RECEIPT_BYTES:
            raise NotFound(f"entry {log_index} of the log of {jurisdiction} is no filing", "LOG_INDEX_UNKNOWN")
        return receipt


def _read(transaction: Transaction, jurisdiction: str, log_index: int) -> bytes:
    forwarded = transaction.execute(
        "SELECT receipt FROM foreign_receipt WHERE jurisdiction = ? AND log_index = ?", (jurisdiction, log_index)
    )
    if forwarded:
        return bytes(forwarded[0][0])
    return read_best_receipt(transaction, jurisdiction, log_index)
