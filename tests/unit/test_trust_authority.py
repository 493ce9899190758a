"""The authority certifies the key of a request and nothing else of it, for the name it was told."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import FailedPrecondition, InvalidInput
from shared.trust.authority import AUTHORITY_LIFETIME, CLOCK_SKEW, Authority, IssuedCertificate
from shared.trust.certificate_requests import certificate_request, check_certificate_request
from tests.unit.trust_samples import DAY, NATION, NOW, PROVIDER, PROVINCE, new_key


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority founded at NOW."""
    return Authority.create(tmp_path_factory.mktemp("authority"), NOW)


def leaf_of(issued: IssuedCertificate) -> x509.Certificate:
    """Reads the certificate that was issued."""
    return x509.load_pem_x509_certificate(issued.chain_pem.encode())


def request_with(names: list[x509.GeneralName], key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """Makes a request with any alternative names; with none it has no such extension."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key or new_key(), SHA256()).public_bytes(Encoding.PEM).decode()


def uri(name: str) -> x509.UniformResourceIdentifier:
    """The URI name of a node."""
    return x509.UniformResourceIdentifier(f"spiffe://filingnet/{name}")


def damaged(csr_pem: str) -> str:
    """Flips a bit of the signature, the last bytes of a request."""
    der = bytearray(x509.load_pem_x509_csr(csr_pem.encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()


def wrong_requests() -> dict[str, str]:
    """Requests for PROVINCE that must not be signed, by what is wrong with them."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    named = builder.add_extension(x509.SubjectAlternativeName([uri(PROVINCE)]), critical=False)
    edwards = named.sign(ed25519.Ed25519PrivateKey.generate(), None)
    other_curve = named.sign(ec.generate_private_key(ec.SECP384R1()), SHA256())
    good = certificate_request(PROVINCE, new_key())
    return {
        "empty": "",
        "no PEM": "a request",
        "not ASCII": good + "浙江",
        "a certificate": good.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        "too long": good + "\n" * 8192,
        "another node": certificate_request(NATION, new_key()),
        "another trust domain": request_with([x509.UniformResourceIdentifier(f"spiffe://elsewhere/{PROVINCE}")]),
        "no name": request_with([]),
        "a host only": request_with([x509.DNSName("330000.regulator.filingnet")]),
        "two names": request_with([uri(PROVINCE), uri(NATION)]),
        "the name twice": request_with([uri(PROVINCE), uri(PROVINCE)]),
        "Ed25519": edwards.public_bytes(Encoding.PEM).decode(),
        "P-384": other_curve.public_bytes(Encoding.PEM).decode(),
        "SHA-384": named.sign(new_key(), SHA384()).public_bytes(Encoding.PEM).decode(),
        "bad signature": damaged(good),
    }


@pytest.mark.parametrize("what", wrong_requests())
def test_wrong_request(authority: Authority, what: str) -> None:
    """A request that is not P-256, not signed by its key or not for exactly the node is refused, with the mend."""
    with pytest.raises(InvalidInput) as caught:
        authority.sign_request(wrong_requests()[what], PROVINCE, DAY, NOW)
    assert "CERTIFICATE_REQUEST_WRONG" == caught.value.reason
    assert ["certificate_request"] == [violation.field for violation in caught.value.violations]


def test_request_of_own_making() -> None:
    """The request that a node makes is the one that the authority checks for."""
    key = new_key()
    assert key.public_key() == check_certificate_request(certificate_request(PROVIDER, key), PROVIDER)


def test_node_certificate(authority: Authority) -> None:
    """A node's certificate names it, its pinned host and its endpoint's hosts, for clients and servers, for a while."""
    key = new_key()
    hosts = ["Gov.Example", "192.0.2.7", "2001:db8::7"]
    issued = authority.sign_request(certificate_request(PROVINCE, key), PROVINCE, DAY, NOW, hosts)
    leaf = leaf_of(issued)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["spiffe://filingnet/regulator/330000"] == names.get_values_for_type(x509.UniformResourceIdentifier)
    assert ["330000.regulator.filingnet", "gov.example"] == names.get_values_for_type(x509.DNSName)
    assert ["192.0.2.7", "2001:db8::7"] == [str(each) for each in names.get_values_for_type(x509.IPAddress)]
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} == set(usages)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert key.public_key() == leaf.public_key()
    assert (NOW - CLOCK_SKEW, NOW + DAY) == (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    assert (
        IssuedCertificate(PROVINCE, f"{leaf.serial_number:x}", issued.chain_pem, NOW + DAY, authority.authority_id)
        == issued
    )


def test_nothing_is_copied(authority: Authority) -> None:
    """What a request asks for beside its name, such as being a CA or the nation's host, is not in the certificate."""
    names: list[x509.GeneralName] = [uri(PROVINCE), x509.DNSName("100000.regulator.filingnet")]
    builder = (
        x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "asked-for")]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    csr_pem = builder.sign(new_key(), SHA256()).public_bytes(Encoding.PEM).decode()
    leaf = leaf_of(authority.sign_request(csr_pem, PROVINCE, DAY, NOW))
    hosts = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert ["330000.regulator.filingnet"] == hosts
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "CN=330000.regulator.filingnet" == leaf.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("100000.regulator.filingnet", "HOST_RESERVED"),
        ("100000.Regulator.FILINGNET", "HOST_RESERVED"),
        ("filingnet", "HOST_RESERVED"),
        ("100000.regulator.filingnet.", "HOST_WRONG"),
        ("*.example", "HOST_WRONG"),
        ("-gov.example", "HOST_WRONG"),
        ("gov..example", "HOST_WRONG"),
        ("gov.example:443", "HOST_WRONG"),
        ("", "HOST_WRONG"),
        ("a" * 64, "HOST_WRONG"),
    ],
)
def test_host_of_another(authority: Authority, host: str, reason: str) -> None:
    """No endpoint puts another node's pinned host, or no host at all, into a certificate."""
    with pytest.raises(InvalidInput) as caught:
        authority.sign_request(certificate_request(PROVINCE, new_key()), PROVINCE, DAY, NOW, [host])
    assert reason == caught.value.reason


def test_officer_certificate(authority: Authority) -> None:
    """An officer's certificate says jurisdiction, role and post, and serves no listener."""
    csr_pem = certificate_request("officer/330000/reviewer/review-desk-2", new_key())
    issued = authority.sign_officer_request(csr_pem, "330000", "reviewer", "review-desk-2", DAY, NOW)
    leaf = leaf_of(issued)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [uri("officer/330000/reviewer/review-desk-2")] == list(names)
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [ExtendedKeyUsageOID.CLIENT_AUTH] == list(usages)
    with pytest.raises(InvalidInput):
        authority.sign_officer_request(csr_pem, "330000", "administrator", "review-desk-2", DAY, NOW)


def test_longest_post(authority: Authority) -> None:
    """The longest name that an officer's post can have is certified."""
    post = "d" * 40
    csr_pem = certificate_request(f"officer/330000/administrator/{post}", new_key())
    issued = authority.sign_officer_request(csr_pem, "330000", "administrator", post, DAY, NOW)
    assert f"officer/330000/administrator/{post}" == issued.name


def test_serial_numbers_differ(authority: Authority) -> None:
    """Each certificate has a random serial number of its own, in the form of the denylist."""
    csr_pem = certificate_request(PROVINCE, new_key())
    serials = {authority.sign_request(csr_pem, PROVINCE, DAY, NOW).serial_number for _ in range(20)}
    assert 20 == len(serials)
    assert all(serial == f"{int(serial, 16):x}" and 20 < len(serial) <= 40 for serial in serials)


def test_root(authority: Authority) -> None:
    """The root signs leaves and nothing else, for ten years."""
    root = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (True, x509.BasicConstraints(ca=True, path_length=0)) == (constraints.critical, constraints.value)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (True, False, False) == (usage.key_cert_sign, usage.crl_sign, usage.digital_signature)
    assert NOW + AUTHORITY_LIFETIME == root.not_valid_after_utc == authority.expire_time
    root.verify_directly_issued_by(root)


def test_never_longer_than_the_root(authority: Authority) -> None:
    """A leaf ends with the authority at the latest, and an authority that ended signs nothing."""
    csr_pem = certificate_request(PROVINCE, new_key())
    nearly = authority.expire_time - timedelta(hours=1)
    assert authority.expire_time == authority.sign_request(csr_pem, PROVINCE, DAY, nearly).expire_time
    with pytest.raises(FailedPrecondition) as caught:
        authority.sign_request(csr_pem, PROVINCE, DAY, authority.expire_time)
    assert "AUTHORITY_EXPIRED" == caught.value.reason
    with pytest.raises(InvalidInput):
        authority.sign_request(csr_pem, PROVINCE, timedelta(0), NOW)


def test_files(tmp_path: Path) -> None:
    """The authority outlives a restart, its key is its owner's only, and it is never founded twice in one folder."""
    founded = Authority.create(tmp_path, NOW)
    assert 0o600 == (tmp_path / "authority.key").stat().st_mode & 0o777
    assert {"authority.key", "authority.pem"} == {path.name for path in tmp_path.iterdir()}
    assert founded.certificate_pem == Authority.load(tmp_path).certificate_pem
    with pytest.raises(FailedPrecondition) as caught:
        Authority.create(tmp_path, NOW)
    assert "AUTHORITY_EXISTS" == caught.value.reason
    issued = Authority.load(tmp_path).sign_request(certificate_request(PROVINCE, new_key()), PROVINCE, DAY, NOW)
    root = x509.load_pem_x509_certificate(founded.certificate_pem.encode())
    leaf_of(issued).verify_directly_issued_by(root)


def test_foundation_after_a_crash(tmp_path: Path) -> None:
    """A foundation that stopped between its two files is finished with the key that is there."""
    Authority.create(tmp_path, NOW)
    key_pem = (tmp_path / "authority.key").read_bytes()
    (tmp_path / "authority.pem").unlink()
    Authority.create(tmp_path, NOW)
    assert key_pem == (tmp_path / "authority.key").read_bytes()
    Authority.load(tmp_path)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_open_key_file(tmp_path: Path, mode: int) -> None:
    """A key that everyone can read or write is refused, with the command that mends it."""
    Authority.create(tmp_path, NOW)
    (tmp_path / "authority.key").chmod(mode)
    with pytest.raises(FailedPrecondition, match="chmod 600") as caught:
        Authority.load(tmp_path)
    assert "KEY_FILE_OPEN" == caught.value.reason


@pytest.mark.parametrize("name", ["authority.key", "authority.pem"])
@pytest.mark.parametrize("damage", ["missing", "cut", "of another"])
def test_damaged_files(tmp_path: Path, name: str, damage: str) -> None:
    """An authority whose key and certificate do not belong together does not start."""
    Authority.create(tmp_path, NOW)
    path, other = tmp_path / name, tmp_path / "other"
    other.mkdir()
    Authority.create(other, NOW)
    content = {"cut": path.read_bytes()[:100], "of another": (other / name).read_bytes()}.get(damage)
    path.unlink()
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    with pytest.raises(FailedPrecondition):
        Authority.load(tmp_path)


def test_no_secret_in_text(authority: Authority) -> None:
    """An authority in a log or an error shows no key."""
    assert "Authority(until 2036-03-01)" == repr(authority)
