"""Art. 6(2): only the agreement in force, as it was shown, is a signature."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from provider_node.agreements import agreement_in_force, check_signature
from shared.errors import FailedPrecondition, InvalidInput
from shared.provisions.agreements import BASELINES, AgreementSignature
from shared.provisions.policy import Agreement, initial_policy

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LATER = replace(
    initial_policy(), version=2, effective_time=NOW + timedelta(days=1), agreement=Agreement(2, BASELINES[::-1])
)
POLICIES = (initial_policy(), LATER)


def signature(**changes: object) -> AgreementSignature:
    """A signature of the agreement in force, with changes."""
    text = agreement_in_force(POLICIES, NOW)
    return replace(AgreementSignature(text.version, text.digest, NOW), **changes)  # type: ignore[arg-type]


def test_agreement_in_force_follows_the_policy() -> None:
    """A later version is shown from the day it holds, with its own digest."""
    now, tomorrow = agreement_in_force(POLICIES, NOW), agreement_in_force(POLICIES, NOW + timedelta(days=1))
    assert (1, BASELINES, 2, BASELINES[::-1]) == (now.version, now.baselines, tomorrow.version, tomorrow.baselines)
    assert now.digest != tomorrow.digest


def test_good_signature_passes() -> None:
    """What the node shows and the subject signs is taken."""
    check_signature(signature(), POLICIES, NOW)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"version": 2}, "agreement.version", "AGREEMENT_NOT_IN_FORCE"),
        ({"digest": bytes(32)}, "agreement.digest", "AGREEMENT_DIGEST_WRONG"),
        ({"digest": b""}, "agreement.digest", "AGREEMENT_DIGEST_WRONG"),
        ({"sign_time": NOW + timedelta(days=1)}, "agreement.sign_time", "TIME_IN_FUTURE"),
        ({"sign_time": datetime(2010, 1, 1, tzinfo=UTC)}, "agreement.sign_time", "TIME_TOO_EARLY"),
    ],
)
def test_anything_else_is_no_signature(changes: dict[str, object], field: str, rule: str) -> None:
    """Another version, another text or an impossible time is refused with what to mend."""
    with pytest.raises(InvalidInput) as refused:
        check_signature(signature(**changes), POLICIES, NOW)
    assert "AGREEMENT_NOT_SIGNED" == refused.value.reason
    assert [(field, rule)] == [(each.field, each.rule) for each in refused.value.violations]


def test_without_policy_nobody_registers() -> None:
    """A node that has heard no policy says so instead of guessing an agreement."""
    with pytest.raises(FailedPrecondition, match="no policy yet"):
        agreement_in_force((), NOW)
