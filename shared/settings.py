"""A node's settings: FOLDER/node.toml, written by init and read by serve, overridden by environment FILINGNET_<NAME>.

What is wrong is refused before anything starts, by the name of the setting and never by its value: a database URL can
hold a password. An unknown name in the file is refused too, so that a slip of the pen is not read as the default.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from shared.database import sqlite_url
from shared.durable_files import PRIVATE, write_file
from shared.errors import FailedPrecondition, Violation

FILE_NAME: Final = "node.toml"
ENVIRONMENT_PREFIX: Final = "FILINGNET_"

NodeName = Annotated[str, Field(pattern=r"^(regulator/[1-8][0-9]0000|provider/[a-z][a-z0-9-]{1,30})$")]
"""Name of a node of the network."""

Jurisdiction = Annotated[str, Field(pattern=r"^[1-8][0-9]0000$")]
"""GB/T 2260 code of a province, or 100000 for the nation."""

HostPort = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):[0-9]{1,5}$")]
"""host:port to listen on; port 0 lets the system choose."""

Endpoint = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]{1,253}:[0-9]{1,5})?$")]
"""host:port under which others reach a node; may be empty where that is allowed."""

DatabaseUrl = Annotated[str, Field(pattern=r"^(sqlite:///.+|postgres(ql)?://.+)?$")]
"""sqlite:///PATH or postgresql://…; empty for the file in the data folder."""


class NodeSettings(BaseSettings):
    """What every node is set to; each node adds its own.

    Made with a folder alone, it reads the folder and the environment; made with values, it holds them and defaults.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True, validate_default=False, hide_input_in_errors=True
    )

    DATABASE_FILE: ClassVar[str] = "node.db"
    """Name of the database in the data folder, where no URL is set."""

    folder: Path = Field(exclude=True)
    """The data folder; where the file was read, and not a line of it."""
    name: NodeName
    """The node's name in the directory."""
    jurisdiction: Jurisdiction
    """Its jurisdiction."""
    database_url: DatabaseUrl = ""
    """Where its database is; empty for the file in the data folder."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on the log is written."""
    shutdown_seconds: float = Field(default=20.0, ge=0, le=600)
    """How long calls under way may take when the node stops, in seconds."""
    simulated_time_file: str = ""
    """File that moves the node's time, see `shared.simulated_clock`; for demos and tests only, never in production."""

    @property
    def database(self) -> str:
        """The URL of the database."""
        return self.database_url or sqlite_url(self.folder / self.DATABASE_FILE)

    @property
    def signing_key_file(self) -> Path:
        """Holds the key that signs what the node states."""
        return self.folder / "signing.pem"

    @property
    def credentials_folder(self) -> Path:
        """Holds the TLS key and the certificates."""
        return self.folder / "tls"

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads the settings of a data folder, overridden by the environment.

        Args:
            folder: the data folder.

        Returns:
            The settings.

        Raises:
            FailedPrecondition: NOT_JOINED where the folder was never initialised; SETTINGS_WRONG naming each wrong
                setting.
        """
        if not (folder / FILE_NAME).is_file():
            raise FailedPrecondition(f"{folder} holds no node: make one with init", "NOT_JOINED")
        try:
            return cls(folder=folder)  # type: ignore[call-arg]
        except ValidationError as error:
            raise _settings_wrong(f" in {folder / FILE_NAME}", error, os.environ) from None
        except (ValueError, RecursionError) as error:
            message = f"{folder / FILE_NAME} is no TOML file: mend it or write it anew with init"
            raise FailedPrecondition(message, "SETTINGS_WRONG") from error

    @classmethod
    def create(cls, folder: Path, **values: object) -> Self:
        """Makes settings of given values; the environment is not read.

        Args:
            folder: the data folder.
            **values: by the names of the settings.

        Returns:
            The settings, not yet written.

        Raises:
            FailedPrecondition: SETTINGS_WRONG naming each wrong setting.
        """
        try:
            return cls(folder=folder, **values)  # type: ignore[arg-type]
        except ValidationError as error:
            raise _settings_wrong("", error, {}) from None

    def write(self, folder: Path | None = None) -> None:
        """Writes node.toml, mode 0600, whole or not at all.

        Args:
            folder: the data folder; by default the settings' own.
        """
        folder = folder or self.folder
        lines = ["# Settings of this node. Each can be overridden by the environment as FILINGNET_<NAME>.\n"]
        # JSON's strings, numbers and booleans are TOML's too.
        lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in self.model_dump().items()]
        write_file(folder / FILE_NAME, "".join(lines).encode(), PRIVATE)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Reads the environment and the folder's file only where nothing but the folder was given."""
        given: dict[str, Any] = init_settings()
        if set(given) != {"folder"}:
            return (init_settings,)
        file = TomlConfigSettingsSource(settings_cls, toml_file=Path(given["folder"]) / FILE_NAME)
        return (init_settings, env_settings, file)


def _settings_wrong(place: str, error: ValidationError, environment: Mapping[str, str]) -> FailedPrecondition:
    violations = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        setting = str(found["loc"][0]) if found["loc"] else ""
        variable = f"{ENVIRONMENT_PREFIX}{setting}".upper()
        mend = _MENDS.get(found["type"], found["msg"])
        if variable in environment:
            mend += f"; the environment sets it as {variable}"
        violations.append(Violation(setting, found["type"].upper(), mend))
    names = ", ".join(dict.fromkeys(violation.field for violation in violations if violation.field))
    return FailedPrecondition(f"correct these settings{place}: {names}", "SETTINGS_WRONG", violations)


_MENDS: Final = {
    "extra_forbidden": "there is no such setting; remove it or correct its name",
    "missing": "this setting is missing; add it or write the file anew with init",
    "string_pattern_mismatch": "it does not have the form that this setting has",
}
