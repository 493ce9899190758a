"""Every role may call exactly what is written here, and nothing that is not: the table, said a second time by role."""

import pytest

from shared.errors import PermissionDenied, Unauthenticated
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.callers import NODES, Caller, Role
from shared.trust.methods import METHODS, WHILE_SUSPENDED, check_allowed, methods_at
from shared.trust.methods import NATION_ONLY as ONLY_THERE
from tests.unit.who_may_call import LOST_WHEN_SUSPENDED, MAY_CALL, NATION_ONLY, OPEN


def allowed(caller: Caller) -> set[str]:
    """The methods that a caller gets through with, without the leading slash."""
    found = set()
    for method in METHODS:
        try:
            check_allowed(method, caller)
        except (PermissionDenied, Unauthenticated):
            continue
        found.add(method[1:])
    return found


@pytest.mark.parametrize("role", Role)
def test_role(role: Role) -> None:
    """A role may call its own methods and those open to everyone, and no other."""
    assert MAY_CALL[role] | OPEN == allowed(Caller("caller", role, "330000"))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "method", ["", "/", "/filingnet.network.v1.IntakeService/Submit", "filingnet.network.v1.EnrolmentService/Enrol"]
)
def test_unlisted(role: Role, method: str) -> None:
    """A method that no row lists is denied to everyone."""
    with pytest.raises(PermissionDenied) as caught:
        check_allowed(method, Caller("caller", role, "330000"))
    assert "METHOD_DENIED" == caught.value.reason


def test_without_credentials() -> None:
    """Somebody without credentials is told to bring some."""
    with pytest.raises(Unauthenticated) as caught:
        check_allowed("/filingnet.regulator.v1.FilingService/GetFiling", Caller("anyone", Role.ANYONE, ""))
    assert "CREDENTIALS_MISSING" == caught.value.reason


@pytest.mark.parametrize(("role", "lost"), LOST_WHEN_SUSPENDED.items())
def test_suspended(role: Role, lost: set[str]) -> None:
    """A suspended node follows documents and directives, renews its certificate and tells of reports, of which intake lets
    nothing else pass; it witnesses nothing."""
    caller = Caller("caller", role, "330000", state=directory_pb2.NODE_STATE_SUSPENDED)
    assert (MAY_CALL[role] | OPEN) - lost == allowed(caller)
    for method in sorted(lost):
        with pytest.raises(PermissionDenied) as caught:
            check_allowed("/" + method, caller)
        assert "NODE_SUSPENDED" == caught.value.reason


def test_province_does_not_serve_the_nations_methods() -> None:
    """A province's node lists only what exists there."""
    assert {f"/{method}" for method in NATION_ONLY} == ONLY_THERE
    assert METHODS == methods_at("regulator/100000")
    province = methods_at("regulator/330000")
    assert set(METHODS) - ONLY_THERE == set(province)
    with pytest.raises(PermissionDenied):
        check_allowed("/filingnet.network.v1.EnrolmentService/Enrol", Caller("x", Role.ANYONE, ""), province)


def test_lists_name_rows() -> None:
    """The nation's own methods and those of the suspended are rows of the table; the latter are calls of nodes."""
    assert set(METHODS) >= ONLY_THERE | WHILE_SUSPENDED
    assert all(METHODS[method] & NODES for method in WHILE_SUSPENDED)


def test_the_table_cannot_change() -> None:
    """No code can add a row at run time."""
    with pytest.raises(TypeError):
        METHODS["/x"] = frozenset(Role)  # type: ignore[index]
