"""Secrets are read from files and never given as arguments, which every user of the machine can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

import provider_node.__main__
import regulator_node.__main__

SECRET = re.compile(r"token|bearer|secret|password|key")
PUBLIC = {"token_id", "master_key"}
"""Parameters of that kind that are no secret: an id, and where a key is kept."""

PROGRAMS = {"regulator-node": regulator_node.__main__.app, "provider-node": provider_node.__main__.app}


def parameters(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Walks the parameters of all commands of a program."""
    for parameter in command.params:
        yield path, parameter
    for name, each in getattr(command, "commands", {}).items():
        yield from parameters(each, f"{path} {name}")


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_argument_is_a_secret(program: str) -> None:
    """Promise 7: whatever has to do with a token or a key is a file's name."""
    found = [
        (path, parameter.name, str(parameter.bare_type()))
        for path, parameter in parameters(get_command(PROGRAMS[program]), program)
        if SECRET.search(parameter.name) and parameter.name not in PUBLIC
    ]
    assert len(found) > 1
    assert [] == [each for each in found if "Path" not in each[2] and "bool" not in each[2]]
