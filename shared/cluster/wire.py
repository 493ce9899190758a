"""What crossed the network, looked at afterwards: how many bytes, which entries, and whether any identity was among it.

TLS hides from the proxies what they carry, so that bytes are counted there and contents are read where they arrived:
from the registers' files. The search for people reads whole files, write-ahead logs included, as bytes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import apsw
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

import shared.pb.filingnet.network.v1 as network_contracts
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.pb.filingnet.provider.v1 import identity_pb2
from shared.provisions.verification import OrganisationIdentity, PersonIdentity

_PREFIX_BYTES: Final = 6


def entries_at(folder: Path) -> list[bytes]:
    """Reads the exact bytes of every entry in a regulator's register.

    Args:
        folder: the regulator's data folder, with the register in its file.

    Returns:
        The entries by jurisdiction, in log order.
    """
    connection = apsw.Connection(str(folder / "register.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = connection.execute("SELECT entry FROM log_entry ORDER BY jurisdiction, log_index")
        return [bytes(entry) for (entry,) in rows]
    finally:
        connection.close()


def identity_fields_of(messages: Iterable[Message]) -> list[str]:
    """Lists the fields set in messages, nested ones included, that the contracts mark as identity.

    Args:
        messages: of any kind.

    Returns:
        Full names of the fields, one for each time one is set.
    """
    found: list[str] = []
    for message in messages:
        for field, value in message.ListFields():
            if _is_identity(field):
                found.append(field.full_name)
            if field.message_type is not None:
                nested = [value] if isinstance(value, Message) else list(value)
                found.extend(identity_fields_of(each for each in nested if isinstance(each, Message)))
    return found


def identity_fields_in_contracts() -> list[str]:
    """Lists the fields of every message that nodes can send one another that the contracts mark as identity."""
    found: list[str] = []
    for module in pkgutil.iter_modules(network_contracts.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"{network_contracts.__name__}.{module.name}").DESCRIPTOR
            for descriptor in file.message_types_by_name.values():
                found.extend(_marked(descriptor))
    return found


def parse_entries(entries: Iterable[bytes]) -> list[entry_pb2.Entry]:
    """Parses entries, for reading only: their bytes are what counts."""
    return [entry_pb2.Entry.FromString(entry) for entry in entries]


def identity_values(identity: PersonIdentity | OrganisationIdentity) -> Iterator[bytes]:
    """Gives what would betray the person behind a subject, as bytes to search for."""
    person = identity.operator if isinstance(identity, OrganisationIdentity) else identity
    for value in (person.real_name, person.id_number, person.phone):
        if value:
            yield value.encode()


def files_that_hold(values: Iterable[bytes], folders: Iterable[Path]) -> list[str]:
    """Searches every file below folders for values.

    Args:
        values: what to search for, at least 6 bytes each.
        folders: where.

    Returns:
        Path and number of finds of each file that holds any; never the value.
    """
    by_prefix: dict[bytes, set[bytes]] = defaultdict(set)
    for value in values:
        by_prefix[value[:_PREFIX_BYTES]].add(value)
    sought = {prefix: tuple(group) for prefix, group in by_prefix.items()}
    found = []
    for path in _files(folders):
        content = path.read_bytes()
        count = sum(_occurrences(content, prefix, group) for prefix, group in sought.items())
        if count:
            found.append(f"{path} ({count})")
    return found


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _occurrences(content: bytes, prefix: bytes, values: tuple[bytes, ...]) -> int:
    # Values that begin alike are looked for once: thousands of made-up people share a few beginnings.
    count, place = 0, content.find(prefix)
    while place >= 0:
        count += content.startswith(values, place)
        place = content.find(prefix, place + 1)
    return count


def _marked(descriptor: Descriptor) -> Iterator[str]:
    for field in descriptor.fields:
        if _is_identity(field):
            yield field.full_name
    for nested in descriptor.nested_types:
        yield from _marked(nested)


def _is_identity(field: FieldDescriptor) -> bool:
    extensions: Any = field.GetOptions().Extensions
    return bool(extensions[identity_pb2.identity])
