"""What every command of provider-node shares: the data folder, and a client of the node that serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from provider_node.settings import ProviderSettings
from shared import cli
from shared.client.provider import ProviderClient
from shared.errors import InvalidInput, Violation

T = TypeVar("T")

DataFolder = Annotated[Path, typer.Option("--data", help="The node's data folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Prints JSON.")]


def ask(data: Path, question: Callable[[ProviderClient], Awaitable[T]]) -> T:
    """Asks the node that serves a data folder.

    Args:
        data: the folder.
        question: calls the client.

    Returns:
        What it returned.
    """
    settings = ProviderSettings.load(data)

    async def run() -> T:
        async with ProviderClient(settings.own_socket) as node:
            return await question(node)

    return cli.wait_for(run())


def reference_of(text: str) -> bytes:
    """Reads a subject's reference, 32 hexadecimal digits.

    Raises:
        InvalidInput: REFERENCE_WRONG.
    """
    try:
        reference = bytes.fromhex(text)
    except ValueError:
        reference = b""
    if len(reference) != 16:
        mend = "give the subject's reference: 32 hexadecimal digits"
        violation = Violation("reference", "REFERENCE_WRONG", mend)
        raise InvalidInput("that is no reference", "REFERENCE_WRONG", [violation])
    return reference


def row_of(value: Any) -> dict[str, object]:
    """Returns a dataclass as a row to print."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
