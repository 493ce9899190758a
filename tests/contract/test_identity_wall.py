"""No field that leaves a provider can hold identity data: the project's first promise, held by the contracts' own types."""

import pytest

from shared.pb.filingnet.provider.v1 import identity_pb2
from tests.contract.descriptors import fields, files, imported, messages, methods, reachable

OUTSIDE = ["filingnet.network.v1", "filingnet.regulator.v1"]
PROVIDER = "filingnet.provider.v1"


def identity_fields(*packages: str) -> list[str]:
    """Names the marked fields of every message declared in the packages or reachable from their services."""
    roots = [each for method in methods(*packages) for each in (method.input_type, method.output_type)]
    return [
        field.full_name
        for field in fields(reachable([*roots, *messages(*packages)]))
        if field.GetOptions().Extensions[identity_pb2.identity]  # type: ignore[index]
    ]


@pytest.mark.parametrize("package", OUTSIDE)
def test_no_identity_outside(package: str) -> None:
    """Nothing that a node, an officer or the public can send or receive has a field marked as identity data."""
    assert len(methods(package)) > 0
    assert [] == identity_fields(package)


@pytest.mark.parametrize("package", OUTSIDE)
def test_no_import_of_the_provider(package: str) -> None:
    """No file of the outside imports the provider's contract, however indirectly."""
    assert [] == [file.name for file in files(package) if PROVIDER in imported(file)]


def test_identity_exists_at_the_provider() -> None:
    """The walk does find marked fields where they belong, among them those of a person's identity."""
    found = identity_fields(PROVIDER)
    assert {"filingnet.provider.v1.PersonIdentity.real_name", "filingnet.provider.v1.PersonIdentity.id_number"} <= {
        *found
    }


@pytest.mark.parametrize("package", OUTSIDE)
def test_no_copy_under_the_same_name(package: str) -> None:
    """No field outside has the name of an identity field: a copy that somebody forgot to mark."""
    names = {full_name.rpartition(".")[2] for full_name in identity_fields(PROVIDER)}
    assert [] == [field.full_name for field in fields(messages(package)) if field.name in names]
