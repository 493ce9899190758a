"""Who may call what, said a second time by role and apart from the table: the tests hold the table and live nodes to it.

It is written by hand. A method that is new has to be entered here, in the table and in the contracts.
"""

from __future__ import annotations

from shared.trust.callers import Role

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
ROOTS = {"filingnet.network.v1.WitnessService/GetRangeRoots"}
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
        "Trust": ("ListAuthorities", "ListHeldCertificates"),
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
} | {
    f"filingnet.regulator.v1.{service}Service/{call}"
    for service, calls in {
        "Record": ("PlaceHold", "LiftHold", "DirectHold", "LiftDirectedHold", "DisposeRecords"),
        "Trust": ("AddAuthority", "UseAuthority", "RetireAuthority", "DenyCertificate"),
    }.items()
    for call in calls
}
BACKEND = {
    f"filingnet.provider.v1.{service}Service/{call}"
    for service, calls in {
        "Subject": (
            "RegisterSubject",
            "GetSubject",
            "ChangeNickname",
            "ChangeIdentity",
            "ReadIdentity",
            "SignAgreement",
            "GetAgreement",
            "DeleteSubject",
        ),
        "Account": (
            "OpenAccount",
            "ReviewAccount",
            "AmendAccount",
            "WithdrawAccount",
            "GetAccount",
            "ListAccounts",
            "ListFilings",
            "ImportAccounts",
            "GetReceipt",
        ),
        "Publication": ("CheckPublication",),
        "Label": (
            "GrantLabel",
            "RenewLabel",
            "NarrowLabel",
            "RevokeLabel",
            "GetLabel",
            "ListLabels",
        ),
        "Report": (
            "SubmitReport",
            "GetOutcome",
            "GetReport",
            "ListReports",
            "AnswerReport",
            "SettleReport",
            "PauseReport",
            "HandOverReport",
            "AuditReports",
        ),
        "Measure": (
            "ApplyMeasure",
            "LiftMeasure",
            "GetMeasure",
            "ListMeasures",
            "SubmitAppeal",
            "DecideAppeal",
            "AppealToRegulator",
            "ListOrders",
            "AnswerOrder",
        ),
        "Record": (
            "PlaceHold",
            "LiftHold",
            "ListHolds",
            "ListDueRecords",
            "DisposeRecords",
            "ListCertificates",
            "GetCertificate",
        ),
        "Duty": (
            "FileDutyProfile",
            "GetDutyProfile",
        ),
        "Node": (
            "GetStatus",
            "ReplayAccount",
            "ListAuditEntries",
            "GetKeyRing",
            "ExportEvidence",
        ),
    }.items()
    for call in calls
}

MAY_CALL = {
    Role.NATION: {"filingnet.network.v1.FollowService/FollowLog"} | DOCUMENTS | WITNESS | ROOTS | RENEW,
    Role.PROVINCE: {"filingnet.network.v1.FollowService/FollowRegion", FETCH} | DOCUMENTS | WITNESS | ROOTS | RENEW,
    Role.PROVIDER: {
        "filingnet.network.v1.IntakeService/SubmitEntries",
        "filingnet.network.v1.IntakeService/GetHighWaterMark",
        "filingnet.network.v1.FollowService/FollowDirectives",
        "filingnet.network.v1.WitnessService/ProveFinal",
    }
    | DOCUMENTS
    | ROOTS
    | RENEW,
    Role.READER: READ,
    Role.REVIEWER: READ | DECIDE,
    Role.ADMINISTRATOR: READ | DECIDE | ADMINISTER,
    Role.OPERATOR: READ | DECIDE | ADMINISTER,
    Role.BACKEND: BACKEND,
    Role.ANYONE: set[str](),
}

NATION_ONLY = {
    "filingnet.network.v1.EnrolmentService/Enrol",
    "filingnet.network.v1.EnrolmentService/RenewCertificate",
    "filingnet.network.v1.FollowService/FollowRegion",
    "filingnet.network.v1.WitnessService/FetchLog",
    *(
        f"filingnet.regulator.v1.NetworkService/{call}"
        for call in (
            "CreateEnrolmentToken",
            "SetNodeState",
            "SetLicence",
            "TransferProvider",
            "SetEndpoint",
            "AddSigningKey",
            "PublishPolicy",
            "IssueOfficerCertificate",
        )
    ),
    *(
        f"filingnet.regulator.v1.TrustService/{call}"
        for call in (
            "ListAuthorities",
            "ListHeldCertificates",
            "AddAuthority",
            "UseAuthority",
            "RetireAuthority",
            "DenyCertificate",
        )
    ),
}
"""What exists at the nation's node only."""

LOST_WHEN_SUSPENDED = {
    Role.PROVIDER: set[str](),
    Role.PROVINCE: {"filingnet.network.v1.FollowService/FollowRegion", FETCH} | WITNESS,
}
"""What a suspended node may not call any more."""
