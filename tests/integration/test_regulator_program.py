"""The program regulator-node as people and scripts use it: real processes, from founding to denying."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from regulator_node.__main__ import app
from shared import cli
from shared.clock import system_clock
from shared.cluster.ports import Ports
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.trust.methods import methods_at

pytestmark = pytest.mark.cluster

PROGRAM = [sys.executable, "-m", "regulator_node"]
NODE = "filingnet.regulator.v1.NetworkService"


class Network:
    """A folder with a nation and a province, each a process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ports = Ports()
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.public = {name: self.ports.take() for name in ("nation", "province")}

    def run(self, *arguments: str, code: int = 0) -> str:
        """Runs a command in a process; returns its stdout, or its stderr where it is to fail."""
        done = subprocess.run([*PROGRAM, *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert (code, arguments) == (done.returncode, arguments), done.stderr
        return done.stderr if code else done.stdout

    def call(self, *arguments: str, code: int = 0) -> str:
        """Does the same in this process, which spares its start."""
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            patch.setattr(sys, "argv", ["regulator-node", *arguments])
            patch.chdir(self.root)
            with pytest.raises(SystemExit) as caught:
                cli.run(app)
        printed, said = (_text(stream) for stream in streams)
        assert (code, arguments) == (caught.value.code or 0, arguments), said
        return said if code else printed

    def rows(self, *arguments: str) -> Any:
        """Runs a command with --json."""
        return json.loads(self.call(*arguments, "--json"))

    def init(self, name: str, *arguments: str) -> None:
        """Makes a folder."""
        listen = ("--network-listen", self.ports.take(), "--public-listen", self.public[name])
        self.run("init", "--data", name, *listen, *arguments)

    def start(self, name: str) -> dict[str, Any]:
        """Starts a node; returns its ready line."""
        log = (self.root / f"{name}.log").open("a")
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--data", name], cwd=self.root, stdout=subprocess.PIPE, stderr=log, text=True
        )
        log.close()
        self.processes[name] = process
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        return ready

    def stop(self, name: str, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Tells a node to end; returns its exit code and what else it printed on stdout."""
        process = self.processes.pop(name)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed

    def close(self) -> None:
        """Ends what still runs."""
        for process in self.processes.values():
            process.kill()
            process.communicate()
        self.ports.close()


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A nation and a province that joined by its token file, both serving."""
    made = Network(tmp_path_factory.mktemp("program"))
    try:
        made.init("nation", "--jurisdiction", "100000", "--title", "样例国家节点")
        made.start("nation")
        title = ("--title", "样例省级节点")
        made.run("token", "create", "--data", "nation", "--node", "regulator/330000", *title, "--output", "token")
        made.init("province", "--token-file", "token")
        made.start("province")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def bearer(network: Network) -> str:
    """An administrator's bearer token at the nation."""
    officer = ("--post", "review-desk-2", "--role", "administrator", "--output", "bearer")
    network.call("officer", "token", "--data", "nation", *officer)
    return (network.root / "bearer").read_text().strip()


def test_the_ready_line_says_who_listens_where(network: Network) -> None:
    """Whoever starts a node reads one JSON line; the same holds after a restart."""
    assert (0, "") == network.stop("province")
    ready = network.start("province")
    assert (True, "regulator/330000", {"network", "public", "operator"}) == (
        ready["ready"],
        ready["name"],
        set(ready["listen"]),
    )
    assert f"unix:{network.root / 'province' / 'operator.sock'}" == ready["listen"]["operator"]


def test_a_node_ends_on_ctrl_c_as_on_sigterm(network: Network) -> None:
    """Both end with code 0, and the socket is gone."""
    assert (0, "") == network.stop("province", signal.SIGINT)
    assert not (network.root / "province" / "operator.sock").exists()
    network.start("province")


def test_the_folder_is_for_its_owner_only(network: Network) -> None:
    """Nobody else reads a key, a token or the register, or reaches the operator's socket."""
    paths = [network.root / "nation", network.root / "token", *(network.root / "nation").iterdir()]
    public = [path.name for path in paths if path.stat().st_mode & 0o077]
    assert [] == public


def test_nodes_are_listed_with_their_state(network: Network) -> None:
    """Both nodes are in the directory, at either of them."""
    expected = [
        ("regulator/100000", "样例国家节点", "100000", "active"),
        ("regulator/330000", "样例省级节点", "330000", "active"),
    ]
    for name in ("nation", "province"):
        rows = network.rows("nodes", "list", "--data", name)
        assert expected == [(row["name"], row["title"], row["jurisdiction"], row["state"]) for row in rows]


def test_the_status_tells_of_the_copies(network: Network) -> None:
    """The nation's status names the province it follows; a table is printed for people."""
    replicas = network.rows("status", "--data", "nation")["replicas"]
    assert ["330000"] == [replica["jurisdiction"] for replica in replicas]
    assert "regulator/100000" in network.run("status", "--data", "nation")


def test_a_second_node_on_a_folder_is_refused(network: Network) -> None:
    """The second process says that the first has the folder, and ends with 1."""
    assert "another process uses" in network.run("serve", "--data", "nation", code=1)


def test_a_folder_is_never_made_over(network: Network) -> None:
    """init on a node's folder ends with 1 and says what to do."""
    listen = ("--network-listen", network.ports.take(), "--public-listen", network.ports.take())
    said = network.call("init", "--data", "nation", "--jurisdiction", "100000", "--title", "样例", *listen, code=1)
    assert "error: nation holds a node already: serve it, or choose another folder\n" == said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("serve", "--data", "nowhere"), 1, "nowhere holds no node"),
        (("status", "--data", "nowhere"), 3, "does not answer"),
        (("status",), 2, "--data"),
        (("serve", "--folder", "nation"), 2, "--folder"),
        (("init", "--data", "x", "--network-listen", "a:1", "--public-listen", "a:2"), 2, "--jurisdiction"),
        (("init", "--data", "x", "--network-listen", "0.0.0.0:1", "--public-listen", "a:2"), 2, "--network-endpoint"),
        (
            ("init", "--data", "x", "--token-file", "token", "--network-listen", "a b:1", "--public-listen", "a:2"),
            1,
            "correct these settings: network_listen, network_endpoint",
        ),
        (
            ("init", "--data", "x", "--token-file", "bad", "--network-listen", "a:1", "--public-listen", "a:2"),
            1,
            "token file",
        ),
        (
            ("init", "--data", "x", "--token-file", "none", "--network-listen", "a:1", "--public-listen", "a:2"),
            1,
            "none",
        ),
        (("nodes", "deny", "--data", "nation", "provider/nobody"), 1, "no node provider/nobody"),
        (
            ("token", "create", "--data", "nation", "--node", "regulator/330000", "--title", "样例", "--output", "t"),
            1,
            "joined",
        ),
        (("officer", "token", "--data", "nation", "--post", "Desk", "--role", "reader"), 1, "officer"),
        (("officer", "token", "--data", "nation", "--post", "desk", "--role", "king"), 2, "--role"),
        (("nodes", "suspend", "--data", "province", "provider/wave"), 1, "regulator/100000"),
        (("policy", "publish", "--data", "nation", "bad"), 1, "TOML"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    network: Network, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """1 refused, 2 wrong usage, 3 unreachable; stderr says why, without a traceback."""
    (network.root / "bad").write_text("no such file of ours =")
    told = network.call(*arguments, code=code)
    assert (True, False) == (said in told, "Traceback" in told or "this program has a fault" in told), told


def test_an_officer_elsewhere_uses_the_public_listener(network: Network, bearer: str) -> None:
    """With an address, the CA and a bearer file the same commands work from another machine."""
    del bearer
    remote = ("--address", network.public["nation"], "--ca", "nation/tls/ca.pem", "--bearer-file", "bearer")
    assert "regulator/100000" == network.rows("status", *remote)["name"]


def test_an_officers_certificate_is_made_without_the_key_leaving(network: Network) -> None:
    """Request, certificate, use: a post of the province signs in at the province's network listener."""
    post = ("--jurisdiction", "330000", "--post", "desk-1", "--role", "reader")
    network.call("officer", "request", *post, "--key", "desk.key", "--output", "desk.csr")
    network.call("officer", "certificate", "--data", "nation", *post, "--request", "desk.csr", "--output", "desk.pem")
    endpoint = next(
        row["endpoint"] for row in network.rows("nodes", "list", "--data", "nation") if "330000" in row["name"]
    )
    access = ("--address", endpoint, "--ca", "nation/tls/ca.pem", "--certificate", "desk.key", "desk.pem")
    assert "regulator/330000" == network.rows("status", *access, "--node", "regulator/330000")["name"]
    assert 0 == (network.root / "desk.key").stat().st_mode & 0o077


def test_the_policy_is_shown_changed_and_published(network: Network) -> None:
    """What is shown as TOML is edited and published as the next version; validate-only says what is wrong."""
    shown = network.call("policy", "show", "--data", "nation", "--toml")
    (network.root / "next.toml").write_text(shown)
    assert "version" in network.call("policy", "publish", "--data", "nation", "next.toml", "--validate-only", code=1)
    version = network.rows("policy", "show", "--data", "nation")["version"]
    following = shown.replace(f"\nversion = {version}\n", f"\nversion = {version + 1}\n", 1)
    (network.root / "next.toml").write_text(following)
    assert "still to come" in network.call(
        "policy", "publish", "--data", "nation", "next.toml", "--validate-only", code=1
    )
    soon = system_clock() + timedelta(seconds=15)
    (network.root / "next.toml").write_text(
        re.sub("(?m)^effective_time = .*$", f"effective_time = {soon:%Y-%m-%dT%H:%M:%SZ}", following)
    )
    network.call("policy", "publish", "--data", "nation", "next.toml", "--validate-only")
    network.call("policy", "publish", "--data", "nation", "next.toml")
    while network.rows("policy", "show", "--data", "nation")["version"] == version:
        assert system_clock() < soon + timedelta(seconds=30), "the policy that was published is not in force yet"


def test_the_keys_of_the_network_are_exported(network: Network) -> None:
    """The file for filing-verify holds the key of each node, as the node itself has it."""
    network.call("keys", "export", "--data", "province", "--output", "keys.json")
    ring = KeyRing.from_json((network.root / "keys.json").read_bytes())
    own = SigningKey.load(network.root / "province" / "signing.pem").verifying_key
    assert (("regulator/100000", "regulator/330000"), (own,)) == (ring.names(), ring.keys_of("regulator/330000"))


def test_the_trail_is_listed(network: Network) -> None:
    """An operator reads who asked for what, newest first, as many as wanted."""
    network.call("nodes", "list", "--data", "province")
    rows = network.rows("audit", "list", "--data", "province", "--limit", "2")
    assert [f"/{NODE}/ListAuditEntries", f"/{NODE}/ListNodes"] == [row["method"] for row in rows]


def test_a_file_that_is_there_is_not_overwritten(network: Network) -> None:
    """A token is shown once: a command that would write over a file asks for nothing and changes nothing."""
    before = (network.root / "token").read_text()
    arguments = ("--node", "regulator/440000", "--title", "样例", "--output", "token")
    assert "token is there already" in network.call("token", "create", "--data", "nation", *arguments, code=1)
    assert before == (network.root / "token").read_text()


def test_suspending_and_activating_is_seen_by_everybody(network: Network) -> None:
    """A state that the nation sets is in the answer of the nation's next call."""
    for command, state in (("suspend", "suspended"), ("deny", "denied"), ("activate", "active")):
        network.call("nodes", command, "--data", "nation", "regulator/330000")
        rows = network.rows("nodes", "list", "--data", "nation")
        assert [state] == [row["state"] for row in rows if row["name"] == "regulator/330000"]


def test_the_contracts_are_served_for_any_client(network: Network, bearer: str) -> None:
    """buf curl finds the service by reflection and calls it with the network's CA and a bearer token."""
    buf = shutil.which("buf", path=str(Path(sys.executable).parent))
    assert buf is not None
    command = [
        *(buf, "curl", "--protocol", "grpc", "--cacert", "nation/tls/ca.pem"),
        *("--header", f"authorization: Bearer {bearer}", "--data", '{"pageSize": 1}'),
        f"https://{network.public['nation']}/{NODE}/ListNodes",
    ]
    done = subprocess.run(command, cwd=network.root, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert ["regulator/100000"] == [node["name"] for node in json.loads(done.stdout)["nodes"]]


def test_reflection_lists_every_method(network: Network) -> None:
    """buf curl lists the methods of every service at the node, reflection's own two versions among them."""
    command = [
        *(str(Path(sys.executable).with_name("buf")), "curl", "--protocol", "grpc", "--cacert", "nation/tls/ca.pem"),
        *("--list-methods", f"https://{network.public['nation']}"),
    ]
    done = subprocess.run(command, cwd=network.root, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    listed, services = set(done.stdout.split()), {method.rpartition("/")[0] for method in done.stdout.split()}
    expected = {method[1:] for method in methods_at("regulator/100000") if method[1:].rpartition("/")[0] in services}
    assert expected == listed
    assert {"grpc.reflection.v1.ServerReflection", "filingnet.regulator.v1.LogService", NODE} <= services


GRANT = ("--provider", "provider/wave", "--grant", "2b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00")


def test_labels_are_searched_and_decided(network: Network) -> None:
    """An empty register says so; a decision on a grant that is none is refused with its reason, and the exit code is 1."""
    assert [] == network.rows(
        "labels", "search", "--data", "province", "--state", "asked", "--end-before", "2030-01-31"
    )
    approval = ("--outcome", "approve", "--scope", "reprint", "--end", "2030-01-31")
    said = network.run("labels", "decide", "--data", "province", *GRANT, "--revision", "1", *approval, "--json", code=1)
    assert "" == said
    history = ("labels", "history", "--data", "province", "--jurisdiction", "330000", *GRANT)
    assert "there is no such grant" in network.call(*history, code=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "--state", "stolen"), "choose one of asked"),
        (("search", "--basis", "rumour"), "choose one of news_unit"),
        (("search", "--end-before", "soon"), "write it as 2026-01-31"),
        (("decide", *GRANT, "--revision", "1", "--outcome", "forget"), "choose one of approve"),
        (("decide", *GRANT, "--revision", "1", "--outcome", "approve"), "an approval needs --scope and --end"),
        (("decide", *GRANT, "--outcome", "revoke"), "--revision"),
    ],
)
def test_wrong_options_about_labels_are_named(network: Network, arguments: tuple[str, ...], said: str) -> None:
    """Wrong usage ends with 2 and names the option's values."""
    assert said in " ".join(network.call("labels", *arguments, "--data", "province", code=2).replace("│", "").split())


def test_anybody_checks_a_label(network: Network) -> None:
    """Without credentials: an account without a label is told so, and the exit code is 1."""
    place = ("--address", network.public["province"], "--ca", "nation/tls/ca.pem", "--node", "regulator/330000")
    done = subprocess.run(
        [*PROGRAM, "public", "check-label", *place, "0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21", "--json"],
        cwd=network.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, "none") == (done.returncode, json.loads(done.stdout)[0]["standing"]), done.stderr
