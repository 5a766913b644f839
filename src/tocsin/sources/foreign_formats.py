"""Formats that are not read: what they are called, and what to do with such a file.

Every one is known by its first bytes. What tools print for people is hard to read back without loss, and each of
these tools can write the same events in a format that is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = 4096  # bytes that are looked at


@dataclass(frozen=True)
class ForeignFormat:
    """A format: how its files begin, what they are, and what to do instead.

    Files that hold no events are passed over in a folder; others are reported.
    """

    begins: re.Pattern[bytes]
    what: str
    instead: str
    may_hold_events: bool


def _format(begins: bytes, what: str, instead: str, *, may_hold_events: bool = True) -> ForeignFormat:
    return ForeignFormat(re.compile(rb"\A\s*(?:" + begins + rb")"), what, instead, may_hold_events)


def _other(begins: bytes, what: str) -> ForeignFormat:
    return _format(begins, what, "name the event logs themselves", may_hold_events=False)


_UNPACK = "unpack it, and name the folder"
_EXPORT = "name the log itself (EVTX), or export it with `wevtutil qe LOG /f:xml`"

FOREIGN_FORMATS = (
    # archives and databases
    _format(rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    _format(rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    _format(rb"\x04\x22\x4d\x18", "LZ4 data", "unpack it with `lz4 -d`"),
    _format(rb"\xff\x06\x00\x00sNaPpY", "Snappy data", "unpack it first"),
    _format(rb"\x1f[\x9d\xa0]", "data of `compress` (.Z)", "unpack it with `uncompress`"),
    _format(rb"MSCF", "a Windows cabinet", "unpack it with `expand`, and name the folder"),
    _format(rb"EVF\x09\x0d\x0a", "a disk image of EnCase (E01)", "mount it, and name the folder of its logs"),
    _format(rb"Obj\x01", "an Avro file", "export its events as JSON lines or Parquet"),
    _format(rb"ORC", "an ORC file", "export its events as JSON lines or Parquet"),
    _other(rb"regf", "a hive of the registry"),
    _format(rb"\x30\0\0\0LfLe", "a log of Windows XP or 2003 (EVT)", "save it as EVTX in Event Viewer"),
    _other(rb"(?:\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x0a\x0d\x0d\x0a)", "captured packets"),
    _other(rb"(?:MDMP|PAGEDU)", "a memory dump"),
    _other(rb"\x7fELF|MZ", "a program"),
    # what tools print
    _format(rb"Event\[\d+\]:?\s*\n\s*\S", "text of `wevtutil /f:text`", "export with `wevtutil qe LOG /f:xml`"),
    _format(
        rb"<(?:\?xml[^>]*>\s*<)?Obj(?:s\s|ects[\s>])|#< CLIXML",
        "an object of PowerShell in XML (Export-Clixml, ConvertTo-Xml)",
        "export with `Get-WinEvent … | ForEach-Object { $_.ToXml() }`, or save the log as EVTX",
    ),
    _format(
        rb"(?:[A-Za-z]\w*[ \t]+:[^\n]*\r?\n(?:[ \t]+[^\n]*\r?\n)*){2}",
        "a list that PowerShell prints (Format-List)",
        "export with `Get-WinEvent … | ForEach-Object { $_.ToXml() }`, or save the log as EVTX",
    ),
    _format(
        rb"ProviderName:[^\n]*\s+TimeCreated\s+Id\s",
        "a table that PowerShell prints (Format-Table)",
        "export with `Get-WinEvent … | ForEach-Object { $_.ToXml() }`, or save the log as EVTX",
    ),
    _format(
        rb"\d[^\n]{6,40}\r?\n(?:LogName|SourceName|EventCode|EventType|Category|Keywords|Type)=",
        "raw text of Splunk's classic Windows event logs",
        "search with `renderXml`, or name the log itself (EVTX)",
    ),
    _format(
        rb"(?:<\d{1,3}>)?[^\n]{0,300}?MSWinEventLog[\t ]",
        "syslog of Snare",
        "have it sent as JSON or XML, or " + _EXPORT,
    ),
    _format(rb"(?:<\d{1,3}>)?[^\n]{0,300}?CEF:\d\|", "CEF (Common Event Format)", _EXPORT),
    _format(rb"(?:<\d{1,3}>)?[^\n]{0,300}?LEEF:\d", "LEEF (Log Event Extended Format)", _EXPORT),
    _format(rb"<\d{1,3}>1 [^\n]{0,200}\[NXLOG@14506 ", "syslog of nxlog (RFC 5424)", "send with `to_json()`"),
    _format(
        rb"(?:---\s*\n)?(?:- )?(?:Event|System|EventData):\s*\n\s+\S",
        "events in YAML (as `chainsaw dump` prints them)",
        "write them as JSON (`chainsaw dump --json`), or name the log itself (EVTX)",
    ),
    # what lies beside logs
    _other(rb"SQLite format 3\0", "an SQLite database"),
    _other(rb"(?i:<!DOCTYPE html|<html)", "a web page"),
    _other(rb"%PDF-", "a PDF document"),
)


def foreign_format(head: bytes) -> ForeignFormat | None:
    """Return the format that is not read and that a file's first bytes show, None for one that is not known."""
    head = head[:_HEAD].removeprefix(b"\xef\xbb\xbf")
    return next((known for known in FOREIGN_FORMATS if known.begins.match(head)), None)
