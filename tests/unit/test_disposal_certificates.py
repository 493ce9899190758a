"""Certificates of disposal (Art. 8(2)): true ones verify offline, whole and for one record; nothing of them can change."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.evidence.disposals import disposal_root, prove_disposal, record_bytes, sign_disposal, verify_disposal
from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import disposal_pb2, policy_pb2
from tests.unit.provision_samples import NOW

KEY, NODE = SigningKey.generate(), "provider/wave"
RING = KeyRing({NODE: [KEY.verifying_key]})
IDS = sorted(str(uuid.UUID(int=number, version=4)) for number in range(1, 8))
CEASED = NOW - timedelta(days=200)


def leaves(ids: list[str], record_class: int = 1) -> list[bytes]:
    """The records of a certificate."""
    return [record_bytes(record_class, each, CEASED) for each in ids]


def certificate(of: list[bytes], **changes: Any) -> disposal_pb2.DisposalCertificate:
    """A good certificate of records, with changes."""
    made = disposal_pb2.DisposalCertificate(
        node=NODE,
        number=1,
        record_class=disposal_pb2.RECORD_CLASS_REPORT,
        records=len(of),
        root=disposal_root(of),
        policy_version=1,
        period=policy_pb2.Period(name="retention_report", amount=6, unit="PERIOD_UNIT_MONTHS", provenance=2),  # type: ignore[arg-type]
        actor="upkeep",
    )
    made.first_ceased_time.FromDatetime(CEASED)
    made.last_ceased_time.FromDatetime(CEASED)
    made.disposed_time.FromDatetime(NOW)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def proof(of: list[bytes] | None = None, position: int | None = None, **changes: Any) -> bytes:
    """The file of a certificate."""
    of = leaves(IDS) if of is None else of
    return prove_disposal(sign_disposal(certificate(of, **changes), KEY), of, position).SerializeToString()


def test_art_8_2_a_certificate_proves_all_its_records() -> None:
    """Art. 8(2): the whole file verifies with the node's key and names each record."""
    verified = verify_disposal(proof(), RING.lookup)
    assert (IDS, True, NODE) == (
        [each.record_id for each in verified.records],
        verified.whole,
        verified.certificate.node,
    )


@pytest.mark.parametrize("position", range(len(IDS)))
def test_art_8_2_one_record_is_proven_without_the_others(position: int) -> None:
    """Art. 8(2): a file of one record proves that one and holds the id of no other."""
    data = proof(position=position)
    verified = verify_disposal(data, RING.lookup)
    assert ([IDS[position]], False) == ([each.record_id for each in verified.records], verified.whole)
    assert [IDS[position]] == [each for each in IDS if each.encode() in data]


def test_art_8_2_no_byte_of_a_certificate_can_change() -> None:
    """Art. 8(2): a certificate with any byte changed proves nothing else than the true one did."""
    good = proof(leaves(IDS[:3]))
    true = verify_disposal(good, RING.lookup)
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1
        try:
            found = verify_disposal(bytes(changed), RING.lookup)
        except ProofError:
            continue
        # What is no part of the statement may change: the position beside a whole file, for one.
        assert (true.certificate, true.records) == (found.certificate, found.records)


def test_art_8_2_a_forged_certificate_is_refused() -> None:
    """Art. 8(2): by another key, or in the name of another node, a certificate is none."""
    forger, records = SigningKey.generate(), leaves(IDS)
    forged = sign_disposal(certificate(records), forger)
    with pytest.raises(UnusableProof, match="not known"):
        verify_disposal(prove_disposal(forged, records).SerializeToString(), RING.lookup)
    renamed = disposal_pb2.DisposalCertificate.FromString(forged.certificate)
    renamed.key_id = KEY.key_id
    named = disposal_pb2.SignedDisposal(certificate=renamed.SerializeToString(), signature=forged.signature)
    with pytest.raises(ProofError, match="signature does not hold"):
        verify_disposal(prove_disposal(named, records).SerializeToString(), RING.lookup)
    with pytest.raises(UnusableProof, match="not known"):
        verify_disposal(proof(node="provider/harbour"), RING.lookup)


@pytest.mark.parametrize(
    ("records", "changes", "words"),
    [
        (leaves([IDS[0], *IDS]), {}, "counts a record twice"),
        (leaves(IDS[::-1]), {}, "out of order"),
        ([*leaves(IDS[:2]), *leaves(IDS[2:], record_class=2)], {}, "not of the certificate's class"),
        (leaves(IDS), {"records": 9}, "not those of the certificate"),
        (leaves(IDS), {"root": bytes(32)}, "not those of the certificate"),
    ],
)
def test_art_8_2_a_certificate_must_add_up(records: list[bytes], changes: dict[str, Any], words: str) -> None:
    """Art. 8(2): even a signed certificate is refuted where its records are not what it states."""
    with pytest.raises(ProofError, match=words):
        verify_disposal(proof(records, **changes), RING.lookup)


def test_art_8_2_nothing_is_disposed_of_before_it_ceased_to_matter() -> None:
    """Art. 8(2): times that cannot be are refuted."""
    late = certificate(leaves(IDS))
    late.disposed_time.FromDatetime(CEASED - timedelta(days=1))
    records = leaves(IDS)
    with pytest.raises(ProofError, match="before it ceased to matter"):
        verify_disposal(prove_disposal(sign_disposal(late, KEY), records).SerializeToString(), RING.lookup)
    early = certificate(records)
    early.disposed_time.FromDatetime(CEASED + timedelta(days=90))
    with pytest.raises(ProofError, match="before its period was over"):
        verify_disposal(prove_disposal(sign_disposal(early, KEY), records).SerializeToString(), RING.lookup)
    narrow = certificate(records)
    narrow.first_ceased_time.FromDatetime(CEASED + timedelta(days=1))
    narrow.last_ceased_time.FromDatetime(CEASED + timedelta(days=1))
    with pytest.raises(ProofError, match="outside of the time"):
        verify_disposal(prove_disposal(sign_disposal(narrow, KEY), records).SerializeToString(), RING.lookup)


def verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs filing-verify."""
    command = [sys.executable, "-m", "shared.evidence", "disposal", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_art_8_2_anybody_verifies_a_certificate_offline(tmp_path: Path) -> None:
    """Art. 8(2): filing-verify says what is proven and what is not; a record that is not in it is refuted."""
    file, keys = tmp_path / "disposal", tmp_path / "keys.json"
    file.write_bytes(proof())
    keys.write_text(RING.to_json())
    said = verify(file, "--keys", keys)
    assert (0, True, True) == (said.returncode, "of the class report, 7 in all" in said.stdout, "backup" in said.stdout)
    facts = json.loads(verify(file, "--keys", keys, "--record", IDS[3].upper(), "--json").stdout)
    assert ("proven", 1, IDS) == (facts["verdict"], facts["number"], facts["proven_records"])
    assert 1 == verify(file, "--keys", keys, "--record", str(uuid.uuid4())).returncode
    changed = bytearray(proof())
    changed[30] ^= 1
    file.write_bytes(changed)
    assert verify(file, "--keys", keys).returncode in (1, 2)
    file.write_bytes(b"nothing of the kind")
    assert 2 == verify(file, "--keys", keys).returncode
