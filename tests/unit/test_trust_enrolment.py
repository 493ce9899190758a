"""A node joins only with keys that it holds, as the node that its token is for."""

import pytest

from shared.errors import InvalidInput
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import enrolment_service_pb2
from shared.trust.enrolment import build_enrolment, check_enrolment, keys_digest
from shared.trust.tokens import make_bearer
from shared.validation import field_violations
from tests.unit.trust_samples import PROVIDER, PROVINCE, new_key

SECRET, _ = make_bearer()


def enrolment(name: str = PROVINCE, endpoint: str = "gov.example:7443") -> enrolment_service_pb2.EnrolRequest:
    """Makes a request to join."""
    return build_enrolment(SECRET, name, new_key(), SigningKey.generate(), endpoint)


@pytest.mark.parametrize(("name", "endpoint"), [(PROVINCE, "gov.example:7443"), (PROVIDER, "")])
def test_own_request_holds(name: str, endpoint: str) -> None:
    """The request that a node makes keeps the contract and passes the nation's checks."""
    request = enrolment(name, endpoint)
    assert [] == field_violations(request)
    check_enrolment(request, name)


def test_another_node() -> None:
    """A token for one node does not let another join."""
    with pytest.raises(InvalidInput) as caught:
        check_enrolment(enrolment(PROVIDER, ""), PROVINCE)
    assert "CERTIFICATE_REQUEST_WRONG" == caught.value.reason


@pytest.mark.parametrize(
    "change",
    [
        {"signing_public_key": SigningKey.generate().public_bytes},
        {"signing_public_key": b""},
        {"signing_key_proof": b"\0" * 64},
        {"signing_key_proof": b""},
        {"token": make_bearer()[0]},
    ],
    ids=["another key", "no key", "wrong proof", "no proof", "another token"],
)
def test_signing_key_not_held(change: dict[str, str | bytes]) -> None:
    """Nobody registers a signing key that it does not hold, nor replays a proof with another token."""
    request = enrolment()
    for field, value in change.items():
        setattr(request, field, value)
    with pytest.raises(InvalidInput) as caught:
        check_enrolment(request, PROVINCE)
    assert "SIGNING_KEY_PROOF_WRONG" == caught.value.reason


@pytest.mark.parametrize(("name", "endpoint"), [(PROVINCE, ""), (PROVIDER, "wave.example:7443")])
def test_endpoint_fits(name: str, endpoint: str) -> None:
    """A regulator can be called and a provider cannot."""
    with pytest.raises(InvalidInput) as caught:
        check_enrolment(enrolment(name, endpoint), name)
    assert "ENDPOINT_WRONG" == caught.value.reason


def test_keys_digest() -> None:
    """A request made again with the same keys is known again; with either key changed it is not."""
    tls_key, signing_key = new_key(), SigningKey.generate()
    first = build_enrolment(SECRET, PROVIDER, tls_key, signing_key, "")
    again = build_enrolment(SECRET, PROVIDER, tls_key, signing_key, "")
    assert first.certificate_request != again.certificate_request
    assert keys_digest(first) == keys_digest(again)
    assert 32 == len(keys_digest(first))
    assert keys_digest(first) != keys_digest(build_enrolment(SECRET, PROVIDER, new_key(), signing_key, ""))
    assert keys_digest(first) != keys_digest(build_enrolment(SECRET, PROVIDER, tls_key, SigningKey.generate(), ""))
    first.certificate_request = "no request"
    with pytest.raises(InvalidInput):
        keys_digest(first)
