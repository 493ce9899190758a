"""Bytes that once got past a parser's own refusals: each is refused as the parser documents, and says the mend."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from provider_node.import_files import COLUMNS, read_rows
from provider_node.label_commands import _read_profile
from provider_node.master_key import parse_master_keys
from provider_node.paging import position_of
from provider_node.settings import ProviderSettings
from provider_node.subject_commands import _read_identity
from regulator_node.policy_file import read_policy, write_policy
from regulator_node.verdict_files import read_verdicts
from shared.errors import FilingnetError, InvalidInput
from shared.evidence.__main__ import _print
from shared.evidence.disposals import DISPOSAL_PREFIX, prove_disposal, verify_disposal
from shared.evidence.documents import sign_document
from shared.evidence.hashing import ProofError
from shared.evidence.kept_evidence import INDEX, verify_folder
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import KeyFileError, SigningKey
from shared.identifiers import new_entry_id
from shared.mapping.policy import policy_to_wire
from shared.network import _Held
from shared.pb.filingnet.network.v1 import directory_pb2, disposal_pb2, entry_pb2, evidence_pb2
from shared.provisions.policy import initial_policy
from shared.settings import FILE_NAME
from shared.simulated_clock import read_offset
from shared.trust.certificate_requests import certificate_request, requested_key
from tests.unit.test_disposal_certificates import KEY, RING, certificate, leaves
from tests.unit.trust_samples import NATION, NOW, node

DEEP = "[" * 200_000
HUGE = "9" * 5_000
POLICY = write_policy(initial_policy())
BEYOND_THE_CALENDAR = POLICY.replace("effective_time = ", "effective_time = 0001-01-01T00:00:00+08:00 # ", 1)


def rows_of(file: Path) -> object:
    return list(read_rows(file))


def keys_of(file: Path) -> object:
    return KeyRing.from_json(file.read_bytes())


def policy_of(file: Path) -> object:
    return read_policy(file.read_text())


def masters_of(file: Path) -> object:
    return parse_master_keys(file.read_text())


def settings_of(file: Path) -> object:
    file.rename(file.with_name(FILE_NAME))
    return ProviderSettings.load(file.parent)


def profile_of(file: Path) -> object:
    return _read_profile(str(file))


def identity_of(file: Path) -> object:
    return _read_identity(str(file))


def folder_of(file: Path) -> object:
    file.rename(file.with_name(INDEX))
    return verify_folder(file.parent, RING)


PROFILE = '{"duties": [{"code": "a", "in_force_time": "%s"}], "staff": %s, "users": 1, "counted_time": "2026-01-01"}'
VERDICTS = "provider,account_id,revision,outcome\n"
ODD_KEY = """-----BEGIN EC PRIVATE KEY-----
MD4CAQEEDh1CZVpZKUK/Cpp5ErA/oAcGBSuBBAAGoSADHgAEhnn9G9+RaKItWw46
p4Zni779dCjbSILxjpYHew==
-----END EC PRIVATE KEY-----
"""
"""A key of a curve that no library here knows."""
KEY_RING = '{"nodes": [{"name": "provider/wave", "public_keys": ["钥"]}]}'


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (rows_of, ",".join(COLUMNS).encode() + b"\n\xff"),
        (rows_of, ",".join(COLUMNS).encode() + b"\n" + b"a" * 200_000),
        (read_verdicts, VERDICTS.encode() + b"\xff"),
        (read_verdicts, VERDICTS.encode() + b"a" * 200_000),
        (identity_of, b'{"real_name": "\xff"}'),
        (identity_of, DEEP.encode()),
        (profile_of, b"\xff"),
        (profile_of, DEEP.encode()),
        (profile_of, (PROFILE % ("0001-01-01T00:00:00+00:00", "Infinity")).encode()),
        (keys_of, KEY_RING.encode()),
        (keys_of, DEEP.encode()),
        (policy_of, f"version = {HUGE}".encode()),
        (policy_of, f"version = {DEEP}".encode()),
        (policy_of, BEYOND_THE_CALENDAR.encode()),
        (masters_of, f"{HUGE} {'A' * 43}=".encode()),
        (settings_of, f"shutdown_seconds = {HUGE}".encode()),
        (settings_of, f"shutdown_seconds = {DEEP}".encode()),
        (read_offset, b"1e300"),
        (read_offset, b"nan"),
        (folder_of, b'{"files": [""]}'),
        (folder_of, DEEP.encode()),
        (SigningKey.load, ODD_KEY.encode()),
    ],
    ids=lambda value: value.__name__ if callable(value) else repr(value[:24]),
)
def test_a_file_is_refused_as_its_reader_says(read: Callable[[Path], object], content: bytes, tmp_path: Path) -> None:
    """No file ends a program by a fault of the program's own: each is refused with a sentence."""
    file = tmp_path / "file"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises((FilingnetError, ProofError, KeyFileError)) as refused:
        read(file)
    assert len(str(refused.value)) > 20


def test_a_request_of_another_version_is_refused() -> None:
    """A certificate request that names a version that PKCS #10 never had is refused like any other that cannot be read."""
    pem = certificate_request("provider/wave", ec.generate_private_key(ec.SECP256R1()))
    body = bytearray(base64.b64decode("".join(pem.splitlines()[1:-1])))
    version = body.index(b"\x02\x01\x00")
    body[version + 2] = 4
    lines = base64.encodebytes(bytes(body)).decode()
    with pytest.raises(InvalidInput) as refused:
        requested_key(f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}-----END CERTIFICATE REQUEST-----\n")
    assert "CERTIFICATE_REQUEST_WRONG" == refused.value.reason


@pytest.mark.parametrize("token", [[2**63, "a"], [-(2**63), "a"], [1, "\ud800"], [1, "a\0"]])
def test_a_page_token_that_no_database_can_look_for_is_refused(token: list[object]) -> None:
    """A token is not secret, and anybody can make one: only values that a database takes are looked for."""
    text = base64.urlsafe_b64encode(json.dumps(["accounts", *token]).encode()).decode()
    with pytest.raises(InvalidInput) as refused:
        position_of("accounts", text, (0, ""))
    assert "PAGE_TOKEN_WRONG" == refused.value.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": 2**40},
        {"unit": 77},
        {"provenance": 12},
        {"amount": 2**31 - 1},
    ],
    ids=str,
)
def test_a_certificate_of_disposal_that_a_liar_signed_is_judged(changes: dict[str, int]) -> None:
    """A node that signs times and periods that there are none of gets a verdict, and stops no auditor's program."""
    records = leaves(["a"])
    stated = certificate(records)
    stated.key_id = KEY.key_id
    for name, value in changes.items():
        if name == "seconds":
            stated.disposed_time.seconds = value
        else:
            setattr(stated.period, name, value)
    data = stated.SerializeToString()
    signed = disposal_pb2.SignedDisposal(certificate=data, signature=KEY.sign(DISPOSAL_PREFIX + data))
    with pytest.raises(ProofError):
        verify_disposal(prove_disposal(signed, records).SerializeToString(), RING.lookup)


def test_documents_that_break_their_contract_are_refused() -> None:
    """A broken or lying nation stops no node: a document is held only where it keeps its contract."""
    key = SigningKey.generate()
    directory = directory_pb2.Directory(version=1, nodes=[node(NATION, key)])
    directory.issue_time.FromDatetime(NOW)
    first = signed_by(key, directory=directory)
    held = _Held().advanced(_Held().verified(first))
    policy = policy_to_wire(initial_policy())
    policy.periods[0].provenance = 12  # type: ignore[assignment]
    with pytest.raises(ProofError, match=r"periods\[0\]"):
        held.verified(signed_by(key, policy=policy))
    first.entry = b"\xff"
    with pytest.raises(ProofError, match="damaged"):
        _Held().verified(first)


def signed_by(key: SigningKey, **body: Any) -> evidence_pb2.SignedDocument:
    entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=NATION, jurisdiction="100000", sequence=1, **body)
    entry.created_time.FromDatetime(NOW)
    return sign_document(entry.SerializeToString(), key)


def test_a_verdict_is_not_written_by_who_is_judged() -> None:
    """A name with line ends and escapes writes no line of its own below filing-verify's verdict."""
    said = io.StringIO()
    with redirect_stdout(said):
        _print("样例\n  proven      all of it\x1b[2J\u2028\x9b")
    assert "样例\ufffd  proven      all of it\ufffd[2J\ufffd\ufffd\n" == said.getvalue()
