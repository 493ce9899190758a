"""Every call of the contracts has a row in the table of who may make it, so that none is forgotten."""

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from shared.trust.methods import METHODS
from tests.contract.descriptors import PACKAGES, methods
from tests.unit.who_may_call import MAY_CALL, OPEN

REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def served() -> list[str]:
    """Names every call that a node can serve: the contracts, health, and reflection in both of its versions."""
    standard = [
        method
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    found = [*methods(*PACKAGES), *standard]
    return [REFLECTION, *(f"/{method.containing_service.full_name}/{method.name}" for method in found)]


def test_every_call_has_a_row() -> None:
    """A call without a row would be denied to everyone for ever."""
    assert [] == sorted(set(served()) - set(METHODS))


def test_every_row_has_a_call() -> None:
    """A row without a call is a slip of the pen, and the call that was meant has none."""
    assert [] == sorted(set(METHODS) - set(served()))


def test_every_call_is_written_down() -> None:
    """Promise 8: who may make a new call is said apart from the table, or live nodes are not held to it."""
    written = OPEN.union(*MAY_CALL.values())
    assert [] == sorted({f"/{call}" for call in written} ^ set(served()))


def test_every_row_lets_somebody_in() -> None:
    """A call that no role may make is no call."""
    assert [] == [method for method, roles in METHODS.items() if not roles]


def test_the_walk_finds_all_packages() -> None:
    """The list of calls is read from the contracts of all three packages."""
    found = served()
    assert all(any(call.startswith(f"/{package}.") for call in found) for package in PACKAGES)
    assert len(found) == len(set(found))
