"""STIX patterns: the values that one asks for, where it asks for nothing but values.

The grammar is that of STIX 2.1, section 9. It takes comparisons with `=` and `IN`, joined by OR: each value is an
indicator of its own. What holds only for several together, or in an order, is not what an indicator of Elastic's
says. Hashes of one file joined by AND are taken: each of them names the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lark import Lark, Token, Tree
from lark.exceptions import LarkError

from tocsin.sources.threat_intel.values import KINDS, normalised

_GRAMMAR = r"""
?start: followed
followed: either ("FOLLOWEDBY" either)*
either: both ("OR" both)*
both: qualified ("AND" qualified)*
qualified: observed qualifier*
qualifier: "WITHIN" NUMBER "SECONDS" | "REPEATS" NUMBER "TIMES" | "START" STRING "STOP" STRING
observed: "[" any_of "]" | "(" followed ")"
any_of: all_of ("OR" all_of)*
all_of: test ("AND" test)*
test: PATH NOT? OPERATOR value | PATH NOT? "IN" "(" value ("," value)* ")" -> listed
    | "(" any_of ")" -> within | "EXISTS" PATH -> exists
value: STRING | NUMBER | BOOLEAN
NOT: "NOT"
OPERATOR: "=" | "==" | "!=" | "<>" | "<=" | ">=" | "<" | ">" | "LIKE" | "MATCHES" | "ISSUBSET" | "ISSUPERSET"
BOOLEAN: "true" | "false"
NUMBER: /[+-]?\d+(\.\d+)?/
STRING: /[thb]?'(?:[^'\\]|\\.)*'/s
PATH: /[a-z0-9][a-z0-9-]*:(?:[A-Za-z0-9_-]+|'(?:[^'\\]|\\.)*'|\[(?:\d+|\*)\]|\.)+/
%ignore /\s+/
"""
_PARSER = Lark(_GRAMMAR, parser="lalr", maybe_placeholders=False)
_INDEX = re.compile(r"\[(?:\d+|\*)\]")
# The properties whose values have a field -> the kind of the value. Hashes are known by their names.
_KINDS = {
    "ipv4-addr:value": "ip", "ipv6-addr:value": "ip", "network-traffic:dst_ref.value": "ip",
    "network-traffic:src_ref.value": "ip", "domain-name:value": "domain", "hostname:value": "domain",
    "domain-name:resolves_to_refs.value": "domain", "url:value": "url", "email-addr:value": "email",
    "email-message:from_ref.value": "email", "email-message:sender_ref.value": "email",
    "email-message:to_refs.value": "email", "email-message:subject": "email-subject", "file:name": "filename",
    "file:parent_directory_ref.path": "directory", "directory:path": "directory", "mac-addr:value": "mac",
    "windows-registry-key:key": "registry", "autonomous-system:number": "asn",
    "x509-certificate:serial_number": "x509-serial", "x509-certificate:issuer": "x509-issuer",
    "x509-certificate:subject": "x509-subject",
}  # fmt: skip
_HASHED = ("file:hashes.", "x509-certificate:hashes.", "artifact:hashes.")


@dataclass(frozen=True)
class PatternValue:
    """A value that a pattern asks for, the STIX type of the object that has it, and the value's kind."""

    object_type: str
    kind: str
    value: str


@dataclass
class PatternValues:
    """The values of a pattern, and for each part of it that was not taken the reason."""

    values: list[PatternValue] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def values_of_pattern(pattern: str) -> PatternValues:
    """Return the values that a STIX pattern asks for."""
    values = PatternValues()
    try:
        _read(_PARSER.parse(pattern), values)
    except LarkError:
        values.refused.append("STIX pattern that cannot be parsed")
    except RecursionError:
        values.refused.append("STIX pattern that is nested too deep")
    return values


_TOGETHER = "STIX pattern with AND: it holds only for several values together"
_REFUSED = {
    "followed": "STIX pattern with FOLLOWEDBY: it holds only for several observations in an order",
    "both": _TOGETHER,
    "all_of": _TOGETHER,
    "qualified": "STIX pattern with WITHIN, REPEATS or START: it holds only at a time",
}


def _read(tree: Tree[Token], values: PatternValues) -> None:
    parts = [part for part in tree.children if isinstance(part, Tree)]
    match tree.data:
        case "test" | "listed" | "exists":
            _test(tree, values)
        case name if name in _REFUSED and len(parts) > 1:
            if name != "all_of" or not all(_is_hash(part) for part in parts):
                values.refused.append(_REFUSED[name])
                return
            for part in parts:
                _read(part, values)
        case _:
            for part in parts:
                _read(part, values)


def _is_hash(tree: Tree[Token]) -> bool:
    path = tree.children[0]
    return tree.data == "test" and isinstance(path, Token) and _name(path).startswith("file:hashes.")


def _name(path: str) -> str:
    """Return an object path without quotes and places in lists."""
    return _INDEX.sub("", path).replace("'", "")


def _test(tree: Tree[Token], values: PatternValues) -> None:
    tokens = [part for part in tree.children if isinstance(part, Token)]
    path = next(str(token) for token in tokens if token.type == "PATH")
    operator = next((str(token) for token in tokens if token.type == "OPERATOR"), "IN")
    if tree.data == "exists" or any(token.type == "NOT" for token in tokens):
        values.refused.append("STIX pattern with NOT or EXISTS: it names no value")
        return
    if operator not in ("=", "==", "IN"):
        values.refused.append(f"STIX pattern with {operator}: rules compare whole values")
        return
    name = _name(path)
    object_type = name.partition(":")[0]
    kind = _KINDS.get(name)
    if kind is None and name.startswith(_HASHED):
        kind = KINDS.get(normalised(name.partition(".")[2]))
    if kind is None:
        values.refused.append(f"`{name[:60]}` of STIX has no field of indicators")
        return
    for part in tree.children:
        if isinstance(part, Tree):
            values.values.append(PatternValue(object_type, kind, _value(str(part.children[0]))))


def _value(text: str) -> str:
    if not text.endswith("'"):
        return text
    return re.sub(r"\\(.)", r"\1", text[text.index("'") + 1 : -1], flags=re.DOTALL)
