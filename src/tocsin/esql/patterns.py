r"""Patterns that take texts apart: `grok`, `dissect`, and Java's regular expressions, as ES|QL reads them.

Grok is Oniguruma in Ruby's syntax: `^` and `$` are ends of lines, and `(?m)` lets a dot match line breaks.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import regex

from tocsin.ecs import FieldType

_SECONDS = 2.0  # that one pattern may take for one text
_SECONDS_OF_ALL = 30.0  # that all patterns of one run may take
_running = threading.local()
_NAMED = re.compile(r"%\{(\w+)(?::([\w.@\[\]-]+))?(?::(\w+))?\}")
_GROUP = re.compile(r"(?<!\\)((?:\\\\)*)\(\?<([A-Za-z_][\w.@]*)>")
_FLAGS = re.compile(r"\(\?([a-z]*)(-[a-z]+)?([:)])")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)"
# What the names in grok patterns stand for; a name may stand in another one's.
_GROK: Mapping[str, str] = {
    "INT": r"[+-]?\d+",
    "POSINT": r"\b[1-9]\d*\b",
    "NONNEGINT": r"\b\d+\b",
    "NUMBER": _NUMBER,
    "BASE10NUM": _NUMBER,
    "BASE16NUM": r"[+-]?(?:0[xX])?[0-9A-Fa-f]+",
    "WORD": r"\b\w+\b",
    "NOTSPACE": r"\S+",
    "SPACE": r"\s*",
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "QUOTEDSTRING": r'"(?:\\.|[^\\"])*"|\'(?:\\.|[^\\\'])*\'',
    "QS": r"%{QUOTEDSTRING}",
    "UUID": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "MAC": r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}",
    "IPV4": rf"(?<!\d)(?:{_OCTET}\.){{3}}{_OCTET}(?!\d)",
    "IPV6": r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?",
    "IP": r"%{IPV6}|%{IPV4}",
    "HOSTNAME": r"\b[0-9A-Za-z][\w-]{0,62}(?:\.[0-9A-Za-z][\w-]{0,62})*\.?(?!\w)",
    "IPORHOST": r"%{IP}|%{HOSTNAME}",
    "HOSTPORT": r"(?:%{IPORHOST}):%{POSINT}",
    "USERNAME": r"[\w.-]+",
    "USER": r"%{USERNAME}",
    "EMAILADDRESS": r"[\w.+%-]+@(?:%{HOSTNAME})",
    "UNIXPATH": r"(?:/[\w%!$@:.,+~-]*)+",
    "WINPATH": r"(?:[A-Za-z]:|\\)(?:\\[^\\?*]*)+",
    "PATH": r"%{UNIXPATH}|%{WINPATH}",
    "URIPROTO": r"[A-Za-z][A-Za-z0-9+.-]+",
    "URIHOST": r"(?:%{IPORHOST})(?::%{POSINT})?",
    "URIPATH": r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+",
    "URIQUERY": r"[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>-]*",
    "URIPARAM": r"\?%{URIQUERY}",
    "URIPATHPARAM": r"%{URIPATH}(?:%{URIPARAM})?",
    "URI": r"%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
    "MONTH": r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b",
    "MONTHNUM": r"0?[1-9]|1[0-2]",
    "MONTHDAY": r"(?:0[1-9]|[12]\d|3[01]|[1-9])",
    "HOUR": r"(?:2[0-3]|[01]?\d)",
    "MINUTE": r"[0-5]\d",
    "SECOND": r"(?:[0-5]?\d|60)(?:[:.,]\d+)?",
    "TIME": r"(?<!\d)%{HOUR}:%{MINUTE}(?::%{SECOND})(?!\d)",
    "HTTPDATE": r"%{MONTHDAY}/%{MONTH}/(?:%{YEAR}):%{TIME} %{INT}",
    "SYSLOGTIMESTAMP": r"%{MONTH} +%{MONTHDAY} %{TIME}",
    "PROG": r"[\x21-\x5a\x5c\x5e-\x7e]+",
    "YEAR": r"\d{4}|\d{2}",
    "TIMESTAMP_ISO8601": r"\d{4}-\d{2}-\d{2}[T ]\d{2}:?\d{2}(?::?\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?",
    "LOGLEVEL": r"(?i:trace|debug|info(?:rmation)?|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|alert)",
}
_CONVERSIONS = {
    "int": FieldType.LONG,
    "long": FieldType.LONG,
    "float": FieldType.DOUBLE,
    "double": FieldType.DOUBLE,
}


class PatternError(ValueError):
    """A pattern that cannot be read."""


@dataclass(frozen=True)
class Parts:
    """A pattern that takes a text apart: the columns that it makes with their types, and what it finds."""

    columns: Mapping[str, FieldType]
    apply: Callable[[str], Mapping[str, str] | None]


@contextmanager
def bounded_patterns() -> Iterator[None]:
    """Bound the time that patterns take in all: look-around and possessive repetition have no linear form.

    Within it, what takes longer raises TimeoutError.
    """
    _running.until = time.monotonic() + _SECONDS_OF_ALL
    try:
        yield
    finally:
        del _running.until


def _patience() -> float:
    """Return the seconds that the next use of a pattern may take. Raises TimeoutError when none are left."""
    left = getattr(_running, "until", math.inf) - time.monotonic()
    if left <= 0:
        raise TimeoutError(f"patterns took longer than {_SECONDS_OF_ALL:g} s")
    return min(_SECONDS, left)


# ---- regular expressions


@lru_cache(maxsize=1024)
def java_regex(pattern: str) -> regex.Pattern[str]:
    r"""Return a regular expression of Java's, compiled: `\d \w \s` are of ASCII. Raises PatternError."""
    return _compiled(pattern, regex.ASCII)


def replace_all(text: str, pattern: str, by: str) -> str:
    """Return a text with what a pattern of Java's matches replaced; `$1` in `by` is a group."""
    parts = re.split(r"\\(.)|\$(\d)", by)

    def replacement(match: regex.Match[str]) -> str:
        texts: list[str] = [parts[0]]
        for plain, group, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            texts += [plain if plain is not None else match[int(group)] or "", rest]
        return "".join(texts)

    made = replacement if len(parts) > 1 else lambda match: by
    return str(java_regex(pattern).sub(made, text, timeout=_patience()))


def split_all(text: str, pattern: str) -> list[str]:
    """Return the parts of a text between what a pattern of Java's matches."""
    return [part or "" for part in java_regex(pattern).split(text, timeout=_patience())]


def _compiled(pattern: str, flags: int) -> regex.Pattern[str]:
    if re.search(r"\[[^\]]*(?:&&|(?<!\\)\[(?!:))", pattern):
        raise PatternError("a class of characters inside another one is not supported")
    try:
        return regex.compile(pattern, flags | regex.VERSION0)
    except regex.error as error:
        raise PatternError(f"not a regular expression: {error}") from None


# ---- grok


@lru_cache(maxsize=256)
def grok(pattern: str) -> Parts:
    """Return what a grok pattern takes out of a text. Raises PatternError."""
    names: dict[str, tuple[str, FieldType]] = {}

    def group(name: str, kind: FieldType = FieldType.KEYWORD) -> str:
        inner = f"g{len(names)}"
        names[inner] = (name, kind)
        return f"(?P<{inner}>"

    def named(match: re.Match[str], depth: int = 0) -> str:
        syntax, name, kind = match.groups()
        if syntax not in _GROK:
            raise PatternError(f"there is no grok pattern {syntax}")
        if kind is not None and kind not in _CONVERSIONS:
            raise PatternError(f"grok converts to {', '.join(_CONVERSIONS)}, not to {kind}")
        opening = "(?:" if name is None else group(name, _CONVERSIONS.get(str(kind), FieldType.KEYWORD))
        return f"{opening}{_NAMED.sub(named, _GROK[syntax])})"

    text = _FLAGS.sub(lambda m: f"(?{m[1].replace('m', 's')}{(m[2] or '').replace('m', 's')}{m[3]}", pattern)
    text = _GROUP.sub(lambda match: match[1] + group(match[2]), text)
    text = _NAMED.sub(named, text)
    compiled = _compiled(text, regex.MULTILINE)

    def apply(value: str) -> Mapping[str, str] | None:
        match = compiled.search(value, timeout=_patience())
        if match is None:
            return None
        values: dict[str, str] = {}
        for inner, (name, _) in names.items():
            if match[inner] is not None:
                values.setdefault(name, match[inner])
        return values

    return Parts(dict(names.values()), apply)


# ---- dissect


@lru_cache(maxsize=256)
def dissect(pattern: str, separator: str = "") -> Parts:
    """Return what a dissect pattern takes out of a text: keys `%{name}` between what parts them.

    `%{}` and `%{?name}` are passed over, `%{name->}` takes repeated separators, `%{+name}` appends to a key of
    the same name, with a separator between, in the order of `/number` behind the name. Raises PatternError.
    """
    pieces = re.split(r"%\{([^}]*)\}", pattern)
    begin = pieces[0]
    keys: list[str] = []
    ends: list[tuple[str, bool]] = []  # what stands behind each key, and whether it may stand there repeatedly
    for number, (key, after) in enumerate(zip(pieces[1::2], pieces[2::2], strict=True)):
        if not after and number < len(pieces) // 2 - 1:
            raise PatternError("between two keys of a dissect pattern something has to stand")
        padded = key.endswith("->")
        keys.append(key.removesuffix("->"))
        ends.append((after, padded))
    if not keys:
        raise PatternError("a dissect pattern has keys such as %{name}")
    named = [(_name_of(key), key.startswith("+")) for key in keys]
    if any(key.startswith(("*", "&")) for key in keys):
        raise PatternError("a dissect pattern cannot name a key by what another one holds")
    names = [name for (name, _), _ in named if name]

    def apply(value: str) -> Mapping[str, str] | None:
        parts = _dissected(value, begin, ends)
        if parts is None:
            return None
        values: dict[str, str] = {}
        pairs = zip(named, parts, strict=True)
        for ((name, _), appended), part in sorted(pairs, key=lambda pair: pair[0][0][1]):
            if name:
                values[name] = values[name] + separator + part if appended and name in values else part
        return values

    return Parts(dict.fromkeys(names, FieldType.KEYWORD), apply)


def _name_of(key: str) -> tuple[str, int]:
    """Return the name that a key of `dissect` has, empty for what is passed over, and its place in the order."""
    if key.startswith("?"):
        return "", 0
    name, slash, order = key.removeprefix("+").rpartition("/")
    return (name, int(order)) if slash and key.startswith("+") and order.isdigit() else (key.removeprefix("+"), 0)


def _dissected(value: str, begin: str, ends: Sequence[tuple[str, bool]]) -> list[str] | None:
    """Return the parts of a text between what stands before and behind each, None when something is missing.

    Each part ends where what stands behind it is found first; the last one ends with the text.
    """
    if not value.startswith(begin):
        return None
    at = len(begin)
    parts: list[str] = []
    for after, padded in ends[:-1]:
        end = value.find(after, at)
        if end < 0:
            return None
        parts.append(value[at:end])
        at = end + len(after)
        while padded and value.startswith(after, at):
            at += len(after)
    after, padded = ends[-1]
    end = len(value) - len(after)
    if end < at or not value.endswith(after):
        return None
    while padded and after and end - len(after) >= at and value.startswith(after, end - len(after)):
        end -= len(after)
    return [*parts, value[at:end]]
