"""Security descriptors in Windows' text form (SDDL), as events on changed permissions have them.

`O:BAG:SYD:(A;;GA;;;SY)S:(AU;SA;WD;;;WD)` is an owner, a group and two lists of entries, of which the fields are
type, flags, rights, an object, what it inherits from, and to whom ([MS-DTYP] 2.5.1). The words are the
integration's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.sources.values import number
from tocsin.sources.windows.security.codes import flags
from tocsin.sources.windows.security.identifiers import is_account, name_of

# The integration reads 4670, 4817, 4907 and 4908; these others have the same values.
EVENTS = (4670, 4715, 4817, 4907, 4908, 4911, 4913)
VALUES = ("OldSd", "NewSd")

_PART = re.compile(r"([OGDS]):")
_PARTS = {"O": "Owner", "G": "Group", "D": "Dacl", "S": "Sacl"}
_TYPES = {
    "A": "Access Allowed", "D": "Access Denied", "OA": "Object Access Allowed", "OD": "Object Access Denied",
    "AU": "System Audit", "AL": "System Alarm", "OU": "System Object Audit", "OL": "System Object Alarm",
    "ML": "System Mandatory Label", "SP": "Central Policy ID",
}  # fmt: skip
_RIGHTS = {
    "GA": "Generic All", "GR": "Generic Read", "GW": "Generic Write", "GX": "Generic Execute",
    "RC": "Read Permissions", "SD": "Delete", "WD": "Modify Permissions", "WO": "Modify Owner",
    "RP": "Read All Properties", "WP": "Write All Properties", "CC": "Create All Child Objects",
    "DC": "Delete All Child Objects", "LC": "List Contents", "SW": "All Validated", "LO": "List Object",
    "DT": "Delete Subtree", "CR": "All Extended Rights", "FA": "File All Access", "FR": "File Generic Read",
    "FX": "FILE GENERIC EXECUTE", "FW": "FILE GENERIC WRITE", "KA": "KEY ALL ACCESS", "KR": "KEY READ",
    "KW": "KEY WRITE", "KX": "KEY EXECUTE",
}  # fmt: skip
_BITS = {
    0x80000000: "Generic Read",
    0x40000000: "Generic Write",
    0x20000000: "Generic Execute",
    0x10000000: "Generic All",
    0x02000000: "Maximum Allowed",
    0x01000000: "Access System Security",
    0x00100000: "Syncronize",  # spelled so in the integration
    0x00080000: "Write Owner",
    0x00040000: "Write DACL",
    0x00020000: "Read Control",
    0x00010000: "Delete",
}


def with_descriptors(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return event data with what its descriptors say, as `NewSdDacl0` and its like."""
    described = {
        f"{name}{part}": text
        for name in VALUES
        if isinstance(descriptor := data.get(name), str)
        for part, text in _described(descriptor)
    }
    return {**data, **described} if described else data


def accounts(descriptor: str) -> list[str] | None:
    """Return the well-known accounts that the entries of a descriptor name."""
    grantees = (_grantee(entry) for part, text in _parts(descriptor) if part in "DS" for entry in _entries(text))
    return [name for name in grantees if is_account(name)] or None


def _described(descriptor: str) -> Iterator[tuple[str, str]]:
    for part, text in _parts(descriptor):
        name = _PARTS[part]
        if part in "OG":
            yield name, name_of(text)
        else:
            for index, entry in enumerate(_entries(text)):
                yield f"{name}{index}", _words(entry)


def _parts(descriptor: str) -> Iterator[tuple[str, str]]:
    """Yield the letter and the text of each part; nothing within brackets starts one."""
    bare = "".join(" " if depth else letter for letter, depth in zip(descriptor, _depths(descriptor), strict=True))
    starts = list(_PART.finditer(bare))
    ends = [start.start() for start in starts[1:]] + [len(descriptor)]
    for start, end in zip(starts, ends, strict=False):
        yield start[1], descriptor[start.end() : end].strip()


def _depths(text: str) -> Iterator[int]:
    """Yield for each letter how many brackets are open, with one that it is; those in quotes do not count."""
    depth, quoted = 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += letter == "(" and not quoted
        yield depth
        depth -= letter == ")" and not quoted and depth > 0


def _entries(text: str) -> Iterator[list[str]]:
    """Yield the fields of each entry of a list; an entry may have a condition in brackets of its own."""
    entry: list[str] = []
    for letter, depth in zip(text, _depths(text), strict=True):
        if depth:
            entry.append(letter)
        if letter == ")" and depth == 1:
            yield "".join(entry)[1:-1].split(";")
            entry = []


def _grantee(entry: list[str]) -> str:
    return name_of(entry[5]) if len(entry) > 5 else ""


def _words(entry: list[str]) -> str:
    rights = entry[2] if len(entry) > 2 else ""
    if rights.startswith("0x"):
        named = flags(_BITS, number(rights)) or [rights]
    else:
        named = [_RIGHTS.get(pair, pair) for pair in re.findall("..?", rights)]
    return f"{_grantee(entry)} :{_TYPES.get(entry[0], entry[0])} ([{', '.join(named)}])"
