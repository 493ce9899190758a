"""The nation's CA is replaced in its folder so that a crash at any step leaves one that signs, and both keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import FailedPrecondition
from shared.trust.authority import CERTIFICATE_FILE, KEY_FILE, Authority
from shared.trust.authority_files import (
    forget_authority,
    load_authority_in_use,
    load_next_authority,
    make_next_authority,
    use_next_authority,
)
from tests.unit.trust_samples import DAY, NOW


@pytest.fixture
def first(tmp_path: Path) -> Authority:
    """The CA in use."""
    return Authority.create(tmp_path, NOW)


def test_the_next_ca_takes_its_place(tmp_path: Path, first: Authority) -> None:
    """Until it is put to use the first one signs; afterwards the next one, and the first one's key is kept."""
    assert load_next_authority(tmp_path) is None
    following = make_next_authority(tmp_path, NOW + DAY)
    assert (NOW + DAY, first.certificate_pem) == (
        following.begin_time,
        load_authority_in_use(tmp_path).certificate_pem,
    )
    assert following.certificate_pem == use_next_authority(tmp_path).certificate_pem
    assert following.certificate_pem == load_authority_in_use(tmp_path).certificate_pem
    assert first.certificate_pem == Authority.load(tmp_path / first.authority_id).certificate_pem
    assert load_next_authority(tmp_path) is None


def test_a_key_that_was_made_is_kept(tmp_path: Path, first: Authority) -> None:
    """A next CA that was not listed yet gets a certificate of its day, and no second key lies about."""
    key = (make_next_authority(tmp_path, NOW), (tmp_path / "next" / KEY_FILE).read_bytes())[1]
    again = make_next_authority(tmp_path, NOW + DAY)
    assert (key, NOW + DAY) == ((tmp_path / "next" / KEY_FILE).read_bytes(), again.begin_time)
    assert first.authority_id != again.authority_id


def test_a_crash_between_the_two_files_is_finished(tmp_path: Path, first: Authority) -> None:
    """Where the new certificate is in place and the new key is not, the next start finishes the replacement."""
    following = make_next_authority(tmp_path, NOW)
    (tmp_path / "next" / CERTIFICATE_FILE).replace(tmp_path / CERTIFICATE_FILE)
    assert following.certificate_pem == load_authority_in_use(tmp_path).certificate_pem
    assert following.certificate_pem == Authority.load(tmp_path).certificate_pem
    assert first.authority_id != following.authority_id


def test_a_crash_while_the_next_is_made_changes_nothing(tmp_path: Path, first: Authority) -> None:
    """A next key without a certificate leaves the CA in use as it is."""
    make_next_authority(tmp_path, NOW)
    (tmp_path / "next" / CERTIFICATE_FILE).unlink()
    assert first.certificate_pem == load_authority_in_use(tmp_path).certificate_pem
    assert load_next_authority(tmp_path) is None
    with pytest.raises(FailedPrecondition) as caught:
        use_next_authority(tmp_path)
    assert "NEXT_AUTHORITY_MISSING" == caught.value.reason


def test_no_other_damage_is_taken_for_a_crash(tmp_path: Path, first: Authority) -> None:
    """A key that is open to all, or a certificate that fits neither key, is refused and no file is moved."""
    make_next_authority(tmp_path, NOW)
    (tmp_path / "next" / CERTIFICATE_FILE).unlink()
    (tmp_path / KEY_FILE).chmod(0o644)
    with pytest.raises(FailedPrecondition) as caught:
        load_authority_in_use(tmp_path)
    assert "KEY_FILE_OPEN" == caught.value.reason
    (tmp_path / KEY_FILE).chmod(0o600)
    (tmp_path / "foreign").mkdir()
    foreign = Authority.create(tmp_path / "foreign", NOW)
    (tmp_path / CERTIFICATE_FILE).write_text(foreign.certificate_pem, "ascii")
    with pytest.raises(FailedPrecondition) as caught:
        load_authority_in_use(tmp_path)
    assert "AUTHORITY_DAMAGED" == caught.value.reason
    (tmp_path / CERTIFICATE_FILE).write_text(first.certificate_pem, "ascii")
    assert first.certificate_pem == Authority.load(tmp_path).certificate_pem


def test_a_retired_ca_leaves_its_certificate_alone(tmp_path: Path, first: Authority) -> None:
    """The private key of a CA that was retired, or never put to use, is gone; the one in use is untouched."""
    following = make_next_authority(tmp_path, NOW)
    use_next_authority(tmp_path)
    forget_authority(tmp_path, first.authority_id)
    assert [CERTIFICATE_FILE] == [path.name for path in (tmp_path / first.authority_id).iterdir()]
    unwanted = make_next_authority(tmp_path, NOW)
    forget_authority(tmp_path, unwanted.authority_id)
    assert [] == list((tmp_path / "next").iterdir())
    assert following.certificate_pem == load_authority_in_use(tmp_path).certificate_pem
