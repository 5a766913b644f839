"""The System and Application channels, and any other: who acts, and services above all."""

from tocsin.sources.mapping import Dataset, Kind, register, rows

KINDS = {
    104: Kind(("iam",), ("admin", "change"), "Log clear"),
    7045: Kind(("iam", "configuration"), ("admin", "change"), "service-installed", always="service.name"),
}

_SUBJECT = (
    *rows("SubjectUserSid", "user.id"),
    *rows("SubjectUserName", "user.name", "related.user"),
    *rows("SubjectDomainName", "user.domain"),
)
ROWS = (
    *rows("ServiceName", "service.name"),
    *rows("ServiceType", "service.type", events=(7045,)),
    *rows("AccountName", "winlog.event_data.AccountName", events=(7045,)),
    *_SUBJECT,
)

SYSTEM = register(
    Dataset(
        "system.system",
        "system",
        "logs-system.system-default",
        KINDS,
        ROWS,
        source="Winlogbeat; what 104 and 7045 mean is tocsin's own",
    )
)
APPLICATION = register(
    Dataset("system.application", "system", "logs-system.application-default", {}, _SUBJECT, source="Winlogbeat")
)
# As Winlogbeat ships it: the record as it is.
OTHER = register(
    Dataset("winlog.winlog", "winlog", "logs-winlog.winlog-default", {}, _SUBJECT, source="Winlogbeat")
)
