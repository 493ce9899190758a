"""A node's certificate is never lost, never mixed up, and renewed for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import FailedPrecondition, InvalidInput, Unavailable
from shared.trust.authority import Authority
from shared.trust.certificate_requests import certificate_request
from shared.trust.credentials import (
    LONGEST_RETRY_SECONDS,
    LONGEST_WAIT_SECONDS,
    SHORTEST_WAIT_SECONDS,
    SPREAD_SECONDS,
    Credentials,
)
from tests.unit.trust_samples import DAY, NOW, OTHER_PROVINCE, PROVINCE, SampleNetwork, SetClock

Renew = Callable[[str], Awaitable[str]]


@pytest.fixture
def network(tmp_path: Path) -> SampleNetwork:
    """A network with an authority."""
    return SampleNetwork(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the node keeps its credentials."""
    return tmp_path / "tls"


@pytest.fixture
def credentials(network: SampleNetwork, folder: Path) -> Credentials:
    """The credentials of a node that joined, for a day."""
    return network.credentials(folder, PROVINCE)


def second_authority(network: SampleNetwork) -> Authority:
    """Another authority."""
    (network.folder / "second").mkdir()
    return Authority.create(network.folder / "second", network.now)


def state(credentials: Credentials) -> tuple[str, str, str, bool]:
    """What is held: enough to see that two are the same."""
    key = credentials.tls_key.public_key().public_numbers()
    return credentials.name, str(key), credentials.ca_pem, credentials.certified


def test_before_joining(folder: Path) -> None:
    """The key is there before the certificate and outlives a restart, so that a lost answer can be asked for again."""
    folder.mkdir()
    made = Credentials.create(folder, PROVINCE)
    again = Credentials.load(folder)
    assert state(made) == state(again)
    assert not again.certified
    for use in (
        lambda: again.expire_time,
        lambda: again.server_credentials(require_client=True),
        again.channel_credentials,
        again.renewal_time,
    ):
        with pytest.raises(FailedPrecondition) as caught:
            use()
        assert "NOT_JOINED" == caught.value.reason
    with pytest.raises(FailedPrecondition) as caught:
        Credentials.create(folder, PROVINCE)
    assert "CREDENTIALS_EXIST" == caught.value.reason


def test_restart(credentials: Credentials, folder: Path) -> None:
    """What was installed is what a restart finds, in files of which the one with the key is its owner's only."""
    again = Credentials.load(folder)
    assert state(credentials) == state(again)
    assert (NOW + DAY, True) == (again.expire_time, again.certified)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert {"tls.pem": 0o600, "ca.pem": 0o644} == modes


def test_version_grows(credentials: Credentials, network: SampleNetwork) -> None:
    """Whoever holds a channel sees that certificate or CA set were replaced, and is not disturbed for nothing."""
    seen = [credentials.version]
    credentials.trust([network.authority.certificate_pem])
    seen.append(credentials.version)
    credentials.trust([network.authority.certificate_pem, second_authority(network).certificate_pem])
    seen.append(credentials.version)
    issued = network.authority.sign_request(credentials.certificate_request(), PROVINCE, DAY, NOW)
    credentials.install(issued.chain_pem, [network.authority.certificate_pem])
    seen.append(credentials.version)
    assert [0, 0, 1, 2] == [version - seen[0] for version in seen]


def test_wrong_certificate(credentials: Credentials, network: SampleNetwork, folder: Path) -> None:
    """A certificate for another key or node, by an unknown CA or unreadable is refused, and what was held stays."""
    root, other = network.authority.certificate_pem, second_authority(network)
    own = credentials.certificate_request()
    other_name = certificate_request(OTHER_PROVINCE, credentials.tls_key)
    wrong = [
        (network.certificate(PROVINCE).chain_pem, [root]),
        (network.authority.sign_request(other_name, OTHER_PROVINCE, DAY, NOW).chain_pem, [root]),
        (other.sign_request(own, PROVINCE, DAY, NOW).chain_pem, [root]),
        (network.authority.sign_request(own, PROVINCE, DAY, NOW).chain_pem, []),
        (root, [root]),
        ("", [root]),
        ("浙江", [root]),
    ]
    before = (folder / "tls.pem").read_bytes(), (folder / "ca.pem").read_bytes()
    for chain_pem, ca_pems in wrong:
        with pytest.raises(InvalidInput) as caught:
            credentials.install(chain_pem, ca_pems)
        assert "CERTIFICATE_WRONG" == caught.value.reason
    for ca_pems in ([], ["no certificate"]):
        with pytest.raises(InvalidInput):
            credentials.trust(ca_pems)
    assert before == ((folder / "tls.pem").read_bytes(), (folder / "ca.pem").read_bytes())
    assert 2 == credentials.version


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602])
def test_open_key_file(credentials: Credentials, folder: Path, mode: int) -> None:
    """A key that everyone can read or write is refused, with the command that mends it."""
    assert credentials.certified
    (folder / "tls.pem").chmod(mode)
    with pytest.raises(FailedPrecondition, match="chmod 600") as caught:
        Credentials.load(folder)
    assert "KEY_FILE_OPEN" == caught.value.reason


@pytest.mark.parametrize("damage", ["no key file", "no CA file", "cut", "empty", "renamed", "key of another"])
def test_damaged_files(credentials: Credentials, network: SampleNetwork, folder: Path, damage: str) -> None:
    """Files that do not belong together are refused at the start and not at the first handshake."""
    path, text = folder / "tls.pem", (folder / "tls.pem").read_bytes()
    other = network.credentials(folder.parent / "other", PROVINCE)
    key, other_key = (
        each.split(b"-----BEGIN CERTIFICATE")[0] for each in (text, (folder.parent / "other" / "tls.pem").read_bytes())
    )
    assert other.certified
    assert credentials.certified
    if damage.startswith("no "):
        (path if damage == "no key file" else folder / "ca.pem").unlink()
    else:
        path.write_bytes(
            {
                "cut": text[: len(text) // 2],
                "empty": b"",
                "renamed": text.replace(b"330000", b"440000", 1),
                "key of another": text.replace(key, other_key),
            }[damage]
        )
    with pytest.raises(FailedPrecondition):
        Credentials.load(folder)


def test_no_secret_in_text(credentials: Credentials) -> None:
    """Credentials in a log or an error show no key."""
    assert "Credentials(regulator/330000)" == repr(credentials)
    assert "PRIVATE" not in str(vars(credentials))


def names_in(folder: Path) -> list[str]:
    """The names of all files in a folder."""
    return sorted(path.name for path in folder.iterdir())


class Renewals:
    """A nation that renews, and a wait that moves the clock; ends after so many renewals."""

    def __init__(self, network: SampleNetwork, credentials: Credentials, wanted: int) -> None:
        self.clock = SetClock(network.now)
        self.waits: list[float] = []
        self.times: list[timedelta] = []
        self.failures: list[Exception] = []
        self._network = network
        self._credentials = credentials
        self._wanted = wanted

    async def renew(self, csr_pem: str) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.times.append(self.clock.now - NOW)
        return self._network.authority.sign_request(csr_pem, PROVINCE, DAY, self.clock.now).chain_pem

    async def wait(self, seconds: float) -> None:
        if self._credentials.version - 2 >= self._wanted:
            raise asyncio.CancelledError
        self.waits.append(seconds)
        self.clock.now += timedelta(seconds=seconds)

    async def run(self, drawn: float = 0.5, renew: Renew | None = None) -> None:
        """Renews until there were as many renewals as wanted."""
        with pytest.raises(asyncio.CancelledError):
            await self._credentials.renew_for_ever(
                renew or self.renew, self.clock, wait=self.wait, fraction=lambda: drawn
            )


async def test_renewed_at_two_thirds(credentials: Credentials, network: SampleNetwork, folder: Path) -> None:
    """The certificate is renewed each time two thirds of its life are over, by a new key, and stored."""
    before = state(credentials)
    renewals = Renewals(network, credentials, wanted=3)
    await renewals.run()
    rests = timedelta(seconds=SHORTEST_WAIT_SECONDS)
    assert [timedelta(hours=16), timedelta(hours=32), timedelta(hours=48)] == renewals.times
    assert NOW + timedelta(hours=48) + DAY == credentials.expire_time
    assert max(renewals.waits) <= LONGEST_WAIT_SECONDS
    assert before[1] != state(credentials)[1]
    assert state(credentials) == state(Credentials.load(folder))
    assert 2 == renewals.waits.count(rests.total_seconds())


@pytest.mark.parametrize(("drawn", "share"), [(0.0, 2 / 3 - 0.05), (1.0, 2 / 3 + 0.05)])
def test_jitter(credentials: Credentials, drawn: float, share: float) -> None:
    """Nodes that joined together renew at different times, all well before the end."""
    assert abs(credentials.renewal_time(drawn) - (NOW + DAY * share)) < timedelta(seconds=1)


async def test_never_gives_up(credentials: Credentials, network: SampleNetwork) -> None:
    """Whatever goes wrong, renewal is tried again, sooner at first and later at least once a minute."""
    renewals = Renewals(network, credentials, wanted=1)
    failures = [Unavailable("away", "AWAY"), OSError("disk full"), RuntimeError("a bug"), TimeoutError()]
    renewals.failures = failures * 5
    await renewals.run(drawn=1.0)
    retries = renewals.waits[-20:]
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *[LONGEST_RETRY_SECONDS] * 14] == retries
    assert 1 == len(renewals.times)


async def test_wrong_answer_is_not_taken(credentials: Credentials, network: SampleNetwork) -> None:
    """A renewal that answers with a certificate for another key changes nothing and is tried again."""
    renewals = Renewals(network, credentials, wanted=1)
    answers = [network.certificate(PROVINCE).chain_pem, "", "no certificate"]

    async def renew(csr_pem: str) -> str:
        return answers.pop() if answers else await renewals.renew(csr_pem)

    await renewals.run(renew=renew)
    assert (1, 3) == (len(renewals.times), credentials.version)


async def test_full_disk(credentials: Credentials, network: SampleNetwork, folder: Path) -> None:
    """A renewal that cannot be stored is not used; what was held stays on disk and in use."""
    before = state(credentials)
    (folder / "ca.pem").unlink()
    (folder / "ca.pem").mkdir()
    renewals = Renewals(network, credentials, wanted=1)

    async def renew(csr_pem: str) -> str:
        if len(renewals.times) == 2:
            (folder / "ca.pem").rmdir()
        return await renewals.renew(csr_pem)

    held = []

    async def wait(seconds: float) -> None:
        held.append(state(credentials))
        await renewals.wait(seconds)

    with pytest.raises(asyncio.CancelledError):
        await credentials.renew_for_ever(renew, renewals.clock, wait=wait, fraction=lambda: 0.5)
    assert {before} == set(held[:-1])
    assert 3 == len(renewals.times)
    assert state(credentials) == state(Credentials.load(folder))
    assert ["ca.pem", "tls.pem"] == names_in(folder)


async def test_overdue(credentials: Credentials, network: SampleNetwork) -> None:
    """A node that was off until after its certificate's end asks at once."""
    renewals = Renewals(network, credentials, wanted=1)
    renewals.clock.now = NOW + 10 * DAY
    await renewals.run()
    assert ([10 * DAY], []) == (renewals.times, renewals.waits)


async def test_a_certificate_of_a_clock_that_was_ahead_is_renewed_at_once(
    credentials: Credentials, network: SampleNetwork
) -> None:
    """A certificate that holds from a year ahead on, issued by a clock that was set back since, is not waited for."""
    renewals = Renewals(network, credentials, wanted=1)
    renewals.clock.now = NOW - 365 * DAY
    await renewals.run()
    assert ([-365 * DAY], []) == (renewals.times, renewals.waits)


async def test_clock_set_forward(credentials: Credentials, network: SampleNetwork) -> None:
    """A clock that is set forward while the node waits is seen within an hour."""
    renewals = Renewals(network, credentials, wanted=1)

    async def wait(seconds: float) -> None:
        await renewals.wait(seconds)
        if len(renewals.waits) == 1:
            renewals.clock.now += timedelta(hours=20)

    with pytest.raises(asyncio.CancelledError):
        await credentials.renew_for_ever(renewals.renew, renewals.clock, wait=wait, fraction=lambda: 0.5)
    assert [timedelta(hours=21)] == renewals.times


async def test_renewal_keeps_newer_cas(credentials: Credentials, network: SampleNetwork, folder: Path) -> None:
    """A CA that became trusted while a renewal was under way is not lost to it."""
    renewals = Renewals(network, credentials, wanted=2)
    both = [network.authority.certificate_pem, second_authority(network).certificate_pem]

    async def renew(csr_pem: str) -> str:
        credentials.trust(both)
        return await renewals.renew(csr_pem)

    await renewals.run(renew=renew)
    assert "".join(both) == credentials.ca_pem == Credentials.load(folder).ca_pem


def test_request_names_the_node(folder: Path) -> None:
    """No credentials are made for what is no name."""
    folder.mkdir()
    with pytest.raises(InvalidInput):
        Credentials.create(folder, "provider/Wave")
    assert [] == list(folder.iterdir())


async def test_another_ca_signs(credentials: Credentials, network: SampleNetwork) -> None:
    """Promise 7: a node that hears that another CA signs renews though its certificate is new, with the next CA's."""
    first, second = network.authority, second_authority(network)
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def renew(csr_pem: str) -> str:
        await asked.put(csr_pem)
        return second.sign_request(csr_pem, PROVINCE, DAY, NOW).chain_pem

    ticket = credentials.renewed.ticket()
    renewing = asyncio.create_task(credentials.renew_for_ever(renew, SetClock(NOW), fraction=lambda: 0.0))
    for cas in ([second, first], [first, second]):
        await asyncio.sleep(0)
        assert asked.empty()
        credentials.trust([ca.certificate_pem for ca in cas])
    await asked.get()
    assert await credentials.renewed.wait(ticket, 20)
    assert credentials.is_signed_by(second.certificate_pem)
    renewing.cancel()


async def test_the_ca_before_signs_all_the_same(credentials: Credentials, network: SampleNetwork) -> None:
    """A nation that answers with the CA before is asked once, within a minute, and not again until the regular time."""
    renewals = Renewals(network, credentials, wanted=2)
    credentials.trust([network.authority.certificate_pem, second_authority(network).certificate_pem])
    renewals._wanted += 1
    await renewals.run()
    assert SPREAD_SECONDS / 2 == renewals.waits[0]
    regular = timedelta(seconds=SPREAD_SECONDS / 2) + DAY * 2 / 3
    assert [timedelta(seconds=SPREAD_SECONDS / 2), regular] == renewals.times
