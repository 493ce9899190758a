"""Every role may call exactly what is written here, and nothing that is not: the table, said a second time by role."""

import pytest

from shared.errors import PermissionDenied, Unauthenticated
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.callers import NODES, Caller, Role
from shared.trust.methods import METHODS, NATION_ONLY, WHILE_SUSPENDED, check_allowed, methods_at

OPEN = {
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "filingnet.network.v1.EnrolmentService/Enrol",
    "filingnet.regulator.v1.PublicService/CheckLabel",
    "filingnet.regulator.v1.PublicService/SubmitComplaint",
    "filingnet.regulator.v1.PublicService/GetComplaint",
}
RENEW = {"filingnet.network.v1.EnrolmentService/RenewCertificate"}
DOCUMENTS = {"filingnet.network.v1.FollowService/FollowDocuments"}
WITNESS = {"filingnet.network.v1.WitnessService/SubmitCosignature", "filingnet.network.v1.WitnessService/GetHead"}
FETCH = "filingnet.network.v1.WitnessService/FetchLog"
READ = {
    f"filingnet.regulator.v1.{service}Service/{call}"
    for service, calls in {
        "Filing": ("SearchFilings", "GetFiling", "ListRevisions", "GetStatistics", "ExportFilings", "GetReceipt"),
        "Label": ("SearchLabels", "ListLabelRevisions"),
        "Log": ("ExportLog", "GetCheckpoint"),
        "Escalation": ("ListCases", "GetCase", "ListMeasures", "GetProviderFigures"),
        "Network": ("GetStatus", "ListNodes", "GetPolicy", "PreviewPolicy"),
        "Record": ("ListHolds", "ListDueRecords", "ListCertificates", "GetCertificate"),
    }.items()
    for call in calls
}
DECIDE = {
    f"filingnet.regulator.v1.{call}"
    for call in (
        "FilingService/DecideFilings",
        "LabelService/DecideLabels",
        "EscalationService/AssignCase",
        "EscalationService/DecideCase",
    )
}
ADMINISTER = {
    f"filingnet.regulator.v1.NetworkService/{call}"
    for call in (
        "CreateEnrolmentToken",
        "SetNodeState",
        "SetLicence",
        "TransferProvider",
        "SetEndpoint",
        "AddSigningKey",
        "PublishPolicy",
        "CreateOfficerToken",
        "ListOfficerTokens",
        "RevokeOfficerToken",
        "IssueOfficerCertificate",
        "ListAuditEntries",
    )
} | {f"filingnet.regulator.v1.RecordService/{call}" for call in ("PlaceHold", "LiftHold", "DisposeRecords")}
BACKEND = {method[1:] for method in METHODS if method.startswith("/filingnet.provider.v1.")}

MAY_CALL = {
    Role.NATION: {"filingnet.network.v1.FollowService/FollowLog"} | WITNESS | RENEW,
    Role.PROVINCE: {"filingnet.network.v1.FollowService/FollowRegion", FETCH} | DOCUMENTS | WITNESS | RENEW,
    Role.PROVIDER: {
        "filingnet.network.v1.IntakeService/SubmitEntries",
        "filingnet.network.v1.IntakeService/GetHighWaterMark",
        "filingnet.network.v1.FollowService/FollowDirectives",
        "filingnet.network.v1.WitnessService/ProveFinal",
    }
    | DOCUMENTS
    | RENEW,
    Role.READER: READ,
    Role.REVIEWER: READ | DECIDE,
    Role.ADMINISTRATOR: READ | DECIDE | ADMINISTER,
    Role.OPERATOR: READ | DECIDE | ADMINISTER,
    Role.BACKEND: BACKEND,
    Role.ANYONE: set[str](),
}


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


@pytest.mark.parametrize(
    ("role", "lost"),
    [
        (Role.PROVIDER, set()),
        (Role.PROVINCE, {"filingnet.network.v1.FollowService/FollowRegion", FETCH} | WITNESS),
    ],
)
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
    assert METHODS == methods_at("regulator/100000")
    province = methods_at("regulator/330000")
    assert set(METHODS) - NATION_ONLY == set(province)
    with pytest.raises(PermissionDenied):
        check_allowed("/filingnet.network.v1.EnrolmentService/Enrol", Caller("x", Role.ANYONE, ""), province)


def test_lists_name_rows() -> None:
    """The nation's own methods and those of the suspended are rows of the table; the latter are calls of nodes."""
    assert set(METHODS) >= NATION_ONLY | WHILE_SUSPENDED
    assert all(METHODS[method] & NODES for method in WHILE_SUSPENDED)


def test_the_table_cannot_change() -> None:
    """No code can add a row at run time."""
    with pytest.raises(TypeError):
        METHODS["/x"] = frozenset(Role)  # type: ignore[index]
