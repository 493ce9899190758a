"""Who calls is told anew at each call: what has ended, is denied or is unknown is out at once, whatever the channel."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from shared.errors import FilingnetError, PermissionDenied, Unauthenticated, Unavailable
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.authentication import Authenticator
from shared.trust.authority import Authority, IssuedCertificate
from shared.trust.callers import Caller, Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.tokens import make_bearer, token_hash
from tests.unit.company_authority import CompanyAuthority
from tests.unit.trust_samples import (
    DAY,
    NATION,
    NOW,
    OTHER_PROVINCE,
    PROVIDER,
    PROVINCE,
    SampleNetwork,
    SetClock,
    new_key,
)


class Call:
    """What a transport tells of one call."""

    def __init__(self, peer: str = "ipv4:192.0.2.7:40000", certificate: bytes | None = None) -> None:
        self._peer = peer
        self._certificate = certificate

    def peer(self) -> str:
        return self._peer

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {} if self._certificate is None else {"x509_pem_cert": [self._certificate]}


class Node:
    """A regulator of 330000 that tells its callers."""

    def __init__(self, folder: Path) -> None:
        self.network = SampleNetwork(folder)
        self.clock = SetClock(NOW)
        self.officers: dict[str, Caller] = {}
        self.authenticator = self.serving()

    def serving(self, jurisdiction: str = "330000") -> Authenticator:
        """The same node in another jurisdiction."""
        return Authenticator(
            directory=lambda: self.network.directory,
            clock=self.clock,
            jurisdiction=jurisdiction,
            local_role=Role.OPERATOR,
            officer_tokens=self.officer,
        )

    async def officer(self, token: str) -> Caller | None:
        return self.officers.get(token)

    async def caller(self, issued: IssuedCertificate, authenticator: Authenticator | None = None) -> Caller:
        """Tells who calls with a certificate."""
        return await (authenticator or self.authenticator).caller(Call(certificate=issued.chain_pem.encode()), ())

    async def refusal(self, issued: IssuedCertificate) -> FilingnetError:
        """Tells why a certificate is refused."""
        with pytest.raises(FilingnetError) as caught:
            await self.caller(issued)
        return caught.value

    async def bearer(self, *values: str) -> Caller:
        """Tells who calls with authorization metadata."""
        return await self.authenticator.caller(Call(), [("authorization", value) for value in values])


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A regulator of 330000."""
    return Node(tmp_path)


@pytest.mark.parametrize(
    ("name", "role", "jurisdiction"),
    [
        (NATION, Role.NATION, "100000"),
        (OTHER_PROVINCE, Role.PROVINCE, "440000"),
        (PROVIDER, Role.PROVIDER, "330000"),
    ],
)
async def test_node(node: Node, name: str, role: Role, jurisdiction: str) -> None:
    """A node is its certificate's name with the directory's role and jurisdiction."""
    issued = node.network.certificate(name)
    active = directory_pb2.NODE_STATE_ACTIVE
    issuer = node.network.authority.certificate_pem
    expected = Caller(name, role, jurisdiction, issued.serial_number, issued.expire_time, active, issuer)
    assert expected == await node.caller(issued)


async def test_jurisdiction_follows_the_directory(node: Node) -> None:
    """A provider that moved is in its new jurisdiction at its next call, with the certificate it had."""
    issued = node.network.certificate(PROVIDER)
    await node.caller(issued)
    next(each for each in node.network.message.nodes if each.name == PROVIDER).jurisdiction = "440000"
    node.network.change()
    assert "440000" == (await node.caller(issued)).jurisdiction


async def test_expired(node: Node) -> None:
    """A certificate is good until the second it ends and not after."""
    issued = node.network.certificate(PROVIDER)
    node.clock.now = issued.expire_time - timedelta(microseconds=1)
    caller = await node.caller(issued)
    node.clock.now = issued.expire_time
    error = await node.refusal(issued)
    assert (Unauthenticated, "CERTIFICATE_EXPIRED") == (type(error), error.reason)
    with pytest.raises(Unauthenticated):
        node.authenticator.recheck(caller)


async def test_denied_certificate(node: Node) -> None:
    """A denied certificate is out at the next call and in the middle of a long one; another of the same node is not."""
    stolen, renewed = node.network.certificate(PROVIDER), node.network.certificate(PROVIDER)
    caller = await node.caller(stolen)
    node.network.deny(stolen.serial_number)
    error = await node.refusal(stolen)
    assert (PermissionDenied, "CERTIFICATE_DENIED") == (type(error), error.reason)
    with pytest.raises(PermissionDenied):
        node.authenticator.recheck(caller)
    assert PROVIDER == (await node.caller(renewed)).name


@pytest.mark.parametrize("name", [PROVIDER, OTHER_PROVINCE])
async def test_denied_node(node: Node, name: str) -> None:
    """A denied node is out with every certificate, until it is active again."""
    issued = node.network.certificate(name)
    caller = await node.caller(issued)
    node.network.set_state(name, directory_pb2.NODE_STATE_DENIED)
    error = await node.refusal(issued)
    assert (PermissionDenied, "NODE_DENIED") == (type(error), error.reason)
    with pytest.raises(PermissionDenied):
        node.authenticator.recheck(caller)
    node.network.set_state(name, directory_pb2.NODE_STATE_ACTIVE)
    assert caller == await node.caller(issued)


async def test_suspended_node(node: Node) -> None:
    """A suspended node is still known, as suspended."""
    issued = node.network.certificate(PROVIDER)
    caller = await node.caller(issued)
    node.network.set_state(PROVIDER, directory_pb2.NODE_STATE_SUSPENDED)
    suspended = directory_pb2.NODE_STATE_SUSPENDED
    assert [suspended, suspended] == [(await node.caller(issued)).state, node.authenticator.recheck(caller).state]


async def test_unknown_node(node: Node) -> None:
    """A good certificate of a node that the directory does not list opens nothing."""
    error = await node.refusal(node.network.certificate("provider/wind"))
    assert (PermissionDenied, "NODE_UNKNOWN") == (type(error), error.reason)


async def test_foreign_certificate(node: Node, tmp_path: Path) -> None:
    """A certificate by another authority, or by one that the directory no longer lists, opens nothing, and a long call
    begun with it ends."""
    (tmp_path / "other").mkdir()
    other = Authority.create(tmp_path / "other", NOW)
    issued = other.sign_request(certificate_request(PROVIDER, new_key()), PROVIDER, DAY, NOW)
    error = await node.refusal(issued)
    assert (Unauthenticated, "CERTIFICATE_WRONG") == (type(error), error.reason)
    node.network.message.ca_certificates.append(other.certificate_pem)
    node.network.change()
    assert PROVIDER == (await node.caller(issued)).name
    before = node.network.certificate(PROVIDER)
    caller = await node.caller(before)
    assert caller == node.authenticator.recheck(caller)
    del node.network.message.ca_certificates[0]
    node.network.change()
    assert "CERTIFICATE_WRONG" == (await node.refusal(before)).reason
    with pytest.raises(Unauthenticated) as caught:
        node.authenticator.recheck(caller)
    assert "CERTIFICATE_WRONG" == caught.value.reason


@pytest.mark.parametrize("certificate", [b"", b"no certificate"])
async def test_unreadable_certificate(node: Node, certificate: bytes) -> None:
    """What cannot be read as a certificate is refused, and never becomes a caller without credentials."""
    with pytest.raises(Unauthenticated) as caught:
        await node.authenticator.caller(Call(certificate=certificate), ())
    assert "CERTIFICATE_WRONG" == caught.value.reason


async def test_certificate_without_a_name(node: Node) -> None:
    """The authority's own certificate, which names nobody, is no caller."""
    own = IssuedCertificate("", "", node.network.authority.certificate_pem, NOW, "")
    assert "CERTIFICATE_WRONG" == (await node.refusal(own)).reason


async def test_before_joining(node: Node) -> None:
    """A node without a directory knows nobody by a certificate."""
    issued = node.network.certificate(NATION)
    node.network.directory = None
    with pytest.raises(Unavailable) as caught:
        await node.caller(issued)
    assert "DIRECTORY_MISSING" == caught.value.reason


@pytest.mark.parametrize("role", ["reader", "reviewer", "administrator"])
async def test_officer(node: Node, role: str) -> None:
    """An officer has the role and the jurisdiction of its certificate, at the regulator of that jurisdiction only."""
    issued = node.network.officer_certificate("330000", role)
    caller = await node.caller(issued)
    name = f"officer/330000/{role}/review-desk-2"
    issuer = node.network.authority.certificate_pem
    assert Caller(name, Role(role), "330000", issued.serial_number, issued.expire_time, issuer=issuer) == caller
    assert caller == node.authenticator.recheck(caller)
    for elsewhere in ("440000", "100000"):
        with pytest.raises(PermissionDenied) as caught:
            await node.caller(issued, node.serving(elsewhere))
        assert "OFFICER_ELSEWHERE" == caught.value.reason


async def test_national_officer(node: Node) -> None:
    """A national officer calls the nation's node and no province's."""
    issued = node.network.officer_certificate("100000", "administrator")
    assert Role.ADMINISTRATOR == (await node.caller(issued, node.serving("100000"))).role
    assert "OFFICER_ELSEWHERE" == (await node.refusal(issued)).reason


async def test_officer_ends_and_is_denied(node: Node) -> None:
    """An officer's certificate ends and is denied like a node's."""
    ended, withdrawn = (node.network.officer_certificate("330000", "reader") for _ in range(2))
    node.network.deny(withdrawn.serial_number)
    assert "CERTIFICATE_DENIED" == (await node.refusal(withdrawn)).reason
    node.clock.now = ended.expire_time
    assert "CERTIFICATE_EXPIRED" == (await node.refusal(ended)).reason


@pytest.mark.parametrize("peer", ["unix:", "unix:/run/filingnet/operator.sock"])
async def test_local(node: Node, peer: str) -> None:
    """Whoever reaches the node's own Unix socket is its operator."""
    caller = await node.authenticator.caller(Call(peer), ())
    assert Caller("operator", Role.OPERATOR, "330000") == caller == node.authenticator.recheck(caller)


@pytest.mark.parametrize("peer", ["unix-abstract:operator", "ipv4:127.0.0.1:1", "ipv6:%5B::1%5D:1", "vsock:1:2", ""])
async def test_not_local(node: Node, peer: str) -> None:
    """Nobody else is, also not from the same machine."""
    assert Caller("anyone", Role.ANYONE, "") == await node.authenticator.caller(Call(peer), ())


async def test_local_without_a_role(node: Node) -> None:
    """Where no local role is given, a Unix socket makes nobody an operator; and no other role can be given."""
    plain = Authenticator(directory=lambda: None, clock=node.clock, jurisdiction="330000")
    assert Role.ANYONE == (await plain.caller(Call("unix:"), ())).role
    with pytest.raises(ValueError, match="local caller"):
        Authenticator(directory=lambda: None, clock=node.clock, jurisdiction="330000", local_role=Role.NATION)


async def test_bearer(node: Node) -> None:
    """A bearer token makes its officer the caller until it ends, also in the middle of a long call."""
    token, _ = make_bearer()
    officer = Caller("officer/330000/reader/desk", Role.READER, "330000", expire_time=NOW + DAY)
    node.officers[token] = officer
    assert [officer, officer] == [await node.bearer(f"Bearer {token}"), await node.bearer(f"bearer {token}")]
    node.clock.now = NOW + DAY
    with pytest.raises(Unauthenticated) as caught:
        await node.bearer(f"Bearer {token}")
    assert "TOKEN_EXPIRED" == caught.value.reason
    with pytest.raises(Unauthenticated):
        node.authenticator.recheck(officer)


async def test_wrong_bearer(node: Node) -> None:
    """Credentials that do not hold are refused and never ignored; the answer does not repeat them."""
    token, other = make_bearer()[0], make_bearer()[0]
    node.officers[token] = Caller("officer/330000/reader/desk", Role.READER, "330000")
    wrong = [
        (f"Bearer {other}",),
        ("Bearer",),
        ("Bearer ",),
        ("",),
        (token,),
        (f"Basic {token}",),
        (f"Bearer  {token}",),
        (f"Bearer {token} ",),
        (f"Bearer {token}x",),
        (f"Bearer {token}", f"Bearer {other}"),
    ]
    for values in wrong:
        with pytest.raises(Unauthenticated) as caught:
            await node.bearer(*values)
        assert "TOKEN_INVALID" == caught.value.reason
        assert other not in str(caught.value)


async def test_certificate_before_bearer(node: Node) -> None:
    """A denied certificate is not mended by a token that would hold."""
    token, _ = make_bearer()
    node.officers[token] = Caller("officer/330000/reader/desk", Role.READER, "330000")
    issued = node.network.certificate(PROVINCE)
    node.network.deny(issued.serial_number)
    with pytest.raises(PermissionDenied):
        await node.authenticator.caller(
            Call(certificate=issued.chain_pem.encode()), [("authorization", f"Bearer {token}")]
        )


async def test_backend(node: Node) -> None:
    """A provider's backend is known by its socket, or elsewhere by its token; officers' tokens are nothing there."""
    token, digest = make_bearer()
    provider = Authenticator(
        directory=lambda: None,
        clock=node.clock,
        jurisdiction="330000",
        local_role=Role.BACKEND,
        backend_token=digest,
    )
    backend = Caller("backend", Role.BACKEND, "330000")
    assert token_hash(token) == digest
    assert backend == await provider.caller(Call("unix:"), ())
    assert backend == await provider.caller(Call(), [("authorization", f"Bearer {token}")])
    assert Role.ANYONE == (await provider.caller(Call(), [("other", token)])).role
    with pytest.raises(Unauthenticated):
        await provider.caller(Call(), [("authorization", f"Bearer {make_bearer()[0]}")])


def backend_node(node: Node, backend_ca: str) -> Authenticator:
    """A provider of the same network that knows its backends by a CA."""
    return Authenticator(
        directory=lambda: node.network.directory,
        clock=node.clock,
        jurisdiction="330000",
        local_role=Role.BACKEND,
        backend_ca=backend_ca,
    )


async def test_backend_by_certificate(node: Node) -> None:
    """A certificate of the provider's own CA is its backend's until it ends, also in the middle of a long call."""
    other, company = CompanyAuthority(NOW), CompanyAuthority(NOW)
    provider = backend_node(node, other.pem + company.pem)
    _, chain = company.certificate(DAY)
    caller = await provider.caller(Call(certificate=chain.encode()), ())
    assert (Role.BACKEND, "330000", NOW + DAY) == (caller.role, caller.jurisdiction, caller.expire_time)
    assert caller == provider.recheck(caller)
    node.clock.now = NOW + DAY
    with pytest.raises(Unauthenticated) as ended:
        await provider.caller(Call(certificate=chain.encode()), ())
    with pytest.raises(Unauthenticated) as ended_since:
        provider.recheck(caller)
    assert ["CERTIFICATE_EXPIRED"] * 2 == [ended.value.reason, ended_since.value.reason]


async def test_no_backend_by_another_certificate(node: Node) -> None:
    """One of another CA is no backend's, nor what cannot be read; a token beside it mends nothing."""
    token, digest = make_bearer()
    provider = backend_node(node, CompanyAuthority(NOW).pem)
    assert digest == token_hash(token)
    for wrong in (CompanyAuthority(NOW).certificate()[1].encode(), b"no certificate", b""):
        with pytest.raises(Unauthenticated) as refused:
            await provider.caller(Call(certificate=wrong), [("authorization", f"Bearer {token}")])
        assert "CERTIFICATE_WRONG" == refused.value.reason


async def test_the_network_is_never_a_backend(node: Node) -> None:
    """A node's or an officer's certificate is refused, also where the provider names the network's CA by mistake."""
    issued = [node.network.certificate(PROVIDER), node.network.officer_certificate("330000", "administrator")]
    for ca in (CompanyAuthority(NOW).pem, node.network.authority.certificate_pem):
        provider = backend_node(node, ca)
        for each in issued:
            with pytest.raises((Unauthenticated, PermissionDenied)):
                await provider.caller(Call(certificate=each.chain_pem.encode()), ())


async def test_the_name_of_a_node_is_never_a_backends(node: Node) -> None:
    """The provider's own CA cannot make a backend of what is named as a node is; nor the network's, of who is not."""
    company = CompanyAuthority(NOW)
    _, named = company.certificate(DAY, x509.UniformResourceIdentifier("spiffe://filingnet/provider/wave"))
    _, unnamed = company.certificate(DAY, x509.UniformResourceIdentifier("spiffe://company/backend"))
    provider = backend_node(node, company.pem)
    assert Role.BACKEND == (await provider.caller(Call(certificate=unnamed.encode()), ())).role
    with pytest.raises(PermissionDenied) as refused:
        await provider.caller(Call(certificate=named.encode()), ())
    node.network.message.ca_certificates.append(company.pem)
    node.network.change()
    with pytest.raises(PermissionDenied) as refused_since:
        await provider.caller(Call(certificate=unnamed.encode()), ())
    assert ["CERTIFICATE_OF_NETWORK"] * 2 == [refused.value.reason, refused_since.value.reason]
