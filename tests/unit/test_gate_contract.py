"""The gate's short cut past protovalidate lets nothing pass that protovalidate would refuse."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from provider_node.publication_servicer import surely_kept
from shared.pb.filingnet.provider.v1 import publication_service_pb2 as pb
from shared.validation import field_violations

UUID = "0d9e7a3c-2f52-4c3a-9d7e-6f1f6f0f9a11"
NUMBERS = [*range(-1, 6), 2**31 - 1, -(2**31)]
IDS = st.one_of(
    st.just(UUID),
    st.uuids().map(str),
    st.uuids().map(lambda each: str(each).upper()),
    st.sampled_from(["", f"{UUID}\n", " " + UUID, UUID[:-1], UUID + "0", UUID.replace("-", ""), "０" + UUID[1:]]),
    st.tuples(st.integers(min_value=0, max_value=35), st.characters(codec="utf-8")).map(
        lambda change: UUID[: change[0]] + change[1] + UUID[change[0] + 1 :]
    ),
)


def asked(**changes: Any) -> pb.CheckPublicationRequest:
    """A good request with fields changed."""
    return pb.CheckPublicationRequest(**{"account_id": UUID, "act": 1, "audience": 1, "form": 1, **changes})


@given(IDS)
def test_account_that_passes_keeps_the_contract(account_id: str) -> None:
    """Whatever stands for the account, what the short cut lets pass has no violation."""
    request = asked(account_id=account_id)
    assert not (surely_kept(request) and field_violations(request))


def test_short_cut_is_taken_for_what_the_contract_knows_and_for_nothing_else() -> None:
    """Of all acts, audiences and forms, also of numbers without a name, those pass that protovalidate lets pass."""
    requests = [asked(act=act, audience=to, form=form) for act, to, form in product(NUMBERS, repeat=3)]
    passed = [request for request in requests if surely_kept(request)]
    assert 3 * 2 * 3 == len(passed)
    assert passed == [request for request in requests if not field_violations(request)]
