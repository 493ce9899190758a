"""Identifiers of entries and accounts: UUIDs, as text on the wire and as 16 bytes in the registers."""

from __future__ import annotations

import random
import uuid

import uuid_utils

from shared.chance import seeded_chance


def new_entry_id() -> str:
    """Makes the id of a new entry: a UUIDv7 (RFC 9562), which begins with the time, so that neighbours lie together."""
    seeded = seeded_chance()
    return str(uuid_utils.uuid7()) if seeded is None else _seeded_id(seeded, 7)


def new_account_id() -> str:
    """Makes the id of a new account: a random UUIDv4 (RFC 9562), which tells nothing."""
    seeded = seeded_chance()
    return str(uuid.uuid4()) if seeded is None else _seeded_id(seeded, 4)


def id_bytes(text: str) -> bytes:
    """Returns the 16 bytes of a UUID in its text form of 36 characters, which validation has checked."""
    return bytes.fromhex(text.replace("-", ""))


def id_text(value: bytes) -> str:
    """Returns the text form of a UUID's 16 bytes, in small letters."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _seeded_id(source: random.Random, version: int) -> str:
    value = bytearray(source.randbytes(16))
    value[6] = value[6] & 0x0F | version << 4
    value[8] = value[8] & 0x3F | 0x80
    return id_text(bytes(value))
