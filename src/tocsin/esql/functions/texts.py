"""Functions of ES|QL over texts. Facts are from Elastic's ES|QL reference."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus, unquote_plus

from tocsin.ecs import FieldType
from tocsin.esql.functions.function import BOOLEAN, KEYWORD, LONG, Function, Many, Value, several
from tocsin.esql.functions.json_path import json_extract, path_error
from tocsin.esql.patterns import replace_all, split_all


def _substring(text: str, start: int, length: int | None = None) -> str:
    begin = start - 1 if start > 0 else max(0, len(text) + start) if start < 0 else 0
    return text[begin:] if length is None else text[begin : begin + max(0, length)]


def _locate(text: str, part: str, start: int = 1) -> int:
    return text.find(part, max(0, start - 1)) + 1


def _split(text: str, separator: str) -> Value:
    return several(split_all(text, separator) if len(separator) > 1 else text.split(separator))


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _hash(name: str, text: str) -> str:
    return hashlib.new(name.replace("-", ""), text.encode(), usedforsecurity=False).hexdigest()


def _decoded(text: str) -> str | None:
    """Return what a form or the query of a URL means; null for bytes that are no UTF-8."""
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        return None


def _from_base64(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None


def _text(apply: Callable[..., Value], parameters: str = "k", returns: FieldType | int = KEYWORD) -> Function:
    return Function(parameters, returns, apply)


TEXTS: Mapping[str, Function] = {
    "length": _text(len, returns=LONG),
    "byte_length": _text(lambda text: len(text.encode()), returns=LONG),
    "bit_length": _text(lambda text: len(text.encode()) * 8, returns=LONG),
    "to_lower": Function("k", KEYWORD, str.lower, many=Many.EACH),
    "to_upper": Function("k", KEYWORD, str.upper, many=Many.EACH),
    "trim": _text(str.strip),
    "ltrim": _text(str.lstrip),
    "rtrim": _text(str.rstrip),
    "reverse": _text(lambda text: text[::-1]),
    "concat": Function("k", KEYWORD, lambda *parts: "".join(parts), 2, variadic=True),
    "substring": Function("knn", KEYWORD, _substring, 2),
    "left": _text(lambda text, count: text[: max(0, count)], "kn"),
    "right": _text(lambda text, count: text[-count:] if count > 0 else "", "kn"),
    "repeat": _text(lambda text, count: text * count if 0 <= count <= 10_000 else None, "kn"),
    "space": Function("n", KEYWORD, lambda count: " " * count if 0 <= count <= 1_000_000 else None),
    "replace": _text(replace_all, "kKk"),
    "split": _text(_split, "kK"),
    "locate": Function("kkn", LONG, _locate, 2),
    "starts_with": _text(str.startswith, "kk", BOOLEAN),
    "ends_with": _text(str.endswith, "kk", BOOLEAN),
    "contains": _text(lambda text, part: part in text, "kk", BOOLEAN),
    "url_decode": _text(_decoded),
    "url_encode": _text(lambda text: quote_plus(text, safe="*")),
    "url_encode_component": _text(lambda text: quote(text, safe="*")),
    "to_base64": _text(lambda text: base64.b64encode(text.encode()).decode()),
    "from_base64": _text(_from_base64),
    "md5": _text(_digest("md5")),
    "sha1": _text(_digest("sha1")),
    "sha256": _text(_digest("sha256")),
    "hash": _text(_hash, "Kk"),
    "json_extract": Function("kk", KEYWORD, json_extract, misused=lambda given: path_error(given[1])),
}
