"""The agreement that a user signs on registering (Art. 6(2)): its seven baselines in order, the digest that proves them,
and a signature over that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

BASELINES: Final = (
    "法律法规底线",
    "社会主义制度底线",
    "国家利益底线",
    "公民合法权益底线",
    "社会公共秩序底线",
    "道德风尚底线",
    "信息真实性底线",
)


@dataclass(frozen=True, slots=True)
class AgreementSignature:
    """What a subject signed: the version, the SHA-256 of its text (32 bytes), and when."""

    version: int
    digest: bytes
    sign_time: datetime


def agreement_digest(version: int, baselines: Sequence[str]) -> bytes:
    """Returns the digest that a signature of the agreement covers (Art. 6(2)).

    Args:
        version: the version of the agreement, from 1.
        baselines: the baselines in order.

    Returns:
        32 bytes: SHA-256 over "filingnet agreement v1", the version and the baselines, one a line.
    """
    text = f"filingnet agreement v1\n{version}\n" + "\n".join(baselines)
    return hashlib.sha256(text.encode()).digest()
