"""Parts of a rule's document as the text of a form's field, and back. What cannot be read raises ValueError."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.nesting import is_too_deep
from tocsin.rules.attack import TACTICS

_ATTACK = "https://attack.mitre.org"
_TACTIC_NAMES = {tactic.id: tactic.name for tactic in TACTICS}
_ATTACK_LINE = re.compile(r"(TA\d{4}|T\d{4}(?:\.\d{3})?)\b[\s:]*(.*)")
_SEVERITY_LINE = re.compile(r"(\S+)\s*=\s*(.*?)\s*(?:=>|→)\s*(\w+)")
_MAPPING_LINE = re.compile(r"(not\s+)?(\S+)\s*=\s*(\S+)")
_LARGEST = 2**53 - 1  # that all readers of JSON read exactly
_SPAN = re.compile(r"(\d{1,16})([smh])")


@dataclass(frozen=True)
class ValueForm:
    """How a part of a document is written in a form: `write` gives its text, `read` the part, None for none.

    `tag` is the kind of the form's field: `text`, `area` (several lines), `flag`, or `number`.
    """

    tag: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _read_text(text: str) -> Any:
    return text.strip() or None


def _read_whole_text(text: str) -> Any:
    return text.replace("\r\n", "\n") if text.strip() else None


def _read_lines(text: str) -> Any:
    return [line.strip() for line in text.splitlines() if line.strip()] or None


def _write_lines(value: Any) -> str:
    return "\n".join(map(str, [value] if isinstance(value, str) else value or ()))


def _write_paragraphs(value: Any) -> str:
    return "\n\n".join(str(text).strip() for text in value or ())


def _read_paragraphs(text: str) -> Any:
    parts = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return [part.strip() for part in parts if part.strip()] or None


def _read_number(text: str) -> Any:
    if not text.strip():
        return None
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"is a whole number, not `{text.strip()[:40]}`") from None
    return _checked(number)


def _checked(number: int) -> int:
    if abs(number) > _LARGEST:
        raise ValueError(f"is a number of at most {_LARGEST:,}")
    return number


def _read_json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        value = json.loads(text, parse_int=lambda digits: _checked(int(digits)))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON: {error}") from None
    if is_too_deep(value, text.encode()):
        raise ValueError("is nested too deep")
    return value


def write_json(value: Any) -> str:
    """Return a value as JSON over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _write_threats(value: Any) -> str:
    lines = []
    for threat in value or ():
        lines.append(f"{threat['tactic']['id']} {threat['tactic']['name']}")
        for technique in threat.get("technique") or ():
            lines.append(f"  {technique['id']} {technique['name']}")
            lines += [f"    {sub['id']} {sub['name']}" for sub in technique.get("subtechnique") or ()]
    return "\n".join(lines)


def _read_threats(text: str) -> Any:
    threats: list[dict[str, Any]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _ATTACK_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"has lines such as `TA0011 Command and Control` and `T1105 …`, not `{line[:80]}`")
        id_, name = match[1], match[2].strip() or _TACTIC_NAMES.get(match[1], "")
        if not name:
            raise ValueError(f"lacks the name of {id_}")
        if id_.startswith("TA"):
            tactic = {"id": id_, "name": name, "reference": f"{_ATTACK}/tactics/{id_}/"}
            threats.append({"framework": "MITRE ATT&CK", "tactic": tactic, "technique": []})
            continue
        if not threats:
            raise ValueError(f"names {id_} before a tactic: begin with one, as in `TA0011 Command and Control`")
        techniques = threats[-1]["technique"]
        about = {"id": id_, "name": name, "reference": f"{_ATTACK}/techniques/{id_.replace('.', '/')}/"}
        if "." not in id_:
            techniques.append({**about, "subtechnique": []})
        elif techniques and techniques[-1]["id"] == id_.partition(".")[0]:
            techniques[-1]["subtechnique"].append(about)
        else:
            raise ValueError(f"has {id_} in another place than below {id_.partition('.')[0]}")
    return threats or None


def _write_severities(value: Any) -> str:
    return "\n".join(f"{m.get('field')} = {m.get('value')} => {m.get('severity')}" for m in value or ())


def _read_severities(text: str) -> Any:
    mappings = []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _SEVERITY_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"has lines such as `event.severity = 99 => critical`, not `{line[:80]}`")
        mappings.append({"field": match[1], "operator": "equals", "value": match[2], "severity": match[3]})
    return mappings or None


def _write_risks(value: Any) -> str:
    return "\n".join(str(mapping.get("field", "")) for mapping in value or ())


def _read_risks(text: str) -> Any:
    return [{"field": name, "operator": "equals", "value": ""} for name in _read_lines(text) or ()] or None


def _write_mapping(value: Any) -> str:
    groups = []
    for group in value or ():
        entries = group.get("entries") or ()
        lines = (f"{'not ' if e.get('negate') else ''}{e.get('field')} = {e.get('value')}" for e in entries)
        groups.append("\n".join(lines))
    return "\n\n".join(groups)


def _read_mapping(text: str) -> Any:
    groups = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()):
        entries = []
        for line in filter(None, map(str.strip, block.splitlines())):
            match = _MAPPING_LINE.fullmatch(line)
            if match is None:
                raise ValueError(
                    f"has lines such as `file.hash.sha256 = threat.indicator.file.hash.sha256`, not `{line[:80]}`"
                )
            about: dict[str, Any] = {"field": match[2], "type": "mapping", "value": match[3]}
            entries.append({**about, "negate": True} if match[1] else about)
        if entries:
            groups.append({"entries": entries})
    return groups or None


def _write_cardinalities(value: Any) -> str:
    return "\n".join(f"{entry.get('field')} = {entry.get('value')}" for entry in value or ())


def _read_cardinalities(text: str) -> Any:
    entries = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, number = (part.strip() for part in line.partition("="))
        if not name or not number.isdecimal() or len(number) > len(str(_LARGEST)):
            raise ValueError(f"has lines such as `destination.ip = 10`, not `{line[:80]}`")
        entries.append({"field": name, "value": _checked(int(number))})
    return entries or None


def _write_span(value: Any) -> str:
    return f"{value.get('value', '')}{value.get('unit', '')}" if isinstance(value, Mapping) else ""


def _read_span(text: str) -> Any:
    if not text.strip():
        return None
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"is a span of time such as 5m or 24h, not `{text.strip()[:40]}`")
    return {"value": _checked(int(match[1])), "unit": match[2]}


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def _as_flag(value: Any) -> str:
    return "on" if value else ""


TEXT = ValueForm("text", _as_text, _read_text)
WHOLE_TEXT = ValueForm("area", _as_text, _read_whole_text)
NUMBER = ValueForm("number", _as_text, _read_number)
LINES = ValueForm("area", _write_lines, _read_lines)
PARAGRAPHS = ValueForm("area", _write_paragraphs, _read_paragraphs)
FLAG = ValueForm("flag", _as_flag, lambda text: True if text else None)
SWITCH = ValueForm("flag", _as_flag, bool)
BUILDING_BLOCK = ValueForm("flag", _as_flag, lambda text: "default" if text else None)
JSON = ValueForm("area", lambda value: "" if value in (None, [], {}) else write_json(value), _read_json)
THREATS = ValueForm("area", _write_threats, _read_threats)
SEVERITIES = ValueForm("area", _write_severities, _read_severities)
RISKS = ValueForm("area", _write_risks, _read_risks)
INDICATOR_MAPPING = ValueForm("area", _write_mapping, _read_mapping)
CARDINALITIES = ValueForm("area", _write_cardinalities, _read_cardinalities)
SPAN = ValueForm("text", _write_span, _read_span)


def can_write(form: ValueForm, value: Any) -> bool:
    """Tell whether a form holds all of a value: what it writes is read as the same, but for names it fills in."""
    if form in (THREATS, SEVERITIES, RISKS, INDICATOR_MAPPING, CARDINALITIES, SPAN, LINES):
        try:
            return bool(_plain(form.read(form.write(value))) == _plain(value or None))
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
    return True


def _plain(value: Any) -> Any:
    """Return a value without what a form leaves out: references, types of entries, empty members."""
    if isinstance(value, Mapping):
        left_out = ("reference", "framework", "type")
        return {
            k: p for k, v in value.items() if k not in left_out and (p := _plain(v)) not in (None, [], "", False)
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(member) for member in value]
    return value
