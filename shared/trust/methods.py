"""The table that says who may call what. A method without a row, or a role that its row does not name, is denied.

The jurisdiction of a caller is no part of it: use cases take it from the caller and read or write nothing of another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from shared.errors import PermissionDenied, Unauthenticated
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.callers import OFFICERS, Caller, Role
from shared.trust.names import NATION

_EVERYONE: Final = frozenset(Role)
_READERS: Final = OFFICERS | {Role.OPERATOR}
_DECIDERS: Final = frozenset({Role.REVIEWER, Role.ADMINISTRATOR, Role.OPERATOR})
_ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
_BACKEND: Final = frozenset({Role.BACKEND})
_PROVIDER: Final = frozenset({Role.PROVIDER})
_REGULATORS: Final = frozenset({Role.NATION, Role.PROVINCE})
_NODES: Final = _REGULATORS | _PROVIDER

_NETWORK: Final = "filingnet.network.v1"
_REGULATOR: Final = "filingnet.regulator.v1"
_PROVIDER_API: Final = "filingnet.provider.v1"


def _names(service: str, methods: Iterable[str]) -> list[str]:
    return [f"/{service}/{method}" for method in methods]


def _rows(service: str, methods: Iterable[str], roles: frozenset[Role]) -> dict[str, frozenset[Role]]:
    return dict.fromkeys(_names(service, methods), roles)


METHODS: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    _rows(f"{_NETWORK}.IntakeService", ["SubmitEntries", "GetHighWaterMark"], _PROVIDER)
    | _rows(f"{_NETWORK}.FollowService", ["FollowLog"], frozenset({Role.NATION}))
    | _rows(f"{_NETWORK}.FollowService", ["FollowDirectives"], _PROVIDER)
    | _rows(f"{_NETWORK}.FollowService", ["FollowRegion"], frozenset({Role.PROVINCE}))
    | _rows(f"{_NETWORK}.FollowService", ["FollowDocuments"], _NODES)
    | _rows(f"{_NETWORK}.WitnessService", ["SubmitCosignature", "GetHead"], _REGULATORS)
    | _rows(f"{_NETWORK}.WitnessService", ["GetRangeRoots"], _NODES)
    | _rows(f"{_NETWORK}.WitnessService", ["ProveFinal"], _PROVIDER)
    | _rows(f"{_NETWORK}.WitnessService", ["FetchLog"], frozenset({Role.PROVINCE}))
    | _rows(f"{_NETWORK}.EnrolmentService", ["Enrol"], _EVERYONE)
    | _rows(f"{_NETWORK}.EnrolmentService", ["RenewCertificate"], _NODES)
    | _rows(
        f"{_REGULATOR}.FilingService",
        ["SearchFilings", "GetFiling", "ListRevisions", "GetStatistics", "ExportFilings", "GetReceipt"],
        _READERS,
    )
    | _rows(f"{_REGULATOR}.FilingService", ["DecideFilings"], _DECIDERS)
    | _rows(f"{_REGULATOR}.LabelService", ["SearchLabels", "ListLabelRevisions"], _READERS)
    | _rows(f"{_REGULATOR}.LabelService", ["DecideLabels"], _DECIDERS)
    | _rows(f"{_REGULATOR}.EscalationService", ["ListCases", "GetCase", "ListMeasures", "GetProviderFigures"], _READERS)
    | _rows(f"{_REGULATOR}.EscalationService", ["AssignCase", "DecideCase"], _DECIDERS)
    | _rows(
        f"{_REGULATOR}.RecordService", ["ListHolds", "ListDueRecords", "ListCertificates", "GetCertificate"], _READERS
    )
    | _rows(
        f"{_REGULATOR}.RecordService",
        ["PlaceHold", "LiftHold", "DirectHold", "LiftDirectedHold", "DisposeRecords"],
        _ADMINISTRATORS,
    )
    | _rows(f"{_REGULATOR}.TrustService", ["ListAuthorities", "ListHeldCertificates"], _READERS)
    | _rows(
        f"{_REGULATOR}.TrustService",
        ["AddAuthority", "UseAuthority", "RetireAuthority", "DenyCertificate"],
        _ADMINISTRATORS,
    )
    | _rows(f"{_REGULATOR}.LogService", ["ExportLog", "GetCheckpoint"], _READERS)
    | _rows(f"{_REGULATOR}.PublicService", ["CheckLabel", "SubmitComplaint", "GetComplaint"], _EVERYONE)
    | _rows(f"{_REGULATOR}.NetworkService", ["GetStatus", "ListNodes", "GetPolicy", "PreviewPolicy"], _READERS)
    | _rows(
        f"{_REGULATOR}.NetworkService",
        [
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
        ],
        _ADMINISTRATORS,
    )
    | _rows(
        f"{_PROVIDER_API}.SubjectService",
        [
            "RegisterSubject",
            "GetSubject",
            "ChangeNickname",
            "ChangeIdentity",
            "ReadIdentity",
            "SignAgreement",
            "GetAgreement",
            "DeleteSubject",
        ],
        _BACKEND,
    )
    | _rows(
        f"{_PROVIDER_API}.AccountService",
        [
            "OpenAccount",
            "ReviewAccount",
            "AmendAccount",
            "WithdrawAccount",
            "GetAccount",
            "ListAccounts",
            "ListFilings",
            "ImportAccounts",
            "GetReceipt",
        ],
        _BACKEND,
    )
    | _rows(f"{_PROVIDER_API}.PublicationService", ["CheckPublication"], _BACKEND)
    | _rows(
        f"{_PROVIDER_API}.LabelService",
        ["GrantLabel", "RenewLabel", "NarrowLabel", "RevokeLabel", "GetLabel", "ListLabels"],
        _BACKEND,
    )
    | _rows(
        f"{_PROVIDER_API}.ReportService",
        [
            "SubmitReport",
            "GetOutcome",
            "GetReport",
            "ListReports",
            "AnswerReport",
            "SettleReport",
            "PauseReport",
            "HandOverReport",
            "AuditReports",
        ],
        _BACKEND,
    )
    | _rows(
        f"{_PROVIDER_API}.MeasureService",
        [
            "ApplyMeasure",
            "LiftMeasure",
            "GetMeasure",
            "ListMeasures",
            "SubmitAppeal",
            "DecideAppeal",
            "AppealToRegulator",
            "ListOrders",
            "AnswerOrder",
        ],
        _BACKEND,
    )
    | _rows(
        f"{_PROVIDER_API}.RecordService",
        [
            "PlaceHold",
            "LiftHold",
            "ListHolds",
            "ListDueRecords",
            "DisposeRecords",
            "ListCertificates",
            "GetCertificate",
        ],
        _BACKEND,
    )
    | _rows(f"{_PROVIDER_API}.DutyService", ["FileDutyProfile", "GetDutyProfile"], _BACKEND)
    | _rows(
        f"{_PROVIDER_API}.NodeService",
        ["GetStatus", "ReplayAccount", "ListAuditEntries", "GetKeyRing", "ExportEvidence"],
        _BACKEND,
    )
    | _rows("grpc.health.v1.Health", ["Check", "Watch", "List"], _EVERYONE)
    | _rows("grpc.reflection.v1.ServerReflection", ["ServerReflectionInfo"], _EVERYONE)
    | _rows("grpc.reflection.v1alpha.ServerReflection", ["ServerReflectionInfo"], _EVERYONE)
)
"""Full method name → the roles that may call it."""

NATION_ONLY: Final = frozenset(
    [
        *_names(f"{_NETWORK}.EnrolmentService", ["Enrol", "RenewCertificate"]),
        *_names(f"{_NETWORK}.FollowService", ["FollowRegion"]),
        *_names(f"{_NETWORK}.WitnessService", ["FetchLog"]),
        *_names(
            f"{_REGULATOR}.NetworkService",
            [
                "CreateEnrolmentToken",
                "SetNodeState",
                "SetLicence",
                "TransferProvider",
                "SetEndpoint",
                "AddSigningKey",
                "PublishPolicy",
                "IssueOfficerCertificate",
            ],
        ),
        *(method for method in METHODS if method.startswith(f"/{_REGULATOR}.TrustService/")),
    ]
)
"""Methods that exist at the nation's node only."""

WHILE_SUSPENDED: Final = frozenset(
    [
        *_names(f"{_NETWORK}.IntakeService", ["SubmitEntries", "GetHighWaterMark"]),
        *_names(f"{_NETWORK}.FollowService", ["FollowDirectives", "FollowDocuments"]),
        *_names(f"{_NETWORK}.WitnessService", ["ProveFinal", "GetRangeRoots"]),
        *_names(f"{_NETWORK}.EnrolmentService", ["RenewCertificate"]),
        *(method for method, roles in METHODS.items() if roles == _EVERYONE),
    ]
)
"""Methods that a suspended node may still call: it files nothing, owes its reports all the same (Art. 8(2)), which intake
tells apart, and learns when it may file again. Without a renewal its certificate would end before its suspension does."""


def methods_at(node_name: str) -> Mapping[str, frozenset[Role]]:
    """Returns the rows of the methods that exist at a regulator's node.

    Args:
        node_name: e.g. "regulator/330000".
    """
    if node_name == NATION:
        return METHODS
    return MappingProxyType({method: roles for method, roles in METHODS.items() if method not in NATION_ONLY})


def check_allowed(method: str, caller: Caller, methods: Mapping[str, frozenset[Role]] = METHODS) -> None:
    """Checks that a caller may call a method.

    Args:
        method: full method name, "/package.Service/Method".
        caller: who calls.
        methods: the table.

    Raises:
        Unauthenticated: CREDENTIALS_MISSING, the caller has none and needs some.
        PermissionDenied: METHOD_DENIED, no row allows it; NODE_SUSPENDED, not while the node is suspended.
    """
    roles = methods.get(method)
    if roles is None or caller.role not in roles:
        if caller.role is Role.ANYONE and roles is not None:
            raise Unauthenticated("this call needs a certificate or a bearer token: send one", "CREDENTIALS_MISSING")
        message = f"{caller.name} may not call {method}: ask whoever runs the node for another role"
        raise PermissionDenied(message, "METHOD_DENIED")
    if caller.state != directory_pb2.NODE_STATE_ACTIVE and method not in WHILE_SUSPENDED:
        message = f"{caller.name} is suspended and may not call {method}: settle the suspension with the nation"
        raise PermissionDenied(message, "NODE_SUSPENDED")
