"""The System and Application channels: services above all."""

from tocsin.sources.mapping import Dataset, Kind, register, rows

KINDS = {
    104: Kind(("iam",), ("admin", "change"), "Log clear"),
    7045: Kind(("iam", "configuration"), ("admin", "change"), "service-installed"),
}

ROWS = (
    *rows("ServiceName", "service.name"),
    *rows("ServiceType", "service.type", events=(7045,)),
    *rows("SubjectUserName", "user.name", "related.user", events=(104,)),
    *rows("SubjectDomainName", "user.domain", events=(104,)),
    *rows("AccountName", "winlog.event_data.AccountName", events=(7045,)),
)

SYSTEM = register(Dataset("system.system", "system", "logs-system.system-default", KINDS, ROWS))
APPLICATION = register(Dataset("system.application", "system", "logs-system.application-default", {}, ()))
# Any other channel, as Winlogbeat ships it: the record as it is.
OTHER = register(Dataset("winlog.winlog", "winlog", "logs-winlog.winlog-default", {}, ()))
