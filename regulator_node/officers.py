"""Officers who sign in with a bearer token: made by an administrator for a post, known to the node by its hash only.

A token is looked up at every call and is out the moment it ends; nothing is remembered between calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.clock import Clock, from_micros, micros
from shared.database import Database, Transaction
from shared.errors import NotFound
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.callers import Caller, Role
from shared.trust.names import officer_name
from shared.trust.tokens import make_bearer, token_hash

DEFAULT_TOKEN_HOURS: Final = 12
"""How long a token holds where nobody says how long, in hours."""


MOST_LISTED: Final = 1000
"""Tokens that are listed."""


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token as the node knows it: 16 hexadecimal digits of its hash, for whom it is, and when it ends."""

    token_id: str
    post: str
    role: Role
    expire_time: datetime


class OfficerTokens:
    """The bearer tokens of one regulator's officers.

    Args:
        database: the register.
        jurisdiction: this regulator's; its officers serve no other.
        clock: tells the time.
    """

    def __init__(self, database: Database, jurisdiction: str, clock: Clock) -> None:
        self._database = database
        self._jurisdiction = jurisdiction
        self._clock = clock

    async def create(self, post: str, role: Role, lifetime_hours: int) -> tuple[str, datetime]:
        """Makes a token.

        Args:
            post: the officer's post, never a person's name.
            role: READER, REVIEWER or ADMINISTRATOR.
            lifetime_hours: hours until it ends; 0 for 12.

        Returns:
            The token, which is not kept, and when it ends.
        """
        token, digest = make_bearer()
        now = self._clock()
        expires = now + timedelta(hours=lifetime_hours or DEFAULT_TOKEN_HOURS)

        def work(transaction: Transaction) -> None:
            transaction.execute("DELETE FROM officer_token WHERE expire_time < ?", (micros(now),))
            transaction.execute(
                "INSERT INTO officer_token (token_hash, officer, role, expire_time) VALUES (?, ?, ?, ?)",
                (digest, post, str(role), micros(expires)),
            )

        await self._database.write(work)
        return token, expires

    async def tokens(self) -> list[HeldToken]:
        """Lists the tokens that have not ended, by post and end; the first 1,000."""
        now = micros(self._clock())
        rows = await self._database.read(
            lambda transaction: transaction.execute(
                "SELECT token_hash, officer, role, expire_time FROM officer_token WHERE expire_time > ?"
                " ORDER BY officer, expire_time, token_hash LIMIT ?",
                (now, MOST_LISTED),
            )
        )
        return [_held(row) for row in rows]

    async def revoke(self, token_id: str) -> HeldToken:
        """Revokes a token: it is refused at its next call, also on a channel that is open.

        Args:
            token_id: as `tokens` lists it.

        Returns:
            What was revoked.

        Raises:
            NotFound: TOKEN_UNKNOWN.
        """

        def work(transaction: Transaction) -> HeldToken:
            rows = transaction.execute("SELECT token_hash, officer, role, expire_time FROM officer_token")
            for row in rows:
                held = _held(row)
                if held.token_id == token_id:
                    transaction.execute("DELETE FROM officer_token WHERE token_hash = ?", (bytes(row[0]),))
                    return held
            raise NotFound("there is no such token: list them, it may have ended", "TOKEN_UNKNOWN")

        return await self._database.write(work)

    async def caller(self, token: str) -> Caller | None:
        """Finds who calls with a token.

        Args:
            token: as sent; anything.

        Returns:
            The officer, with the token's end; None when the token is unknown or has ended.
        """
        digest = token_hash(token)
        rows = await self._database.read(
            lambda transaction: transaction.execute(
                "SELECT officer, role, expire_time FROM officer_token WHERE token_hash = ?", (digest,)
            )
        )
        if not rows or rows[0][2] <= micros(self._clock()):
            return None
        post, role, expires = rows[0]
        return Caller(
            name=officer_name(self._jurisdiction, role, post),
            role=Role(role),
            jurisdiction=self._jurisdiction,
            expire_time=from_micros(expires),
            state=directory_pb2.NODE_STATE_ACTIVE,
        )


def _held(row: tuple[Any, ...]) -> HeldToken:
    digest, post, role, expires = row
    return HeldToken(bytes(digest)[:8].hex(), post, Role(role), from_micros(expires))
