"""The vault: the only place where real identities are (Art. 5(2), Art. 6(1)).

Each subject's identity is encrypted under a data key of its own; a changed identity gets a new data key. What the vault
promises:

- Deleting the data key deletes the person: no live file and no later backup can show the identity again.
- Whoever reads an identity is in the audit trail, with the purpose, before the plaintext is returned. The trail holds
  references only and survives the deletion.
- One identity is one subject, checked by a keyed blind index.

The vault's files and the node's database cannot commit together. A change is therefore staged here first, then written
to the node's database, then settled here: settling keeps the version that the node's database names and drops all else
of that subject. A crash leaves an `unsettled` mark, and the next start settles it by the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from provider_node.blind_index import BlindIndex, derived_key
from provider_node.envelope import new_key, open_field, seal_field, unwrap_key, wrap_key
from provider_node.master_key import MasterKeys
from provider_node.sealed_words import SealedWords
from provider_node.vault_files import VaultThread, attach_vault, open_keys
from shared.clock import from_micros, micros
from shared.errors import AlreadyExists, FailedPrecondition, Internal, NotFound, Violation
from shared.folder_lock import FolderLock
from shared.provisions.verification import OrganisationIdentity, PersonIdentity
from shared.storage.sqlite_faults import sqlite_fault

Identity = PersonIdentity | OrganisationIdentity
"""A real identity."""

ROOT_OWNER = b"vault root"
TABLE = "identity"
NO_READER = ""
NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit trail: who touched which subject's identity, when and why. Holds no identity.

    Args:
        number: Counts the lines, from 1; a gap would show a removed line.
        action: "staged", "read" or "deleted"; "words_read" where the reference is a report, whose words were read.
        purpose: Code given by the reader; empty unless something was read.
        reader: The backend's name for its operator; empty unless something was read.
    """

    number: int
    time: datetime
    action: str
    reference: bytes
    purpose: str
    reader: str


class Vault:
    """Keeps identities. Made by `open_vault`; to be closed.

    Attributes:
        index: the blind index.
        words: seals the words of reporters and owners.
        database_key: 32 bytes that encrypt the node's database where that is a file, so that it cannot be read without
            the vault and its master key.
    """

    def __init__(self, thread: VaultThread, masters: MasterKeys, root: bytes, lock: FolderLock) -> None:
        self._thread = thread
        self._masters = masters
        self._lock = lock
        self.index = BlindIndex(derived_key(root, "blind index"))
        self.database_key = derived_key(root, "provider database")
        self.words = SealedWords(root)

    def token(self, identity: Identity) -> bytes:
        """Returns the blind token of an identity, 32 bytes."""
        if isinstance(identity, OrganisationIdentity):
            return self.index.organisation(identity.uscc)
        return self.index.person(identity.id_number)

    async def stage(self, reference: bytes, identity: Identity, now: datetime, method: str = "") -> int:
        """Stores an identity under a new data key, beside the subject's present one if there is one.

        Args:
            reference: The subject, 16 bytes.
            identity: Already verified.
            now: For the audit trail.
            method: The verifier's name for what it did, for the audit trail.

        Returns:
            The key version that the node's database is to name.

        Raises:
            AlreadyExists: Another subject has this identity; the violation's mend names its reference.
        """
        token = self.token(identity)
        masters = self._masters

        def work(files: apsw.Connection) -> int:
            _refuse_known(files, token, reference)
            version = _newest_version(files, reference) + 1
            data_key = new_key()
            master_version, wrapped = wrap_key(masters, reference, version, data_key)
            files.execute("INSERT INTO data_key VALUES (?, ?, ?, ?)", (reference, version, master_version, wrapped))
            _insert_identity(files, reference, version, data_key, identity)
            files.execute("INSERT INTO blind_index VALUES (?, ?, ?)", (token, reference, version))
            _mark(files, reference)
            _audit(files, now, "staged", reference, method)
            return version

        return await self._thread.run(work)

    async def mark(self, reference: bytes) -> None:
        """Marks a subject as unsettled before its row is deleted from the node's database."""
        await self._thread.run(lambda files: _mark(files, reference))

    async def settle(self, reference: bytes, key_version: int | None, now: datetime) -> None:
        """Keeps one version of a subject's identity and shreds every other.

        Args:
            reference: The subject.
            key_version: The version that the node's database names; None when it has no such subject.
            now: For the audit trail.
        """

        def work(files: apsw.Connection) -> None:
            for table in ("main.data_key", "vault.identity", "vault.blind_index"):
                query = f"DELETE FROM {table} WHERE reference = ? AND key_version <> ?"  # noqa: S608 - fixed names
                files.execute(query, (reference, key_version or 0))
            files.execute("DELETE FROM unsettled WHERE reference = ?", (reference,))
            if key_version is None:
                _audit(files, now, "deleted", reference)

        await self._thread.run(work)

    async def unsettled(self) -> list[bytes]:
        """Lists the subjects whose change was cut short."""
        return await self._thread.run(
            lambda files: [row[0] for row in files.execute("SELECT reference FROM unsettled")]
        )

    async def read(self, reference: bytes, key_version: int, purpose: str, reader: str, now: datetime) -> Identity:
        """Reads an identity. The audit entry is durable before this returns.

        Args:
            reference: The subject.
            key_version: The version that the node's database names.
            purpose: Why, as a code.
            reader: Who, by the backend's own name for its operator.
            now: When.

        Raises:
            NotFound: There is no such identity, or it was deleted. Such a try is in the audit trail as well.
        """
        masters = self._masters

        def work(files: apsw.Connection) -> tuple[bytes, tuple[object, ...]] | None:
            _audit(files, now, "read", reference, purpose, reader)
            return _sealed(files, masters, reference, key_version)

        found = await self._thread.run(work)
        if found is None:
            raise NotFound("there is no identity under this reference", reason="SUBJECT_NOT_FOUND")
        data_key, row = found
        return _opened(data_key, reference, key_version, row)

    async def note_words_read(self, reference: bytes, purpose: str, reader: str, now: datetime) -> None:
        """Writes into the audit trail that somebody reads sealed words; durable before this returns.

        Args:
            reference: The report, 16 bytes.
            purpose: Why, as a code.
            reader: Who, by the backend's own name for its operator.
            now: When.
        """
        await self._thread.run(lambda files: _audit(files, now, "words_read", reference, purpose, reader))

    async def audit_trail(
        self, reference: bytes | None = None, *, before: int | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """Lists the audit trail, newest first.

        Args:
            reference: Only of this subject; None for all.
            before: Only lines with a smaller number; None for the newest.
            limit: The most lines.
        """
        query = "SELECT number, time, action, reference, purpose, reader FROM audit WHERE number < ?"
        chosen: list[object] = [NEWEST if before is None else before]
        if reference is not None:
            query += " AND reference = ?"
            chosen.append(reference)

        def work(files: apsw.Connection) -> list[AuditEntry]:
            rows = files.execute(f"{query} ORDER BY number DESC LIMIT ?", (*chosen, limit))
            return [AuditEntry(row[0], from_micros(row[1]), *row[2:]) for row in rows]

        return await self._thread.run(work)

    async def close(self) -> None:
        """Finishes what is waiting and closes the files."""
        await self._thread.close()
        self._lock.close()


def open_vault(folder: Path, masters: MasterKeys) -> Vault:
    """Opens the vault in a folder, creating it when it is not there, and wraps old keys under the newest master key.

    Args:
        folder: For `keys.db` and `vault.db`; created with mode 0700.
        masters: The master keys at hand: every version that still wraps a key.

    Raises:
        FailedPrecondition: Another process has it open, a master key version is missing, or the files do not fit.
        Internal: STORAGE_CORRUPT, a file is damaged; and what else storage can do wrong.
    """
    lock = FolderLock(folder, "vault")
    system_errno = 0
    try:
        files = open_keys(folder)
        try:
            root = _root(files, folder, masters)
            attach_vault(files, folder, derived_key(root, "vault file"))
            _rewrap(files, masters)
        except BaseException:
            system_errno = files.system_errno
            files.close()
            raise
    except apsw.Error as error:
        lock.close()
        raise _opening_fault(error, folder, system_errno) from None
    except BaseException:
        lock.close()
        raise
    return Vault(VaultThread(files), masters, root, lock)


def _opening_fault(error: apsw.Error, folder: Path, system_errno: int) -> BaseException:
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        # Which of two databases is meant has to be said: the node has another one.
        message = f"a file of the vault in {folder} is damaged: put keys.db and vault.db of one backup back"
        return Internal(message, "STORAGE_CORRUPT")
    return sqlite_fault(error, system_errno)


def _root(files: apsw.Connection, folder: Path, masters: MasterKeys) -> bytes:
    for master_version, wrapped in _rows(files, "SELECT master_version, wrapped FROM root WHERE version = 1", ()):
        try:
            return unwrap_key(masters, ROOT_OWNER, 1, master_version, wrapped)
        except Internal:
            raise FailedPrecondition(
                f"the vault in {folder} was sealed under another master key: put the right one back",
                reason="MASTER_KEY_WRONG",
            ) from None
    if (folder / "vault.db").exists():
        raise FailedPrecondition(
            f"{folder} has a vault.db but its keys.db is empty: put the keys.db back that belongs to it",
            reason="VAULT_FILES_DIFFER",
        )
    root = new_key()
    master_version, wrapped = wrap_key(masters, ROOT_OWNER, 1, root)
    files.execute("INSERT INTO root VALUES (1, ?, ?)", (master_version, wrapped))
    return root


def _rewrap(files: apsw.Connection, masters: MasterKeys) -> None:
    current = (masters.current,)
    with files:
        for master_version, wrapped in _rows(
            files, "SELECT master_version, wrapped FROM root WHERE master_version <> ?", current
        ):
            secret = unwrap_key(masters, ROOT_OWNER, 1, master_version, wrapped)
            files.execute("UPDATE root SET master_version = ?, wrapped = ?", wrap_key(masters, ROOT_OWNER, 1, secret))
        for reference, version, master_version, wrapped in _rows(
            files,
            "SELECT reference, key_version, master_version, wrapped FROM data_key WHERE master_version <> ?",
            current,
        ):
            key = unwrap_key(masters, reference, version, master_version, wrapped)
            files.execute(
                "UPDATE data_key SET master_version = ?, wrapped = ? WHERE reference = ? AND key_version = ?",
                (*wrap_key(masters, reference, version, key), reference, version),
            )


def _rows(files: apsw.Connection, query: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
    return list(files.execute(query, parameters))


def _refuse_known(files: apsw.Connection, token: bytes, reference: bytes) -> None:
    query = "SELECT reference FROM blind_index WHERE token = ? AND reference <> ?"
    for (known,) in _rows(files, query, (token, reference)):
        raise AlreadyExists(
            "this identity is registered already: one identity is one subject",
            reason="IDENTITY_REGISTERED",
            violations=[Violation("identity", "IDENTITY_REGISTERED", f"use subject {known.hex()}")],
        )


def _newest_version(files: apsw.Connection, reference: bytes) -> int:
    ((newest,),) = _rows(files, "SELECT MAX(key_version) FROM data_key WHERE reference = ?", (reference,))
    return newest or 0


def _insert_identity(
    files: apsw.Connection, reference: bytes, version: int, data_key: bytes, identity: Identity
) -> None:
    def sealed(column: str, text: str) -> bytes:
        return seal_field(data_key, TABLE, reference, column, version, text)

    organisation = identity if isinstance(identity, OrganisationIdentity) else None
    person = organisation.operator if organisation is not None else identity
    assert isinstance(person, PersonIdentity)
    files.execute(
        "INSERT INTO identity VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            reference,
            version,
            "person" if organisation is None else "organisation",
            sealed("real_name", person.real_name),
            sealed("id_number", person.id_number),
            sealed("phone", person.phone),
            None if organisation is None else sealed("organisation_name", organisation.organisation_name),
            None if organisation is None else sealed("uscc", organisation.uscc),
        ),
    )


def _sealed(
    files: apsw.Connection, masters: MasterKeys, reference: bytes, key_version: int
) -> tuple[bytes, tuple[object, ...]] | None:
    place = (reference, key_version)
    key = files.execute(
        "SELECT master_version, wrapped FROM data_key WHERE reference = ? AND key_version = ?", place
    ).fetchone()
    row = files.execute(
        "SELECT kind, real_name, id_number, phone, organisation_name, uscc FROM identity"
        " WHERE reference = ? AND key_version = ?",
        place,
    ).fetchone()
    if key is None or row is None:
        return None
    return unwrap_key(masters, reference, key_version, key[0], key[1]), row


def _opened(data_key: bytes, reference: bytes, key_version: int, row: tuple[object, ...]) -> Identity:
    def opened(column: str, sealed: object) -> str:
        assert isinstance(sealed, bytes)
        return open_field(data_key, TABLE, reference, column, key_version, sealed)

    kind, real_name, id_number, phone, organisation_name, uscc = row
    person = PersonIdentity(opened("real_name", real_name), opened("id_number", id_number), opened("phone", phone))
    if kind == "person":
        return person
    return OrganisationIdentity(opened("organisation_name", organisation_name), opened("uscc", uscc), person)


def _mark(files: apsw.Connection, reference: bytes) -> None:
    files.execute("INSERT OR IGNORE INTO unsettled VALUES (?)", (reference,))


def _audit(
    files: apsw.Connection,
    now: datetime,
    action: str,
    reference: bytes,
    purpose: str = NO_READER,
    reader: str = NO_READER,
) -> None:
    files.execute(
        "INSERT INTO audit(time, action, reference, purpose, reader) VALUES (?, ?, ?, ?, ?)",
        (micros(now), action, reference, purpose, reader),
    )
