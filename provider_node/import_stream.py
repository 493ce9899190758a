"""The stream of an import: its messages are read one by one, so that a bad row gets a result instead of failing it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Final

from provider_node.account_messages import import_rows_from_wire
from provider_node.imports import ROWS_TOGETHER, ImportResult, Imports
from shared.errors import InvalidInput, Violation
from shared.pb.filingnet.provider.v1 import account_service_pb2

MOST_ROWS: Final = ROWS_TOGETHER
"""Most rows in a message, as its contract says."""


async def receive(requests: AsyncIterator[account_service_pb2.ImportAccountsRequest], imports: Imports) -> ImportResult:
    """Takes a stream to its end.

    Args:
        requests: the messages; every one names the same import.
        imports: writes the rows.

    Returns:
        What the import came to.

    Raises:
        InvalidInput: the stream is empty, or a message names no import, another import, or holds too many rows. What
            was written before stays.
    """
    current = None
    name = ""
    async for request in requests:
        if current is None:
            name = _import_id(request.import_id)
            current = imports.begin(name)
        elif request.import_id.lower() != name:
            raise _wrong("import_id", "IMPORT_ID_WRONG", "name the same import in every message of a stream")
        if len(request.rows) > MOST_ROWS:
            raise _wrong("rows", "TOO_MANY_ROWS", f"send at most {MOST_ROWS} rows in a message")
        await current.add(import_rows_from_wire(request.rows))
    if current is None:
        raise _wrong("import_id", "IMPORT_ID_WRONG", "send one message at least, which names the import")
    return await current.finish()


def _import_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise _wrong("import_id", "IMPORT_ID_WRONG", "name the import by a UUID") from None


def _wrong(field: str, rule: str, mend: str) -> InvalidInput:
    return InvalidInput(f"the import cannot go on: {mend}", rule, [Violation(field, rule, mend)])
