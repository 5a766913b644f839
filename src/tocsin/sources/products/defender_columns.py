"""Rows of advanced hunting that were projected without `ActionType`: what their other columns say of them.

Which columns each table has: the schema reference of advanced hunting. A row of processes is a start, as Defender
records hardly anything else of the table; in other tables a column with a value sometimes shows the action. Where
none does, the row keeps its table only, and where that is unknown too, what every table has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tocsin.sources.products.defender_actions import (
    FILE,
    IMAGE,
    KINDS,
    LOGON,
    NETWORK,
    NO_TABLE,
    OTHER,
    PROCESS,
    REGISTRY,
)
from tocsin.sources.values import as_text

TIMES = ("Timestamp", "TimeGenerated")
_ACTION, _TABLE = "ActionType", "Type"
_NAMES_OF_TABLE = (_TABLE, "$table", "Table", "SourceTable")
# Columns of one table that others do not have, but for DeviceEvents, which has most.
_OF_TABLES: dict[str, tuple[str, ...]] = {
    PROCESS: (
        "ProcessCommandLine", "ProcessCreationTime", "ProcessId", "ProcessIntegrityLevel", "ProcessTokenElevation",
        "ProcessVersionInfoCompanyName", "ProcessVersionInfoFileDescription", "ProcessVersionInfoInternalFileName",
        "ProcessVersionInfoOriginalFileName", "ProcessVersionInfoProductName", "ProcessVersionInfoProductVersion",
    ),
    REGISTRY: (
        "RegistryKey", "RegistryValueName", "RegistryValueData", "RegistryValueType", "PreviousRegistryKey",
        "PreviousRegistryValueName", "PreviousRegistryValueData",
    ),
    LOGON: ("LogonType", "IsLocalAdmin", "FailureReason"),
    NETWORK: (
        "RemoteIP", "RemotePort", "RemoteUrl", "LocalIP", "LocalPort", "Protocol", "RemoteIPType", "LocalIPType",
    ),
    FILE: (
        "PreviousFileName", "PreviousFolderPath", "FileOriginUrl", "FileOriginReferrerUrl", "FileOriginIP",
        "RequestProtocol", "RequestSourceIP", "RequestSourcePort", "RequestAccountName", "ShareName",
    ),
}  # fmt: skip
# A value in a column that says what was done, by table; an empty name holds for every row.
_ACTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    PROCESS: (("", "ProcessCreated"),),
    IMAGE: (("", "ImageLoaded"),),
    REGISTRY: (("RegistryValueData", "RegistryValueSet"),),
    LOGON: (("FailureReason", "LogonFailed"),),
    FILE: (("PreviousFileName", "FileRenamed"), ("FileOriginUrl", "FileCreated")),
}
# Names that hardly anybody else has.
MARKS = (
    "InitiatingProcessFileName", "InitiatingProcessCommandLine", "InitiatingProcessId",
    "InitiatingProcessFolderPath", "InitiatingProcessCreationTime", "InitiatingProcessAccountName",
    "InitiatingProcessSHA1", "InitiatingProcessSHA256", "InitiatingProcessParentFileName",
    "ProcessCommandLine", "ProcessCreationTime", "ProcessIntegrityLevel", "RegistryValueData",
    "PreviousRegistryKey", "IsLocalAdmin", "RemoteIPType", "LocalIPType", "FileOriginUrl", "FileOriginReferrerUrl",
)  # fmt: skip
_BESIDE = (
    "DeviceId", "DeviceName", "ReportId", "FileName", "FolderPath", "MD5", "SHA1", "SHA256", "AccountName",
    "AccountDomain", "AccountSid",
)  # fmt: skip
_MARKS, _NAMES = (
    frozenset(MARKS),
    frozenset((*MARKS, *_BESIDE, *(n for names in _OF_TABLES.values() for n in names))),
)
_SEVERAL = 4  # names of Defender's that show a row without any of the marks


def is_row_without_action(names: Iterable[str]) -> bool:
    """Return whether a row has lost its kind of action in a projection, by several of its other columns."""
    columns = frozenset(names)
    if _ACTION in columns or columns.isdisjoint(TIMES):
        return False
    known = columns & _NAMES
    return len(known) >= _SEVERAL or (len(known) > 1 and not known.isdisjoint(_MARKS))


def completed_by_columns(record: Mapping[str, Any], *, named: bool) -> Mapping[str, Any] | None:
    """Return a row with the table and the kind of action that its columns show, the action empty where none does.

    None for a record that is no such row; one that is `named` as Defender's needs no proof.
    """
    if _ACTION in record or isinstance(record.get("properties"), dict):
        return None
    if not named and not is_row_without_action(record):
        return None
    table = _table_of(record)
    action = next((a for name, a in _ACTIONS.get(table, ()) if not name or as_text(record.get(name))), "")
    return {**record, _ACTION: action, _TABLE: table}


def _table_of(record: Mapping[str, Any]) -> str:
    for name in _NAMES_OF_TABLE:
        if record.get(name) in KINDS:
            return str(record[name])
    tables = {table for table, names in _OF_TABLES.items() if any(as_text(record.get(name)) for name in names)}
    if tables == {LOGON, NETWORK}:  # a logon names where it came from
        return LOGON
    if len(tables) > 1:
        return OTHER
    return next(iter(tables), NO_TABLE)
