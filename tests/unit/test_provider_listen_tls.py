"""Files of the local API's TLS: each that cannot be used is refused with the mend, before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider_node.listen_tls import read_backend_ca, read_listen_certificate
from provider_node.settings import ProviderSettings
from shared.errors import FailedPrecondition
from tests.unit.company_authority import CompanyAuthority
from tests.unit.trust_samples import NOW


def settings(folder: Path, **files: str) -> ProviderSettings:
    """Settings of a provider with files of these contents."""
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    named = {name: str(folder / name) for name in files}
    return ProviderSettings.create(
        folder, name="provider/wave", jurisdiction="330000", listen="127.0.0.1:7500", **named
    )


def test_ca_is_read(tmp_path: Path) -> None:
    """One CA or several may be named, so that a CA can be replaced by another; none where none is set."""
    both = "".join(CompanyAuthority(NOW).pem for _ in range(2))
    assert both == read_backend_ca(settings(tmp_path, backend_ca_file=both), [CompanyAuthority(NOW).pem])
    assert "" == read_backend_ca(settings(tmp_path), [])


def test_ca_that_is_none(tmp_path: Path) -> None:
    """A file that is missing, no certificate, or a backend's own certificate instead of its CA's."""
    for text in ("", "no certificate", CompanyAuthority(NOW).certificate()[1]):
        with pytest.raises(FailedPrecondition) as refused:
            read_backend_ca(settings(tmp_path, backend_ca_file=text), [])
        assert "BACKEND_CA_WRONG" == refused.value.reason
    (tmp_path / "backend_ca_file").unlink()
    missing = ProviderSettings.create(
        tmp_path, name="provider/wave", jurisdiction="330000", backend_ca_file=str(tmp_path / "backend_ca_file")
    )
    with pytest.raises(FailedPrecondition, match="cannot be read"):
        read_backend_ca(missing, [])


def test_ca_of_the_network(tmp_path: Path) -> None:
    """The network's CA is refused, also beside a good one."""
    network, own = CompanyAuthority(NOW), CompanyAuthority(NOW)
    with pytest.raises(FailedPrecondition) as refused:
        read_backend_ca(settings(tmp_path, backend_ca_file=own.pem + network.pem), [network.pem])
    assert "BACKEND_CA_OF_NETWORK" == refused.value.reason


def test_listen_certificate(tmp_path: Path) -> None:
    """Key and certificate are read as they are; a key of another certificate, or none, is refused."""
    company = CompanyAuthority(NOW)
    (key, chain), (other_key, _) = company.certificate(), company.certificate()
    found = read_listen_certificate(settings(tmp_path, listen_key_file=key, listen_certificate_file=chain))
    assert (key.encode(), chain.encode()) == found
    for wrong_key, wrong_chain in ((other_key, chain), ("", chain), (key, ""), (key, "no certificate")):
        files = {"listen_key_file": wrong_key, "listen_certificate_file": wrong_chain}
        with pytest.raises(FailedPrecondition) as refused:
            read_listen_certificate(settings(tmp_path, **files))
        assert "LISTEN_CERTIFICATE_WRONG" == refused.value.reason
