"""Witnessing: a regulator that verified another's log returns its checkpoint cosigned.

The nation verifies every run of every province against the signed checkpoint before it stores it, so that what it
holds is consistent with all it saw before; it cosigns the newest such checkpoint and hands it back. The province keeps
the newest cosigned checkpoint: filings below its size are final. An absent witness delays that and nothing else.
"""

from __future__ import annotations

from regulator_node.log import RegisterLog, log_size, read_checkpoint
from shared.clock import Clock
from shared.database import Transaction
from shared.errors import InvalidInput, Violation
from shared.evidence.checkpoints import sign_cosignature, verify_head
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.names import regulator_of


class Witness:
    """Cosigns checkpoints of other regulators and keeps cosigned ones of the own log.

    Args:
        log: this regulator's log, with its name and signing key.
        clock: tells the time that is cosigned.
    """

    def __init__(self, log: RegisterLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def cosign(self, transaction: Transaction, jurisdiction: str) -> bytes | None:
        """Cosigns the newest checkpoint of a log that this node holds a verified copy of.

        Args:
            transaction: a read.
            jurisdiction: whose log.

        Returns:
            The signed note with this regulator's cosignature, or None where nothing of that log is held yet.
        """
        checkpoint = read_checkpoint(transaction, jurisdiction)
        if not checkpoint or not log_size(transaction, jurisdiction):
            return None
        return self.cosigned(checkpoint)

    def cosigned(self, checkpoint: bytes) -> bytes:
        """Adds this regulator's cosignature to a checkpoint that the caller verified; other cosignatures are left off."""
        text, _, lines = checkpoint.partition(b"\n\n")
        keeper = text + b"\n\n" + lines.split(b"\n")[0] + b"\n"
        return sign_cosignature(keeper, self._log.node_name, self._log.key, self._clock())

    def check_cosigned(self, checkpoint: bytes, keys: KeyRing, caller: str) -> int:
        """Checks that a checkpoint is of the own log, and cosigned by another regulator.

        Args:
            checkpoint: a signed note.
            keys: of the newest directory.
            caller: the authenticated regulator that hands it over; it has to be among those that cosigned.

        Returns:
            Number of entries that it covers.

        Raises:
            InvalidInput: COSIGNATURE_WRONG: it is not of this log, or not cosigned by the caller.
        """
        own = self._log.jurisdiction
        try:
            head = verify_head(checkpoint, own, keys.keys_of)
        except ProofError as error:
            raise _wrong(str(error)) from error
        witnesses = {cosignature.name for cosignature in head.cosignatures} - {regulator_of(own)}
        if caller not in witnesses:
            raise _wrong("the checkpoint does not carry the caller's own cosignature")
        return head.checkpoint.size

    def store_cosignature(self, transaction: Transaction, checkpoint: bytes, keys: KeyRing, caller: str) -> int:
        """Keeps a checkpoint of the own log that another regulator cosigned, if it is newer than the one kept.

        Args:
            transaction: a write.
            checkpoint: a signed note.
            keys: of the newest directory.
            caller: as for `check_cosigned`.

        Returns:
            The size of the newest cosigned checkpoint kept.

        Raises:
            InvalidInput: COSIGNATURE_WRONG: it is not of this log, or not cosigned by the caller.
        """
        own = self._log.jurisdiction
        size = self.check_cosigned(checkpoint, keys, caller)
        keep_cosigned(transaction, own, size, checkpoint)
        return read_cosigned(transaction, own)[0]


def keep_cosigned(transaction: Transaction, jurisdiction: str, size: int, checkpoint: bytes) -> None:
    """Keeps a cosigned checkpoint of a log, the own one or a copy, if it is newer than the one kept.

    Args:
        transaction: a write.
        jurisdiction: whose log.
        size: number of entries that the checkpoint covers.
        checkpoint: a signed note, verified before.
    """
    transaction.execute(
        "UPDATE log SET cosigned_size = ?, cosigned_checkpoint = ?"
        " WHERE jurisdiction = ? AND cosigned_size < ? AND size >= ?",
        (size, checkpoint, jurisdiction, size, size),
    )


def read_cosigned(transaction: Transaction, jurisdiction: str) -> tuple[int, bytes]:
    """Reads the size of the newest cosigned checkpoint of a log and the checkpoint; (0, b"") before the first."""
    rows = transaction.execute(
        "SELECT cosigned_size, cosigned_checkpoint FROM log WHERE jurisdiction = ?", (jurisdiction,)
    )
    return (int(rows[0][0]), bytes(rows[0][1] or b"")) if rows else (0, b"")


def _wrong(message: str) -> InvalidInput:
    mend = "cosign the checkpoint that this regulator signed, with the key in the directory"
    return InvalidInput(message, "COSIGNATURE_WRONG", [Violation("checkpoint", "COSIGNATURE_WRONG", mend)])
