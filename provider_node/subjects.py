"""Registration: real identity at the back, free choice at the front (Art. 6).

Nobody is registered before the real identity was verified and the agreement in force was signed; without both,
nothing is stored. The vault and the database cannot commit together, so that every change of an identity is staged in
the vault, then written to the database, then settled in the vault. Whatever a crash or a full disk leaves half done is
settled by what the database says: at the next start, or when the same identity comes again.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from provider_node.agreements import check_signature
from provider_node.answers import Request, forget_answers, request_of, store_answer, stored_answer
from provider_node.etags import check_etag
from provider_node.front_names import refuse_identity
from provider_node.import_rows import IMPORTS
from provider_node.keyed_locks import KeyedLocks
from provider_node.standing import ReadStanding
from provider_node.subject_rows import (
    Subject,
    find_subject,
    insert_signature,
    insert_subject,
    read_subject,
    remove_subject,
    subject_from_plain,
    subject_to_plain,
    update_subject,
)
from provider_node.vault import Identity, Vault
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.errors import AlreadyExists, FailedPrecondition, InvalidInput, Violation
from shared.provisions.agreements import AgreementSignature
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import IdentityVerifier, OrganisationIdentity, PersonIdentity, Verification

REFERENCE_BYTES: Final = 16

T = TypeVar("T")


_METHOD: Final = re.compile(r"[a-z][a-z_.-]{0,39}")
UNNAMED_METHOD: Final = "unnamed"
"""Stands in the audit trail where a verifier's name for what it did is none: small letters, dots and dashes only."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What is asked when a subject registers."""

    request_id: str
    kind: SubjectKind
    identity: Identity
    nickname: str
    agreement: AgreementSignature


class Subjects:
    """Registers, changes and deletes subjects.

    Args:
        database: the node's own, without identities.
        vault: the only place with identities.
        verifier: the provider's way to verify identities.
        standing: reads the policies in force.
        clock: tells the time.
    """

    def __init__(
        self, database: Database, vault: Vault, verifier: IdentityVerifier, standing: ReadStanding, clock: Clock
    ) -> None:
        self._database = database
        self._vault = vault
        self._verifier = verifier
        self._standing = standing
        self._clock = clock
        self._locks = KeyedLocks()
        self._under_way: set[bytes] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def register(self, registration: Registration) -> Subject:
        """Registers a subject (Art. 6(1), 6(2)).

        Returns:
            The subject; for a request sent again, the first answer.

        Raises:
            InvalidInput: the identity is not verified, the kind does not fit it, the agreement in force is not signed,
                or the nickname holds identity data. Nothing is stored then.
            AlreadyExists: IDENTITY_REGISTERED; the violation names the reference of the first.
        """
        request = self._request(
            registration.request_id,
            "RegisterSubject",
            registration.identity,
            int(registration.kind),
            registration.nickname,
            registration.agreement.version,
            registration.agreement.digest.hex(),
            micros(registration.agreement.sign_time),
        )
        return await self._undisturbed(self._register(registration, request))

    async def _register(self, registration: Registration, request: Request) -> Subject:
        async with self._locks.holding(request.request_id.encode()):
            answer = await self._answered(request)
            if answer is not None:
                return answer
            refuse_identity("nickname", registration.nickname)
            check_signature(registration.agreement, self._standing().policies, self._clock())
            verification = await self._verify(registration.identity, registration.kind)
            return await self._store_new(registration, verification, request)

    async def get(self, reference: bytes) -> Subject:
        """Reads a subject without its identity; raises NotFound."""
        return await self._database.read(lambda transaction: read_subject(transaction, reference))

    async def change_nickname(self, reference: bytes, nickname: str, etag: str) -> Subject:
        """Changes the name at the front, which needs no verification (Art. 6(1)).

        Raises:
            InvalidInput: the nickname holds identity data.
            Conflict: the subject was changed meanwhile.
        """
        refuse_identity("nickname", nickname)

        def work(transaction: Transaction) -> Subject:
            subject = _read_for_change(transaction, reference, etag)
            return _changed(transaction, replace(subject, nickname=nickname, version=subject.version + 1))

        return await self._database.write(work)

    async def change_identity(self, request_id: str, reference: bytes, identity: Identity, etag: str) -> Subject:
        """Changes the identity behind a subject, verified again (Art. 6(1)). Its kind stays.

        Accounts on file keep what was filed until they are amended, which is reviewed anew.

        Raises:
            InvalidInput: the new identity is not verified, or is of another kind.
            AlreadyExists: another subject has it.
            Conflict: the subject was changed meanwhile.
        """
        request = self._request(request_id, "ChangeIdentity", identity, reference.hex(), etag)
        return await self._undisturbed(self._change_identity(request, reference, identity, etag))

    async def _change_identity(self, request: Request, reference: bytes, identity: Identity, etag: str) -> Subject:
        async with self._locks.holding(reference):
            answer = await self._answered(request)
            if answer is not None:
                return answer
            subject = await self.get(reference)
            check_etag(etag, subject.version, "subject")
            verification = await self._verify(identity, subject.kind)
            now = self._clock()
            async with self._staged(reference, identity, now, verification) as version:

                def work(transaction: Transaction) -> Subject:
                    current = _read_for_change(transaction, reference, etag)
                    uscc, organisation_name = _public_part(identity)
                    changed = replace(
                        current,
                        identity_version=version,
                        region=verification.region,
                        uscc=uscc,
                        organisation_name=organisation_name,
                        verified_time=now,
                        version=current.version + 1,
                    )
                    store_answer(transaction, request, reference, subject_to_plain(changed))
                    return _changed(transaction, changed)

                return await self._database.write(work)

    async def read_identity(self, reference: bytes, purpose: str, reader: str) -> Identity:
        """Reads an identity; the audit entry is durable before it is returned.

        Args:
            reference: the subject.
            purpose: why, as a code.
            reader: who, by the backend's own name for its operator.

        Raises:
            NotFound: there is no such subject.
        """
        async with self._locks.holding(reference):
            subject = await self.get(reference)
            return await self._vault.read(reference, subject.identity_version, purpose, reader, self._clock())

    async def sign_agreement(self, reference: bytes, signature: AgreementSignature) -> Subject:
        """Signs the version in force (Art. 6(2)). Signing the same version again changes nothing.

        Raises:
            InvalidInput: it is not a signature of the agreement in force.
        """
        check_signature(signature, self._standing().policies, self._clock())

        def work(transaction: Transaction) -> Subject:
            subject = _read_for_change(transaction, reference, "")
            if subject.agreement.version >= signature.version:
                return subject
            insert_signature(transaction, reference, signature)
            return _changed(transaction, replace(subject, agreement=signature, version=subject.version + 1))

        return await self._database.write(work)

    async def delete(self, reference: bytes, etag: str) -> None:
        """Deletes a subject by shredding its data key.

        Raises:
            FailedPrecondition: ACCOUNT_ON_FILE, an account of the subject is not withdrawn, or its withdrawal has not
                reached the regulator.
            Conflict: the subject was changed meanwhile.
        """
        await self._undisturbed(self._delete(reference, etag))

    async def _delete(self, reference: bytes, etag: str) -> None:
        def check(transaction: Transaction) -> None:
            check_etag(etag, read_subject(transaction, reference).version, "subject")
            _refuse_on_file(transaction, reference)

        def work(transaction: Transaction) -> None:
            _read_for_change(transaction, reference, etag)
            transaction.lock(IMPORTS)
            _refuse_on_file(transaction, reference)
            forget_answers(transaction, reference)
            remove_subject(transaction, reference)

        async with self._locks.holding(reference):
            await self._database.read(check)
            with self._marked_under_way(reference):
                await self._vault.mark(reference)
                try:
                    await self._database.write(work)
                finally:
                    await self._settle(reference)

    async def finish(self) -> None:
        """Waits for the changes that are under way, before the vault and the database are closed."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle_left_overs(self) -> int:
        """Settles what a crash left half done, by what the database says.

        Returns:
            The number of subjects settled.
        """
        left = [reference for reference in await self._vault.unsettled() if reference not in self._under_way]
        for reference in left:
            async with self._locks.holding(reference):
                await self._settle(reference)
        return len(left)

    def _request(self, request_id: str, method: str, identity: Identity, *content: object) -> Request:
        return request_of(self._vault.index, request_id, method, [*_identity_fields(identity), *content])

    async def _answered(self, request: Request) -> Subject | None:
        answer = await self._database.read(lambda transaction: stored_answer(transaction, request))
        return None if answer is None else subject_from_plain(answer)

    async def _verify(self, identity: Identity, kind: SubjectKind) -> Verification:
        if isinstance(identity, OrganisationIdentity):
            refuse_identity("organisation.organisation_name", identity.organisation_name)
            verification = await self._verifier.verify_organisation(identity)
        else:
            verification = await self._verifier.verify_person(identity)
        if kind not in verification.kinds:
            kinds = ", ".join(sorted(each.name for each in verification.kinds))
            mend = f"this identity is of the kind {kinds}"
            raise InvalidInput(
                "the kind does not fit the identity",
                "SUBJECT_KIND_WRONG",
                [Violation("kind", "SUBJECT_KIND_WRONG", mend)],
            )
        return verification

    async def _store_new(self, registration: Registration, verification: Verification, request: Request) -> Subject:
        reference, now = os.urandom(REFERENCE_BYTES), self._clock()
        async with self._staged(reference, registration.identity, now, verification) as version:
            uscc, organisation_name = _public_part(registration.identity)
            subject = Subject(
                reference=reference,
                kind=registration.kind,
                nickname=registration.nickname,
                region=verification.region,
                uscc=uscc,
                organisation_name=organisation_name,
                verified_time=now,
                identity_version=version,
                version=1,
                agreement=registration.agreement,
            )

            def work(transaction: Transaction) -> Subject:
                transaction.lock(f"subject {reference.hex()}")
                insert_subject(transaction, subject)
                store_answer(transaction, request, reference, subject_to_plain(subject))
                return subject

            return await self._database.write(work)

    @asynccontextmanager
    async def _staged(
        self, reference: bytes, identity: Identity, now: datetime, verification: Verification
    ) -> AsyncIterator[int]:
        with self._marked_under_way(reference):
            try:
                version = await self._vault.stage(reference, identity, now, _method_of(verification))
            except AlreadyExists:
                # It may be known only from a change that was cut short.
                if not await self.settle_left_overs():
                    raise
                version = await self._vault.stage(reference, identity, now, _method_of(verification))
            try:
                yield version
            finally:
                await self._settle(reference)

    @contextmanager
    def _marked_under_way(self, reference: bytes) -> Iterator[None]:
        self._under_way.add(reference)
        try:
            yield
        finally:
            self._under_way.discard(reference)

    async def _settle(self, reference: bytes) -> None:
        def work(transaction: Transaction) -> Subject | None:
            transaction.lock(f"subject {reference.hex()}")
            return find_subject(transaction, reference)

        # As a write, and under the lock of every change: a change whose commit failed, or was not heard of, is stored or
        # undone by then and for good. A read could still miss it, and what was stored would be shredded.
        subject = await self._database.write(work)
        version = None if subject is None else subject.identity_version
        await self._vault.settle(reference, version, self._clock())

    async def _undisturbed(self, change: Coroutine[Any, Any, T]) -> T:
        """Runs a change to its end even when its caller goes away: half of it must not meet a settling."""
        task = asyncio.create_task(change)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)


def _identity_fields(identity: Identity) -> list[object]:
    if isinstance(identity, OrganisationIdentity):
        return [identity.organisation_name, identity.uscc, *_identity_fields(identity.operator)]
    return [identity.real_name, identity.id_number, identity.phone]


def _public_part(identity: Identity) -> tuple[str, str]:
    if isinstance(identity, PersonIdentity):
        return "", ""
    return identity.uscc, identity.organisation_name


def _method_of(verification: Verification) -> str:
    # A verifier of the provider's own says what it likes; the trail holds no identity, whatever that is.
    return verification.method if _METHOD.fullmatch(verification.method) else UNNAMED_METHOD


def _read_for_change(transaction: Transaction, reference: bytes, etag: str) -> Subject:
    transaction.lock(f"subject {reference.hex()}")
    subject = read_subject(transaction, reference)
    check_etag(etag, subject.version, "subject")
    return subject


def _changed(transaction: Transaction, subject: Subject) -> Subject:
    update_subject(transaction, subject)
    return subject


def _refuse_on_file(transaction: Transaction, reference: bytes) -> None:
    waiting = (
        "SELECT COUNT(*) FROM account a WHERE a.reference = ? AND (a.withdrawn = 0 OR EXISTS (SELECT 1 FROM outbox o"
        " WHERE o.account_id = a.account_id AND o.state IN (0, 2, 3, 4)))"
    )
    ((on_file,),) = transaction.execute(waiting, (reference,))
    if on_file:
        raise FailedPrecondition(
            f"{on_file} accounts of the subject are on file: withdraw them and wait until the regulator has it",
            "ACCOUNT_ON_FILE",
        )
