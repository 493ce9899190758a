"""A provider's own CA, which has nothing to do with the network: signs certificates of backends and of a local API."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = x509.IPAddress(ip_address("127.0.0.1"))
HOUR = timedelta(hours=1)


class CompanyAuthority:
    """One CA, in force since an hour."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Sample company authority")
        basic = x509.BasicConstraints(ca=True, path_length=0)
        builder = self._builder(self._name, self._key, HOUR * 24).add_extension(basic, critical=True)
        self.pem = _pem(builder.sign(self._key, SHA256()))

    def certificate(
        self,
        lifetime: timedelta = HOUR,
        alternative_name: x509.GeneralName = HOST,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> tuple[str, str]:
        """Returns key and certificate in PEM of a machine of the company."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([alternative_name])
        builder = self._builder(_name("Sample backend"), key, lifetime).add_extension(names, critical=False)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return key_pem, _pem(builder.sign(self._key, SHA256()))

    def write(self, folder: Path) -> str:
        """Writes the CA's certificate into a folder; returns the file."""
        file = folder / "company-ca.pem"
        file.write_text(self.pem)
        return str(file)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(self._now - HOUR)
            .not_valid_after(self._now + lifetime)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
