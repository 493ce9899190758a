"""Settings of a node: what is written is read again, the environment overrides, what is wrong is named, not shown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from regulator_node.settings import RegulatorSettings, endpoint_of
from shared.errors import FailedPrecondition, InvalidInput
from shared.settings import FILE_NAME, NodeSettings

SECRET = "postgresql://node:open-sesame@db.example/register"


def create(folder: Path, **values: object) -> RegulatorSettings:
    given: dict[str, object] = {
        "name": "regulator/330000",
        "jurisdiction": "330000",
        "title": "浙江“测试”办公室\\",
        "network_listen": "0.0.0.0:7400",
        "public_listen": "127.0.0.1:7401",
        "network_endpoint": "zhejiang.example:7400",
        "public_endpoint": "zhejiang.example:7401",
    }
    return RegulatorSettings.create(folder, **(given | values))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """node.toml holds every setting exactly, quotes, backslashes and Chinese included."""
    settings = create(tmp_path, database_url=SECRET, shutdown_seconds=7.5)
    settings.write()
    assert settings == RegulatorSettings.load(tmp_path)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """A database URL can hold a password: nobody else reads the file."""
    create(tmp_path).write()
    assert 0o600 == stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode)


def test_writing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    """The file is replaced whole: no temporary file stays."""
    create(tmp_path).write()
    create(tmp_path, log_level="debug").write()
    assert [FILE_NAME] == [path.name for path in tmp_path.iterdir()]


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FILINGNET_<NAME> counts more than the line in the file."""
    create(tmp_path).write()
    monkeypatch.setenv("FILINGNET_NETWORK_LISTEN", "127.0.0.1:9000")
    assert "127.0.0.1:9000" == RegulatorSettings.load(tmp_path).network_listen


def test_the_environment_is_not_written_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What init is given is what init writes; the shell it ran in leaves no trace."""
    monkeypatch.setenv("FILINGNET_LOG_LEVEL", "debug")
    assert "info" == create(tmp_path).log_level


def test_the_database_is_in_the_folder_unless_it_is_set(tmp_path: Path) -> None:
    """A folder that is moved keeps its register."""
    create(tmp_path).write()
    assert f"sqlite://{tmp_path}/register.db" == RegulatorSettings.load(tmp_path).database


def refusal(folder: Path) -> FailedPrecondition:
    with pytest.raises(FailedPrecondition) as caught:
        RegulatorSettings.load(folder)
    return caught.value


def test_a_wrong_setting_is_named_and_its_value_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start-up refuses what is wrong by its name; a password in it is in no sentence."""
    create(tmp_path).write()
    monkeypatch.setenv("FILINGNET_DATABASE_URL", SECRET.replace("postgresql", "mysql"))
    error = refusal(tmp_path)
    assert ("SETTINGS_WRONG", ["database_url"]) == (error.reason, [each.field for each in error.violations])
    assert "open-sesame" not in f"{error.message} {error.violations}"
    assert "FILINGNET_DATABASE_URL" in error.violations[0].mend


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    """A slip of the pen is not read as the default."""
    create(tmp_path).write()
    file = tmp_path / FILE_NAME
    file.write_text(file.read_text().replace("log_level", "log_levle"))
    error = refusal(tmp_path)
    assert [("log_levle", "EXTRA_FORBIDDEN")] == [(each.field, each.rule) for each in error.violations]


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    """Whoever mends the file mends it once."""
    (tmp_path / FILE_NAME).write_text('name = "provider/Wave"\njurisdiction = "33"\n')
    with pytest.raises(FailedPrecondition) as caught:
        NodeSettings.load(tmp_path)
    assert ["name", "jurisdiction"] == [each.field for each in caught.value.violations]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """What is no TOML is said to be none."""
    (tmp_path / FILE_NAME).write_text("name = ")
    assert "SETTINGS_WRONG" == refusal(tmp_path).reason


def test_a_folder_that_never_joined_is_refused(tmp_path: Path) -> None:
    """Serving a folder without a node says to make one with init."""
    assert "NOT_JOINED" == refusal(tmp_path).reason


def test_the_endpoint_is_the_listener_where_others_can_use_it() -> None:
    """Whoever gives no endpoint is reached where the node listens."""
    assert "10.0.0.7:7400" == endpoint_of("10.0.0.7:7400", "", "--network-endpoint")


def test_a_given_endpoint_counts() -> None:
    """Behind a port mapper the endpoint is another than the listener."""
    assert "nation.example:443" == endpoint_of("0.0.0.0:7400", "nation.example:443", "--network-endpoint")


@pytest.mark.parametrize("listen", ["0.0.0.0:7400", "[::]:7400", "10.0.0.7:0"])
def test_a_listener_that_nobody_can_name_needs_an_endpoint(listen: str) -> None:
    """Every interface, or any free port, is no address for the directory."""
    with pytest.raises(InvalidInput) as caught:
        endpoint_of(listen, "", "--network-endpoint")
    assert ["--network-endpoint"] == [each.field for each in caught.value.violations]


def test_the_certificate_is_for_the_hosts_of_both_endpoints(tmp_path: Path) -> None:
    """The public listener uses the leaf of the network listener: its hosts are those of both, each once."""
    settings = create(tmp_path, public_endpoint="public.example:443")
    assert ("zhejiang.example", "public.example") == settings.hosts
