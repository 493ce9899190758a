"""Fuzz targets for files that people hand to the programs: tokens, imports, verdicts, settings, policies, keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

from provider_node.import_files import COLUMNS, read_rows
from provider_node.label_commands import _read_profile
from provider_node.master_key import parse_master_keys
from provider_node.settings import ProviderSettings
from provider_node.subject_commands import _read_identity
from regulator_node.policy_file import read_policy, write_policy
from regulator_node.settings import RegulatorSettings
from regulator_node.verdict_files import read_verdicts
from shared.cluster.made_up import person
from shared.errors import FilingnetError
from shared.evidence.keys import KeyFileError, SigningKey
from shared.provisions.policy import initial_policy
from shared.settings import FILE_NAME
from shared.signing_keys import read_public_key
from shared.simulated_clock import SimulatedClock, read_offset
from shared.trust.tokens import EnrolmentToken, is_token, make_token, parse_token
from tests.fuzz.target import Target, signing_key, text_of
from tests.unit.evidence_samples import PROVIDER


def _written(folder: Path, data: bytes, name: str = "input") -> Path:
    file = folder / name
    file.write_bytes(data)
    file.chmod(0o600)
    return file


def enrolment_tokens(data: bytes, _: Path) -> None:
    """A token file: refused, or one whose secret and names have their form."""
    token, secret = parse_token(text_of(data))
    assert is_token(secret)
    make_token(token)


def imported_accounts(data: bytes, folder: Path) -> None:
    """A CSV file of accounts: refused, or rows that are numbered and hold text."""
    for place, row in enumerate(read_rows(_written(folder, data)), start=1):
        assert row.number == place
        row.display_name.encode()
        row.category.encode()


def verdict_files(data: bytes, folder: Path) -> None:
    """A CSV file of verdicts: refused as a whole, or verdicts that can be sent."""
    for verdict in read_verdicts(_written(folder, data)):
        verdict.note.encode()
        assert abs(verdict.revision) < 2**31


def settings_of(kind: type[ProviderSettings] | type[RegulatorSettings]) -> Callable[[bytes, Path], None]:
    """Makes the target of one kind of settings: what is read is written and read again as the same."""

    def parse(data: bytes, folder: Path) -> None:
        _written(folder, data, FILE_NAME)
        settings = kind.load(folder)
        settings.write()
        assert kind.load(folder) == settings

    return parse


def policy_files(data: bytes, _: Path) -> None:
    """A policy in TOML: refused, or written and read again as the same."""
    policy = read_policy(text_of(data))
    assert read_policy(write_policy(policy)) == policy


def master_keys(data: bytes, _: Path) -> None:
    """A master key: refused, or versions that the vault's file can hold."""
    keys = parse_master_keys(text_of(data))
    assert all(0 < version < 2**63 and len(secret) == 32 for version, secret in keys.versions.items())


def identity_files(data: bytes, folder: Path) -> None:
    """An identity in JSON: refused, or texts."""
    _read_identity(str(_written(folder, data)))


def duty_profiles(data: bytes, folder: Path) -> None:
    """A duty profile in JSON: refused, or one that can be sent."""
    _read_profile(str(_written(folder, data)))


def signing_keys(data: bytes, folder: Path) -> None:
    """A key file in PEM: refused, or one that signs."""
    key = SigningKey.load(_written(folder, data))
    assert key.verifying_key.verifies(key.sign(b"words"), b"words")


def public_keys(data: bytes, _: Path) -> None:
    """The public part of the next key: refused, or 32 bytes."""
    assert len(read_public_key(text_of(data))) == 32


def time_offsets(data: bytes, folder: Path) -> None:
    """The file of a simulated time: refused, or an offset by which a clock can go."""
    file = _written(folder, data)
    read_offset(file)
    SimulatedClock(file)()


def file_targets(folder: Path, certificate: str) -> list[Target]:
    """Returns the targets of this module; the folder is for what is made once, the certificate is any in PEM."""
    token, _ = make_token(EnrolmentToken("127.0.0.1:7401", PROVIDER, "330000", certificate))
    header = ",".join(COLUMNS)
    rows = f"{header}\n{'0' * 32},样例公众号,lifestyle,2026-03-02T08:00:00+08:00\n".encode()
    verdict = b"provider,account_id,revision,outcome,reason,fields,note,etag\nprovider/wave,a,1,returned,x,y z,n,e\n"
    ProviderSettings.create(folder, name=PROVIDER, jurisdiction="330000").write()
    provider = (folder / FILE_NAME).read_bytes()
    RegulatorSettings.create(folder, **REGULATOR).write()
    regulator = (folder / FILE_NAME).read_bytes()
    identity = {name: getattr(person(1), name) for name in ("real_name", "id_number", "phone")}
    organisation = {"organisation_name": "样例社", "uscc": "x", "operator": identity}
    profile = {"duties": [{"code": "a", "in_force_time": "2026-01-01"}], "staff": 1, "users": 2}
    profile["counted_time"] = "2026-01-01T00:00:00+08:00"
    key = signing_key(PROVIDER)
    key.save(folder / "key.pem")
    line = f"1 {base64.urlsafe_b64encode(bytes(32)).decode()}\n".encode()
    return [
        Target("enrolment-tokens", enrolment_tokens, [token.encode()], longest=9000),
        Target("imported-accounts", imported_accounts, [rows], longest=200_000),
        Target("verdict-files", verdict_files, [verdict], longest=200_000),
        Target("provider-settings", settings_of(ProviderSettings), [provider]),
        Target("regulator-settings", settings_of(RegulatorSettings), [regulator]),
        Target("policy-files", policy_files, [write_policy(initial_policy()).encode()], longest=20_000),
        Target("master-keys", master_keys, [line, b"# words\n" + line], longest=6000),
        Target("identity-files", identity_files, [json.dumps(each).encode() for each in (identity, organisation)]),
        Target("duty-profiles", duty_profiles, [json.dumps(profile).encode()]),
        Target("signing-keys", signing_keys, [(folder / "key.pem").read_bytes()], (FilingnetError, KeyFileError)),
        Target("public-keys", public_keys, [f"filingnet signing key v1\n{key.public_bytes.hex()}\n".encode()]),
        Target("time-offsets", time_offsets, [b"86400.5\n"], longest=400),
    ]


REGULATOR = {
    "name": "regulator/330000",
    "jurisdiction": "330000",
    "network_listen": "127.0.0.1:0",
    "public_listen": "127.0.0.1:0",
    "network_endpoint": "127.0.0.1:7400",
    "public_endpoint": "127.0.0.1:7401",
}
