"""Lists what the contracts consist of, from the generated descriptors, so that no test keeps a list that can be forgotten."""

import importlib
import pkgutil
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

import shared.pb.filingnet

PACKAGES = ("filingnet.network.v1", "filingnet.provider.v1", "filingnet.regulator.v1")


def files(*packages: str) -> list[FileDescriptor]:
    """Lists the files of the packages named, by name."""
    found = [
        importlib.import_module(module.name).DESCRIPTOR
        for module in pkgutil.walk_packages(shared.pb.filingnet.__path__, "shared.pb.filingnet.")
        if module.name.endswith("_pb2")
    ]
    return sorted((file for file in found if file.package in packages), key=lambda file: file.name)


def imported(file: FileDescriptor) -> set[str]:
    """Names the packages of every file that a file imports, however far away."""
    packages: set[str] = set()
    for dependency in file.dependencies:
        packages |= {dependency.package} | imported(dependency)
    return packages


def nested(message: Descriptor) -> Iterator[Descriptor]:
    """Walks a message and the messages declared in it."""
    yield message
    for inner in message.nested_types:
        yield from nested(inner)


def messages(*packages: str) -> list[Descriptor]:
    """Lists every message declared in the packages named."""
    return [each for file in files(*packages) for top in file.message_types_by_name.values() for each in nested(top)]


def methods(*packages: str) -> list[MethodDescriptor]:
    """Lists every call of every service in the packages named."""
    return [
        method for file in files(*packages) for service in file.services_by_name.values() for method in service.methods
    ]


def reachable(roots: list[Descriptor]) -> list[Descriptor]:
    """Lists the messages that can appear anywhere inside messages of the types in roots, these included."""
    found: dict[str, Descriptor] = {}
    waiting = list(roots)
    while waiting:
        message = waiting.pop()
        if message.full_name not in found:
            found[message.full_name] = message
            waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return list(found.values())


def fields(declared: list[Descriptor]) -> list[FieldDescriptor]:
    """Lists the fields of messages."""
    return [field for message in declared for field in message.fields]
