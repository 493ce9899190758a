"""Identifiers of entries and accounts: UUIDs, as text on the wire and as 16 bytes in the registers."""

from __future__ import annotations

import uuid

import uuid_utils


def new_entry_id() -> str:
    """Makes the id of a new entry: a UUIDv7 (RFC 9562), which begins with the time, so that neighbours lie together."""
    return str(uuid_utils.uuid7())


def new_account_id() -> str:
    """Makes the id of a new account: a random UUIDv4 (RFC 9562), which tells nothing."""
    return str(uuid.uuid4())


def id_bytes(text: str) -> bytes:
    """Returns the 16 bytes of a UUID in its text form of 36 characters, which validation has checked."""
    return bytes.fromhex(text.replace("-", ""))


def id_text(value: bytes) -> str:
    """Returns the text form of a UUID's 16 bytes, in small letters."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
