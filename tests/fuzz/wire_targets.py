"""Fuzz targets for what comes over a network: batches, documents, requests to join, answers, tokens of pages, frames."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from provider_node.paging import page_token, position_of
from regulator_node.paging import make_token
from regulator_node.prepared_batches import prepare
from regulator_node.queries import read_place
from shared.cluster.frames import PREFACE, put_together
from shared.egress import check_message
from shared.errors import InvalidInput, Violation
from shared.evidence.batches import sign_batch
from shared.evidence.documents import sign_document, verify_document
from shared.mapping.policy import policy_from_wire, policy_to_wire
from shared.network import _Held
from shared.pb.filingnet.network.v1 import directory_pb2, enrolment_service_pb2, entry_pb2, evidence_pb2
from shared.pb.filingnet.network.v1 import intake_service_pb2 as intake
from shared.provisions.policy import initial_policy
from shared.status import DETAILS_KEY, read_details, status_of
from shared.trust.authentication import Authenticator
from shared.trust.certificate_requests import certificate_request, check_certificate_request
from shared.trust.directory import Directory
from shared.trust.enrolment import check_enrolment, enrolment_request, keys_digest
from shared.validation import field_violations
from tests.fuzz.evidence_targets import KEYS, RING, parsed
from tests.fuzz.target import Target, text_of
from tests.integration.filing_samples import made_up_entry, made_up_filing
from tests.unit.evidence_samples import JURISDICTION, NATION, NOW, PROVIDER
from tests.unit.trust_samples import node

TLS_KEY = ec.derive_private_key(7, ec.SECP256R1())
FIRST: tuple[int, str] = (0, "")
BOUND = b"filings of a query"


def submitted_batches(data: bytes, _: Path) -> None:
    """A whole request of intake: it is refused, or each entry of it is read or refused."""
    request = parsed(intake.SubmitEntriesRequest, data)
    if request is not None:
        made = prepare(request, origin=PROVIDER, jurisdiction=JURISDICTION, key_lookup=RING.lookup)
        assert len(made.entries) == len(request.entries)


def submitted_entries(data: bytes, _: Path) -> None:
    """Whatever bytes a provider signs and sends as an entry: read as a record, or refused with a reason."""
    batch = sign_batch([data], PROVIDER, JURISDICTION, KEYS[PROVIDER])
    request = intake.SubmitEntriesRequest(batch=batch.signed_header(), entries=[data])
    (entry,) = prepare(request, origin=PROVIDER, jurisdiction=JURISDICTION, key_lookup=RING.lookup).entries
    assert (entry.record is None) == (entry.refusal is not None)


def documents(data: bytes, _: Path) -> None:
    """A document that somebody hands on as the nation's."""
    signed = parsed(evidence_pb2.SignedDocument, data)
    if signed is not None:
        verify_document(signed, RING.lookup)


def documents_of_a_liar(data: bytes, _: Path) -> None:
    """Whatever bytes a compromised nation signs as its directory or policy: held, or refused."""
    signed = sign_document(data, KEYS[NATION])
    held = _HELD
    held.advanced(held.verified(signed))


def first_documents(data: bytes, _: Path) -> None:
    """The first directory, which vouches for itself, as whoever answers a node that joins sends it."""
    signed = parsed(evidence_pb2.SignedDocument, data)
    if signed is not None:
        _Held().advanced(_Held().verified(signed))


def guarded_messages(data: bytes, _: Path) -> None:
    """The guard reads whatever is a message, and never fails of it."""
    entry = parsed(entry_pb2.Entry, data)
    if entry is not None:
        assert "GUARD_FAILED" not in {violation.rule for violation in check_message(entry)}


def certificate_requests(data: bytes, _: Path) -> None:
    """A request for a certificate: refused, or a key that its holder has, on the one curve."""
    assert check_certificate_request(text_of(data), PROVIDER).curve.name == "secp256r1"


def requests_to_join(data: bytes, _: Path) -> None:
    """A request to join: refused, or by the keys of the node that its token is for."""
    request = parsed(enrolment_service_pb2.EnrolRequest, data)
    if request is not None and not field_violations(request):
        check_enrolment(request, PROVIDER)
        assert len(keys_digest(request)) == 32


def certificates(data: bytes, _: Path) -> None:
    """A certificate that a caller shows, as gRPC hands it on: nobody is let in by one that the CA did not sign."""
    _nobody(_Call(data), [])


def bearer_tokens(data: bytes, _: Path) -> None:
    """What a caller sends as its bearer token: nobody is let in by one that was never made."""
    _nobody(_Call(None), [("authorization", text_of(data))])


def told_errors(data: bytes, _: Path) -> None:
    """The details of a peer's refusal: bounded, and without what moves a terminal; or none."""
    details = read_details([(DETAILS_KEY, data)])
    if details is not None:
        told = [details.message, *(each.mend for each in details.violations)]
        assert all(len(text) <= 300 for text in told)
        assert not {unicodedata.category(character) for text in told for character in text} & {"Cc", "Cs", "Zl", "Zp"}


def providers_pages(data: bytes, _: Path) -> None:
    """A page token of the provider's lists: refused, or a place that a database can look for."""
    place = position_of("accounts", text_of(data), FIRST)
    if data:
        assert position_of("accounts", page_token("accounts", place), FIRST) == place
    assert isinstance(place[0], int)
    assert abs(place[0]) < 2**63
    str(place[1]).encode()


def registers_pages(data: bytes, _: Path) -> None:
    """A page token of the register: refused, or a place."""
    pinned, place = read_place(text_of(data), BOUND)
    numbers = (pinned, place.filed_time, int(place.jurisdiction), place.log_index)
    assert read_place(make_token(BOUND, numbers), BOUND) == (pinned, place)


def http2_connections(data: bytes, _: Path) -> None:
    """One direction of a connection, cut anywhere, as the search of the wire puts it together."""
    carried = put_together(data)
    assert sum(map(len, carried.bodies)) + sum(map(len, carried.headers)) <= len(data)


class _Call:
    """A call as the authenticator sees it."""

    def __init__(self, certificate: bytes | None) -> None:
        self._certificate = certificate

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {} if self._certificate is None else {"x509_pem_cert": [self._certificate]}


def _nobody(call: Any, metadata: list[tuple[str, str | bytes]]) -> None:
    caller = asyncio.run(_AUTHENTICATOR.caller(call, metadata))
    raise AssertionError(f"{caller.name} was let in")


def _directory() -> entry_pb2.Entry:
    nodes = [node(name, key) for name, key in KEYS.items()]
    directory = directory_pb2.Directory(version=2, nodes=nodes, ca_certificates=["not used"])
    directory.issue_time.FromDatetime(NOW)
    return _document(directory=directory)


def _document(**body: Any) -> entry_pb2.Entry:
    entry = entry_pb2.Entry(entry_id="0" * 36, origin=NATION, jurisdiction="100000", sequence=1, **body)
    entry.created_time.FromDatetime(NOW)
    return entry


_HELD = _Held(Directory.from_wire(_directory().directory), (policy_from_wire(policy_to_wire(initial_policy())),))
_AUTHENTICATOR = Authenticator(
    directory=lambda: _HELD.directory, clock=lambda: NOW, jurisdiction=JURISDICTION, backend_token=bytes(32)
)


def _batch(count: int) -> intake.SubmitEntriesRequest:
    entries = [made_up_entry(made_up_filing(), number + 1) for number in range(count)]
    batch = sign_batch(entries, PROVIDER, JURISDICTION, KEYS[PROVIDER])
    return intake.SubmitEntriesRequest(batch=batch.signed_header(), entries=entries)


def _connection() -> bytes:
    message = b"\0" + (5).to_bytes(4) + b"hello"
    headers = (3).to_bytes(3) + b"\x01\x04" + (1).to_bytes(4) + b"abc"
    return PREFACE + headers + len(message).to_bytes(3) + b"\0\x01" + (1).to_bytes(4) + message


def wire_targets(certificate: str) -> list[Target]:
    """Returns the targets of this module; the certificate is any in PEM."""
    request = certificate_request(PROVIDER, TLS_KEY)
    join = enrolment_request("A" * 43, request, KEYS[PROVIDER], "")
    policy = policy_to_wire(initial_policy())
    policy.version += 1
    directory, later = _directory().SerializeToString(), _document(policy=policy).SerializeToString()
    refusal = status_of(InvalidInput("样例", "FIELD_VIOLATIONS", [Violation("a.b", "RULE", "mend")]))
    details = next(value for key, value in refusal.trailing_metadata if key == DETAILS_KEY)
    return [
        Target("submitted-batches", submitted_batches, [_batch(1).SerializeToString(), _batch(3).SerializeToString()]),
        Target("submitted-entries", submitted_entries, [made_up_entry(made_up_filing())]),
        Target("documents", documents, [sign_document(directory, KEYS[NATION]).SerializeToString()]),
        Target("documents-of-a-liar", documents_of_a_liar, [directory, later], longest=16384),
        Target("first-documents", first_documents, [sign_document(directory, KEYS[NATION]).SerializeToString()]),
        Target("guarded-messages", guarded_messages, [made_up_entry(made_up_filing()), directory]),
        Target("certificate-requests", certificate_requests, [request.encode()], longest=9000),
        Target("requests-to-join", requests_to_join, [join.SerializeToString()], longest=9000),
        Target("certificates", certificates, [certificate.encode()]),
        Target("bearer-tokens", bearer_tokens, [b"Bearer " + b"A" * 43], longest=200),
        Target("told-errors", told_errors, [details]),
        Target("providers-pages", providers_pages, [page_token("accounts", (1, "a")).encode()], longest=200),
        Target("registers-pages", registers_pages, [make_token(BOUND, (1, 2, 330000, 4)).encode()], longest=200),
        Target("http2-connections", http2_connections, [_connection()], refusals=(ValueError,)),
    ]
