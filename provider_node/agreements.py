"""The agreement that a subject signs when it registers: the version in force, and the digest of it (Art. 6(2)).

The text is policy and the signature is the subject's: the node keeps version, digest and time, and takes no signature
of anything but the version in force.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.errors import FailedPrecondition, InvalidInput, Violation
from shared.provisions.agreements import AgreementSignature, agreement_digest
from shared.provisions.policy import Policy, policy_at


@dataclass(frozen=True, slots=True)
class AgreementText:
    """A version of the agreement: its seven baselines in order, and the digest (32 bytes) that a signature covers."""

    version: int
    baselines: tuple[str, ...]
    digest: bytes


def agreement_in_force(policies: Sequence[Policy], now: datetime) -> AgreementText:
    """Returns the agreement that new subjects sign now.

    Args:
        policies: in order of version.
        now: aware.

    Raises:
        FailedPrecondition: POLICY_MISSING, the node holds no policy yet.
    """
    return _text(_policy(policies, now))


def check_signature(signature: AgreementSignature, policies: Sequence[Policy], now: datetime) -> None:
    """Checks that a signature is one of the agreement in force.

    Args:
        signature: what the subject signed.
        policies: in order of version.
        now: aware.

    Raises:
        InvalidInput: AGREEMENT_NOT_SIGNED, with what is wrong with version, digest or time.
        FailedPrecondition: POLICY_MISSING.
    """
    policy = _policy(policies, now)
    text = _text(policy)
    violations = []
    if signature.version != text.version:
        mend = f"have the subject sign version {text.version}, which is in force"
        violations.append(Violation("agreement.version", "AGREEMENT_NOT_IN_FORCE", mend))
    elif not hmac.compare_digest(signature.digest, text.digest):
        mend = "show the subject the seven baselines as the node returns them, and send their digest"
        violations.append(Violation("agreement.digest", "AGREEMENT_DIGEST_WRONG", mend))
    if signature.sign_time > now + timedelta(microseconds=policy.clock_skew_micros):
        violations.append(Violation("agreement.sign_time", "TIME_IN_FUTURE", "give the time of the signature"))
    elif signature.sign_time < policy.earliest_time:
        violations.append(Violation("agreement.sign_time", "TIME_TOO_EARLY", "give the time of the signature"))
    if violations:
        raise InvalidInput("the agreement in force is not signed", "AGREEMENT_NOT_SIGNED", violations)


def _policy(policies: Sequence[Policy], now: datetime) -> Policy:
    if not policies:
        raise FailedPrecondition(
            "the node holds no policy yet: wait until it has heard from its regulator", "POLICY_MISSING"
        )
    return policy_at(policies, now)


def _text(policy: Policy) -> AgreementText:
    agreement = policy.agreement
    return AgreementText(
        agreement.version, agreement.baselines, agreement_digest(agreement.version, agreement.baselines)
    )
