"""Rule files, read and written: Elastic's TOML (one rule a file), Kibana's NDJSON export (one a line)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import tomlkit
from pydantic import ValidationError

from tocsin.errors import Place, RuleError
from tocsin.faults import fault_text, field_of
from tocsin.nesting import TOO_DEEP, is_too_deep, too_large_number
from tocsin.rules.model import Rule
from tocsin.text_encoding import as_utf8, decode_text

_FAULTS = 10  # lines of a file that are named one by one
_QUERY = re.compile(r"""^query\s*=\s*("{3}|'{3}|"|')(\n?)""", re.MULTILINE)
_TOML_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


def read_toml(text: str, file: str = "") -> Rule:
    """Read a rule from Elastic's TOML. Raises RuleError with the place of the fault."""
    document = check_toml(text, file)
    body = document.get("rule")
    if not isinstance(body, dict):
        raise RuleError("no rule in this file", hint="a rule is a table named [rule]", file=file)
    extra = {"metadata": document.get("metadata", {}), "transform": document.get("transform", {})}
    return read_rule({**body, **extra}, file, text=text)


def check_toml(text: str, file: str = "") -> dict[str, Any]:
    """Return what TOML holds. Raises RuleError with the place of the fault."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _TOML_PLACE.search(str(error))
        place = Place(int(match[1]), int(match[2])) if match else None
        message = f"not valid TOML: {_TOML_PLACE.sub('', str(error)).strip()}"
        raise RuleError(message, place=place, text=text, file=file) from None
    # TOML has whole numbers of any length and tables of any depth, which no rule can be kept with.
    if is_too_deep(document):
        raise RuleError(f"not a rule: it is {TOO_DEEP}", file=file)
    if (number := too_large_number(document)) is not None:
        message = f"not a rule: a whole number has at most 64 bits, not {number.bit_length():,}"
        raise RuleError(message, file=file)
    return document


def read_ndjson(data: bytes, file: str = "") -> Iterator[Rule | RuleError]:
    """Yield the rules of a Kibana export, or of a JSON document: a rule or an array of rules.

    What is no valid rule yields its error. Other saved objects (exception lists, actions, the summary) are passed
    over.
    """
    documents = list(_documents(as_utf8(data)))
    faults = sum(isinstance(document, orjson.JSONDecodeError) for _, document in documents)
    if faults > 1 and not any(isinstance(document, dict) for _, document in documents):
        message = f"none of its {len(documents):,} lines is a JSON object, so that it holds no rule"
        yield RuleError(
            message, hint="rules are .toml files, or .ndjson and .json as Kibana exports them", file=file
        )
        return
    reported = 0
    for place, document in documents:
        if isinstance(document, orjson.JSONDecodeError):
            reported += 1
            if reported <= _FAULTS:
                yield RuleError(f"{place} is not valid JSON: {document}", file=file)
            elif reported == faults:
                yield RuleError(f"{faults - _FAULTS:,} more lines are not valid JSON", file=file)
        elif isinstance(document, dict) and "rule_id" in document:
            try:
                yield read_rule(document, file, f"{place}: ")
            except RuleError as error:
                yield error


def _documents(data: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the documents of a file with their places; for a line that is not JSON its error."""
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if lines:
        try:
            whole = orjson.loads(data) if len(lines) > 1 or lines[0][1].lstrip().startswith(b"[") else None
        except orjson.JSONDecodeError:
            whole = None
        if whole is not None:
            documents = whole if isinstance(whole, list) else [whole]
            yield from ((f"document {number}", document) for number, document in enumerate(documents, 1))
            return
    for number, line in lines:
        try:
            yield f"line {number}", orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield f"line {number}", error


def read_rule(
    document: Mapping[str, Any], file: str = "", where: str = "", *, strict: bool = False, text: str = ""
) -> Rule:
    """Read a rule from its document, as Kibana writes it. Raises RuleError, which names the fields at fault.

    `text` is the TOML that the document was read from, in which the place of a fault is shown.
    A `strict` reader takes no text for a number, as Kibana takes none.
    """
    try:
        if strict:
            return Rule.model_validate_json(orjson.dumps({**document, "file": file}), strict=True)
        return Rule.model_validate({**document, "file": file})
    except ValidationError as error:
        faults = [f"`{field_of(fault)}` {fault_text(fault)}" for fault in error.errors()]
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        message = f"{where}not a valid rule: {'; '.join(faults[:3])}{more}"
        outermost = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else ""
        raise RuleError(message, place=_line_of(text, outermost), text=text, file=file) from None


def _line_of(text: str, name: str) -> Place | None:
    """Return where a field of a rule stands in TOML, None where it is not written."""
    aliased = "from" if name == "from_" else name
    match = (
        re.search(rf"^[ \t]*(?:\[+rule\.)?(\"?{re.escape(aliased)}\"?)\s*[=\]]", text, re.MULTILINE)
        if aliased
        else None
    )
    if match is None:
        return None
    line, begin = text.count("\n", 0, match.start(1)) + 1, text.rfind("\n", 0, match.start(1)) + 1
    return Place(line, match.start(1) - begin + 1, match.end(1) - begin + 1)


def write_toml(rule: Rule) -> str:
    """Return a rule as TOML in Elastic's layout; reading it gives the same rule."""
    document = tomlkit.document()
    if rule.metadata:
        document["metadata"] = rule.metadata
    if rule.transform:
        document["transform"] = rule.transform
    body = tomlkit.table()
    for name, value in rule.fields().items():
        if value is None:
            continue
        multiline = isinstance(value, str) and "\n" in value
        body[name] = tomlkit.string(value, multiline=True) if multiline else value
    document["rule"] = body
    return tomlkit.dumps(document)


def write_ndjson(rules: Iterable[Rule]) -> bytes:
    """Return rules as Kibana exports them, the summary line at the end."""
    lines = [orjson.dumps(rule.document()) for rule in rules]
    summary = {"exported_count": len(lines), "exported_rules_count": len(lines), "missing_rules": []}
    return b"\n".join([*lines, orjson.dumps(summary)]) + b"\n"


def query_place(file: str, query: str, place: Place) -> tuple[Place, str]:
    """Return a place in a TOML rule's query as a place in its file, and the file's text.

    A file may hold other queries, those of its guide; the rule's is the one that reads as `query` does.
    """
    try:
        text = decode_text(Path(file).read_bytes())
    except (OSError, UnicodeDecodeError):
        return place, ""
    match = next((q for q in _QUERY.finditer(text) if text.startswith(query, q.end())), None)
    if match is None:
        return place, ""
    offset = text.count("\n", 0, match.end())
    inline = 0 if match[2] else match.end() - text.rfind("\n", 0, match.end()) - 1
    shift = inline if place.line == 1 else 0
    return Place(place.line + offset, place.column + shift, place.end + shift if place.end else 0), text
