"""The program provider-node: joins, serves, is asked, is refused plainly, and stops; each as a real process."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest
import typer.testing

from provider_node.__main__ import app
from provider_node.master_key import add_master_key_version
from provider_node.settings import ProviderSettings
from shared import cli
from shared.client.provider import AgreementSignature, ProviderClient
from shared.clock import system_clock
from shared.cluster.made_up import person
from shared.cluster.ports import Ports
from shared.cluster.process import Command, NodeProcess
from shared.database import Transaction
from shared.errors import FilingnetError
from tests.integration.provider_samples import (
    MadeUpNetwork,
    database_of,
    files_with,
    joined_folder,
    planted_person,
    serving,
)
from tests.integration.regulators import (
    PROVIDER,
    Running,
    made_up_licence,
    token_for,
)
from tests.unit.company_authority import CompanyAuthority


async def run(*arguments: str) -> tuple[int, str]:
    """Runs a command in this process; returns its exit code and all that it said."""

    def invoke() -> tuple[int, str]:
        result = typer.testing.CliRunner().invoke(app, list(arguments))
        if isinstance(result.exception, FilingnetError | OSError):
            return cli.report(result.exception), f"{result.output}error: {result.exception}"
        return result.exit_code, result.output

    return await asyncio.to_thread(invoke)


async def run_alone(*arguments: str) -> tuple[int, str]:
    """Runs a command as a process, beside a node that is served in this one; returns its exit code and its stdout."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "provider_node", *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def run_refused(*arguments: str) -> tuple[int, str]:
    """Runs a command as a process that is to be refused; returns its exit code and its stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "provider_node", *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return process.returncode or 0, " ".join(said.decode().split())


async def token_file(nation: Running, folder: Path, name: str = PROVIDER) -> Path:
    """A token file for a provider."""
    file = folder / f"{name.replace('/', '-')}.token"
    file.write_text(await token_for(nation, name, jurisdiction="100000", licence=made_up_licence()))
    return file


async def test_init_joins_and_is_not_done_twice(nation: Running, tmp_path: Path) -> None:
    """A folder joins with its token; a second init says that it holds a node and changes nothing."""
    arguments = ("init", "--data", str(tmp_path / "wave"), "--token-file", str(await token_file(nation, tmp_path)))
    code, said = await run(*arguments)
    assert (0, True) == (code, "is ready" in said)
    settings = ProviderSettings.load(tmp_path / "wave")
    assert (PROVIDER, "100000") == (settings.name, settings.jurisdiction)
    assert [] == [
        path
        for path in ("signing.pem", "master.key", "tls/tls.pem", "node.toml")
        if (settings.folder / path).stat().st_mode & 0o077
    ]
    before = (settings.folder / "signing.pem").read_bytes()
    code, said = await run(*arguments)
    assert (1, True, before) == (code, "holds a node already" in said, (settings.folder / "signing.pem").read_bytes())


async def test_init_can_be_asked_again(nation: Running, tmp_path: Path) -> None:
    """An init that lost the nation's answer, or could not write its settings, works again with the same arguments."""
    arguments = ("init", "--data", str(tmp_path / "wave"), "--token-file", str(await token_file(nation, tmp_path)))
    assert 0 == (await run(*arguments))[0]
    (tmp_path / "wave" / "node.toml").unlink()
    code, said = await run(*arguments)
    assert (0, True) == (code, "is ready" in said)
    copy = ("init", "--data", str(tmp_path / "copy"), "--token-file", str(tmp_path / "provider-wave.token"))
    code, said = await run(*copy)
    assert (1, False) == (code, (tmp_path / "copy" / "node.toml").exists())


async def test_init_refuses_what_is_no_token(nation: Running, tmp_path: Path) -> None:
    """A damaged token file, or one for a regulator, is refused before anything is made."""
    file = await token_file(nation, tmp_path)
    bent = tmp_path / "bent.token"
    bent.write_text(file.read_text().replace("jurisdiction: 100000", "jurisdiction: 330000"))
    regulators = tmp_path / "regulator.token"
    regulators.write_text(await token_for(nation, "regulator/330000"))
    for wrong in (bent, regulators, tmp_path / "missing.token"):
        code, _ = await run("init", "--data", str(tmp_path / "wave"), "--token-file", str(wrong))
        assert (1, False) == (code, (tmp_path / "wave").exists())


async def test_nation_that_is_away_is_unreachable(nation: Running, tmp_path: Path) -> None:
    """An init whose nation does not answer ends with exit code 3, and can be repeated later."""
    file = await token_file(nation, tmp_path)
    text = file.read_text()
    await nation.regulator.stop()
    code, _ = await run("init", "--data", str(tmp_path / "wave"), "--token-file", str(file))
    assert (3, text, False) == (code, file.read_text(), (tmp_path / "wave" / "node.toml").exists())


async def test_init_over_tcp_makes_the_token(nation: Running, tmp_path: Path) -> None:
    """A local API on host:port gets its bearer token at once, in a private file."""
    file = await token_file(nation, tmp_path)
    code, _ = await run("init", "--data", str(tmp_path / "wave"), "--token-file", str(file), "--listen", "127.0.0.1:0")
    settings = ProviderSettings.load(tmp_path / "wave")
    assert (0, 43) == (code, len(settings.backend_token()))
    file = await token_file(nation, tmp_path, "provider/open")
    arguments = ("init", "--data", str(tmp_path / "open"), "--token-file", str(file), "--listen", "0.0.0.0:0")
    code, said = await run(*arguments)
    assert (1, True) == (code, "in clear" in said)


async def test_init_with_a_ca_for_backends(nation: Running, tmp_path: Path) -> None:
    """A local API by mTLS needs no token; a CA that cannot be used is said before the enrolment token is spent."""
    file = await token_file(nation, tmp_path)
    arguments = ("init", "--data", str(tmp_path / "wave"), "--token-file", str(file), "--listen", "0.0.0.0:0")
    (tmp_path / "wrong.pem").write_text("no certificate")
    code, said = await run(*arguments, "--backend-ca", str(tmp_path / "wrong.pem"))
    assert (1, True, False) == (code, "backends' CA" in said, (tmp_path / "wave" / "node.toml").exists())
    code, _ = await run(*arguments, "--backend-ca", CompanyAuthority(system_clock()).write(tmp_path))
    settings = ProviderSettings.load(tmp_path / "wave")
    assert (0, str(tmp_path / "company-ca.pem"), "") == (code, settings.backend_ca_file, settings.backend_token_file)


@pytest.mark.cluster
async def test_serve_is_asked_and_stops(network: MadeUpNetwork, tmp_path: Path) -> None:
    """A served folder answers the commands, refuses a second server, tells no identity, and stops with 0."""
    settings = await joined_folder(tmp_path / "wave", network)
    data = ("--data", str(settings.folder))
    command = Command.module(PROVIDER, ("provider_node", "serve", *data), tmp_path / "wave.log", {})
    node = NodeProcess(command)
    ready = await node.start()
    assert (PROVIDER, {"backend": settings.local_api}) == (ready["name"], ready["listen"])
    async with ProviderClient(settings.local_api) as client:
        identity = planted_person()
        subject = await client.register_person(identity, nickname="样例", agreement=await client.agreement())
        account = await client.open_account(subject.reference, display_name="样例号", category="education")
        await client.review_account(account.account_id, passed=True)
    code, said = await run("status", *data, "--json")
    assert (0, 1) == (code, json.loads(said)["accounts"])
    code, said = await run("accounts", "list", *data, "--json")
    assert (0, [account.account_id]) == (code, [row["account_id"] for row in json.loads(said)])
    answered = (
        ("accounts", "show", account.account_id),
        ("accounts", "history", account.account_id),
        ("subjects", "show", subject.reference.hex()),
        ("subjects", "agreement"),
        ("outbox", "replay", account.account_id),
        ("audit", "list"),
        ("keys", "export"),
    )
    for code, said in [await run(*arguments, *data) for arguments in answered]:
        assert (0, []) == (code, [part for part in (identity.real_name, identity.id_number) if part in said]), said
    refused = (
        ("receipt", "get", account.account_id, "--output", str(tmp_path / "r")),
        ("accounts", "show", subject.reference.hex()),
    )
    for code, said in [await run(*arguments, *data) for arguments in refused]:
        assert (1, True) == (code, "error: " in said)
    second = Command.module(PROVIDER, ("provider_node", "serve", *data), tmp_path / "second.log", {})
    with pytest.raises(FilingnetError, match="another process uses the provider node"):
        await NodeProcess(second).start()
    assert 0 == await node.stop()
    assert [] == files_with(tmp_path, identity.real_name, identity.id_number, identity.phone)
    assert 3 == (await run("status", *data))[0]


@pytest.mark.cluster
async def test_killed_node_keeps_what_it_acknowledged(network: MadeUpNetwork, tmp_path: Path) -> None:
    """Promise 1: a node killed in the middle of registrations has each subject whole, or its request can be repeated."""
    settings = await joined_folder(tmp_path / "wave", network)
    arguments = ("provider_node", "serve", "--data", str(settings.folder))
    node = NodeProcess(Command.module(PROVIDER, arguments, tmp_path / "wave.log", {}))
    await node.start()
    acknowledged: dict[int, bytes] = {}
    at_once = asyncio.Semaphore(8)

    async def register(client: ProviderClient, signed: AgreementSignature, number: int, kill_after: int) -> None:
        request = f"00000000-0000-4000-8000-{number:012d}"
        async with at_once:
            subject = await client.register_person(
                person(number), nickname="样例", agreement=signed, request_id=request
            )
            assert acknowledged.setdefault(number, subject.reference) == subject.reference
            if len(acknowledged) >= kill_after:
                await node.kill()

    async with ProviderClient(settings.local_api) as client:
        signed = (await client.agreement()).signed_at(system_clock())
        calls = (register(client, signed, number, 40) for number in range(1, 121))
        await asyncio.gather(*calls, return_exceptions=True)
    assert 40 <= len(acknowledged) < 120
    await node.start()
    async with ProviderClient(settings.local_api) as client:
        await asyncio.gather(*(register(client, signed, number, 1000) for number in range(1, 121)))
        for number, reference in acknowledged.items():
            identity = await client.read_identity(reference, purpose="self_check", reader="test")
            assert person(number).id_number == getattr(identity, "id_number", "")
    await node.stop()


async def test_commands_before_init_say_so(tmp_path: Path) -> None:
    """A folder that was never initialised is said; nothing is made of it."""
    for arguments in (("serve",), ("status",), ("master-key", "rotate")):
        code, said = await run(*arguments, "--data", str(tmp_path / "nothing"))
        assert (1, True, False) == (code, "make one with init" in said, (tmp_path / "nothing").exists())


async def test_wrong_usage_is_code_two(tmp_path: Path) -> None:
    """A wrong option or value is wrong usage, and every command explains itself with an example."""
    data = ("--data", str(tmp_path))
    assert 2 == (await run("status"))[0]
    assert 2 == (await run("accounts", "list", *data, "--state", "lost"))[0]
    for command in (("accounts", "import"), ("subjects", "register"), ("serve",), ("init",), ("master-key", "rotate")):
        code, said = await run(*command, "--help")
        assert (0, True) == (code, "Example" in said)


async def test_import_from_a_file(network: MadeUpNetwork, tmp_path: Path) -> None:
    """A file of accounts is imported; a refused row is named, and the exit code says that one was."""
    settings = await joined_folder(tmp_path / "wave", network)
    async with serving(settings):
        async with ProviderClient(settings.local_api) as client:
            subject = await client.register_person(person(1), nickname="样例", agreement=await client.agreement())
        file = tmp_path / "accounts.csv"
        row = f"{subject.reference.hex()},样例,education,{subject.verified_time.isoformat()}"
        file.write_text(f"subject_reference,display_name,category,reviewed_time\n{row}\n{row}\n,样例,education,\n")
        code, said = await run_alone("accounts", "import", str(file), "--data", str(settings.folder), "--json")
        result = json.loads(said)
        assert (1, 2, [3]) == (code, result["imported"], [failure["row"] for failure in result["failures"]])
        again = ("--import-id", result["import_id"], "--data", str(settings.folder), "--json")
        code, said = await run_alone("accounts", "import", str(file), *again)
        assert (0, 2) == (json.loads(said)["imported"], json.loads(said)["already_imported"])


async def test_commands_find_a_local_api_with_tls(network: MadeUpNetwork, ports: Ports, tmp_path: Path) -> None:
    """The commands read from the settings how the node is reached: address, token and certificate."""
    token = tmp_path / "backend.token"
    token.write_text("a" * 43)
    token.chmod(0o600)
    settings = await joined_folder(
        tmp_path / "wave", network, listen=ports.take(), listen_tls=True, backend_token_file=str(token)
    )
    async with serving(settings):
        code, said = await run_alone("status", "--data", str(settings.folder), "--json")
    assert (0, PROVIDER) == (code, json.loads(said)["name"])


async def test_master_key_rotates_while_stopped(network: MadeUpNetwork, tmp_path: Path) -> None:
    """Rotating wraps every data key anew; the older line can go, and identities are still read."""
    settings = await joined_folder(tmp_path / "wave", network)
    async with serving(settings), ProviderClient(settings.local_api) as client:
        subject = await client.register_person(person(1), nickname="样例", agreement=await client.agreement())
        code, said = await run_alone("master-key", "rotate", "--data", str(settings.folder))
        assert (0, True) == (code, "start the node again" in said)
    code, said = await run_alone("master-key", "rotate", "--data", str(settings.folder))
    assert (0, True) == (code, "older lines" in said)
    key_file = settings.folder / "master.key"
    key_file.write_text(key_file.read_text().splitlines()[-1])
    async with serving(settings), ProviderClient(settings.local_api) as client:
        identity = await client.read_identity(subject.reference, purpose="self_check", reader="test")
        assert person(1).id_number == getattr(identity, "id_number", "")


async def test_database_shows_nothing_without_the_master_key(network: MadeUpNetwork, tmp_path: Path) -> None:
    """A stolen folder without its master key does not even tell nicknames, or which accounts are one subject's."""
    settings = await joined_folder(tmp_path / "wave", network)
    async with serving(settings), ProviderClient(settings.local_api) as client:
        subject = await client.register_person(person(1), nickname="样例独有昵称", agreement=await client.agreement())
        account = await client.open_account(subject.reference, display_name="样例独有名称", category="education")
        assert [] == files_with(settings.folder, "样例独有昵称", "样例独有名称", account.account_id)
    assert [] == files_with(settings.folder, "样例独有昵称", "样例独有名称", account.account_id)
    (settings.folder / "master.key").unlink()
    add_master_key_version(settings.folder / "master.key")
    with pytest.raises(FilingnetError, match="another master key"):
        await database_of(settings)


async def test_database_of_another_vault_is_refused(network: MadeUpNetwork, tmp_path: Path) -> None:
    """A database that was put back into the wrong folder is not served and not made over."""
    one = await joined_folder(tmp_path / "one", network)
    other = await joined_folder(tmp_path / "other", network)
    before = (one.folder / "provider.db").read_bytes()
    shutil.copy(one.folder / "provider.db", other.folder / "provider.db")
    code, said = await run_refused("serve", "--data", str(other.folder))
    assert (1, True) == (code, "another node's" in said)
    assert before == (other.folder / "provider.db").read_bytes()


async def test_database_of_the_provider_has_no_identity_column(network: MadeUpNetwork, tmp_path: Path) -> None:
    """Art. 5(2): outside of the vault there is no column that could hold a name, a number or a telephone."""
    settings = await joined_folder(tmp_path / "wave", network)

    def names(transaction: Transaction) -> tuple[list[str], set[str]]:
        tables = [name for (name,) in transaction.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return tables, {row[1] for table in tables for row in transaction.execute(f"PRAGMA table_info({table})")}

    database = await database_of(settings)
    tables, columns = await database.read(names)
    await database.close()
    assert set() == columns & {"real_name", "id_number", "phone", "operator", "identity", "contact"}
    assert "subject" in tables
