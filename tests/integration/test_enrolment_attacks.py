"""Promise 7 before the first call: what can be tried with an enrolment token at a nation that serves, and what comes of it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from shared.errors import FilingnetError
from shared.evidence.keys import SigningKey
from shared.joining import ask_to_join
from shared.pb.filingnet.network.v1 import enrolment_service_pb2
from shared.trust.authority import Authority
from shared.trust.certificate_requests import certificate_request
from shared.trust.enrolment import enrolment_request
from shared.trust.names import spiffe_id
from shared.trust.tokens import make_bearer, parse_token
from tests.captured_log import captured_log
from tests.integration.regulators import (
    PROVIDER,
    Running,
    ShiftedClock,
    made_up_licence,
    token_for,
)
from tests.tried import Tried

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


async def wave_token(nation: Running, jurisdiction: str = "330000") -> str:
    """A token for the provider wave."""
    return await token_for(nation, PROVIDER, jurisdiction=jurisdiction, licence=made_up_licence())


def asked_with(secret: str, csr_pem: str = "", key: SigningKey | None = None) -> enrolment_service_pb2.EnrolRequest:
    """A request to join as wave: a good one, by new keys, unless another is given."""
    csr_pem = csr_pem or certificate_request(PROVIDER, ec.generate_private_key(ec.SECP256R1()))
    return enrolment_request(secret, csr_pem, key or SigningKey.generate(), "")


async def outcome(text: str, request: enrolment_service_pb2.EnrolRequest) -> str:
    """Asks to join; returns the reason of a refusal, or that it joined."""
    try:
        await ask_to_join(parse_token(text)[0], request)
    except FilingnetError as error:
        return error.reason
    return "joined"


def csr(key: Key, *names: x509.GeneralName, name: str = PROVIDER, ca: bool = False) -> str:
    """A request that names a node, and asks for more than a node gets."""
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    uri = x509.UniformResourceIdentifier(spiffe_id(name))
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([uri, *names]), critical=False)
    if ca:
        everything = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **usage
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=9), critical=True)
        builder = builder.add_extension(everything, critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def p256() -> ec.EllipticCurvePrivateKey:
    """A key of the kind that is taken."""
    return ec.generate_private_key(ec.SECP256R1())


def files_in(folder: Path) -> list[Path]:
    """Every file in a folder and below it."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


REFUSED: dict[str, Callable[[], str]] = {
    "an RSA key of 1024 bits": lambda: csr(rsa.generate_private_key(65537, 1024)),
    "an RSA key": lambda: csr(rsa.generate_private_key(65537, 2048)),
    "P-384": lambda: csr(ec.generate_private_key(ec.SECP384R1())),
    "the nation's name": lambda: csr(p256(), name="regulator/100000"),
    "another provider's name": lambda: csr(p256(), name="provider/harbour"),
    "the nation's name as well": lambda: csr(p256(), x509.UniformResourceIdentifier(spiffe_id("regulator/100000"))),
    "an officer's post as well": lambda: csr(
        p256(), x509.UniformResourceIdentifier("spiffe://filingnet/officer/330000/administrator/desk")
    ),
}


async def test_a_tampered_request_is_refused_and_uses_nothing_up(nation: Running, tried: Tried) -> None:
    """A weak key or another name is refused, in whatever is sent first; the token is still good for its node."""
    text = await wave_token(nation)
    _, secret = parse_token(text)
    outcomes = {what: await outcome(text, asked_with(secret, make())) for what, make in REFUSED.items()}
    assert dict.fromkeys(REFUSED, "CERTIFICATE_REQUEST_WRONG") == outcomes
    proofless = asked_with(secret)
    proofless.signing_public_key = SigningKey.generate().public_bytes
    assert "SIGNING_KEY_PROOF_WRONG" == await outcome(text, proofless)
    listening = asked_with(secret)
    listening.endpoint = "wave.example:7400"
    assert "ENDPOINT_WRONG" == await outcome(text, listening)
    assert nation.view.directory.node(PROVIDER) is None
    assert "joined" == await outcome(text, asked_with(secret))
    tried(7, "tampered requests to join", tampered=len(REFUSED) + 2, joined=0)


async def test_what_a_request_asks_for_beside_its_name_is_not_given(nation: Running) -> None:
    """A request to be a CA, to sign code and to answer for the nation gets a plain leaf of the node."""
    text = await wave_token(nation)
    greedy = csr(p256(), x509.DNSName("100000.regulator.filingnet"), x509.DNSName("*.filingnet"), ca=True)
    answer = await ask_to_join(parse_token(text)[0], asked_with(parse_token(text)[1], greedy))
    leaf = x509.load_pem_x509_certificate(answer.certificate_chain.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [x509.UniformResourceIdentifier(spiffe_id(PROVIDER)), x509.DNSName("wave.provider.filingnet")] == list(names)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (True, False, False) == (usage.digital_signature, usage.key_cert_sign, usage.crl_sign)
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH] == list(purposes)


async def test_of_all_who_hold_a_token_one_joins(nation: Running, tried: Tried, full_size: bool) -> None:
    """A stolen token that many use at once lets exactly one in; the others are told, and the office by its trail."""
    times, thieves, won = (20, 20, 0) if full_size else (1, 8, 0)
    for number in range(times):
        name = f"provider/wave-{number}"
        text = await token_for(nation, name, jurisdiction="330000", licence=made_up_licence())
        secret = parse_token(text)[1]
        requests = [asked_with(secret, certificate_request(name, p256())) for _ in range(thieves)]
        outcomes = Counter(await asyncio.gather(*(outcome(text, request) for request in requests)))
        assert {"joined": 1, "TOKEN_USED": thieves - 1} == outcomes
        won += outcomes["joined"]
    entries, _ = await nation.regulator.audit.page(1000, "")
    told = [entry.detail for entry in entries if entry.actor == "anyone"]
    assert times * (thieves - 1) == len(told)
    assert {f"token of provider/wave-{number} sent again by other keys" for number in range(times)} == set(told)
    tried(7, "a stolen token used by many at once", tokens=times, users=times * thieves, joined=won)


async def test_a_token_of_a_node_that_has_joined_is_worth_nothing(nation: Running) -> None:
    """A second token of the same name, made before, moves nobody elsewhere and gives the name to no other keys."""
    here, there = await wave_token(nation), await wave_token(nation, "110000")
    key, tls_key = SigningKey.generate(), p256()
    first = asked_with(parse_token(here)[1], certificate_request(PROVIDER, tls_key), key)
    assert "joined" == await outcome(here, first)
    same = asked_with(parse_token(there)[1], certificate_request(PROVIDER, tls_key), key)
    assert ["NODE_EXISTS", "NODE_EXISTS"] == [
        await outcome(there, same),
        await outcome(there, asked_with(parse_token(there)[1])),
    ]
    node = nation.view.directory.node(PROVIDER)
    assert node is not None
    assert ("330000", [key.public_bytes]) == (node.jurisdiction, [each.public_key for each in node.signing_keys])


async def test_an_ended_or_unknown_token_opens_nothing(nation: Running, clock: ShiftedClock) -> None:
    """The nation's clock and records decide, whatever the file says."""
    text = await wave_token(nation)
    assert "TOKEN_INVALID" == await outcome(text, asked_with(make_bearer()[0]))
    clock.ahead = timedelta(hours=24)
    assert "TOKEN_EXPIRED" == await outcome(text, asked_with(parse_token(text)[1]))
    assert nation.view.directory.node(PROVIDER) is None


async def test_a_token_is_in_no_log_and_no_file(nation: Running, tmp_path: Path) -> None:
    """Used, refused, sent again or unknown: its secret is in nothing that the nation writes, and nor is the CA's key."""
    with captured_log() as log:
        text = await wave_token(nation)
        _, secret = parse_token(text)
        outcomes = [await outcome(text, asked_with(secret, make())) for make in REFUSED.values()]
        outcomes += [await outcome(text, asked_with(secret)) for _ in range(2)]
    assert ["joined", "TOKEN_USED"] == outcomes[-2:]
    assert "token_used_again" in log.getvalue()
    assert secret not in log.getvalue()
    kept = files_in(tmp_path)
    assert any(path.name == "register.db" for path in kept)
    assert [] == [path for path in kept if secret.encode() in path.read_bytes()]
    assert os.fspath(nation.settings.authority_folder) not in log.getvalue()
    assert Authority.load(nation.settings.authority_folder).certificate_pem in text
