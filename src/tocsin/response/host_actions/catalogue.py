"""The kinds of actions: what each needs to know, and which one undoes it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tocsin.errors import InvalidError
from tocsin.translatable import N_

_LONGEST = 4_096  # characters of a parameter
INDICATOR_TYPES = ("sha256", "sha1", "md5", "ip", "domain", "url")
_HASH_LENGTHS = {"sha256": 64, "sha1": 40, "md5": 32}
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}", re.I)


@dataclass(frozen=True)
class ActionParameter:
    """What an action needs to know, by its name in requests. `choices` are all that it may be, if they are few."""

    name: str
    label: str
    required: bool = True
    choices: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class ActionKind:
    """A kind of action. `undone_by` is the kind that undoes it; `on_host` says whether it is done on one host.

    `check` raises InvalidError for parameters that cannot be; it is given those that are there.
    """

    name: str
    label: str
    on_host: bool = True
    parameters: tuple[ActionParameter, ...] = ()
    undone_by: str | None = None
    check: Callable[[Mapping[str, str]], None] = lambda _: None


def _check_process(parameters: Mapping[str, str]) -> None:
    pid = parameters.get("pid")
    if pid is None and "entity_id" not in parameters:
        raise InvalidError("[pid] or [entity_id] names the process")
    if pid is not None and not (pid.isascii() and pid.isdecimal() and 4 < int(pid[:12]) < 1 << 32):
        raise InvalidError("[pid] is the number of a process, above 4: those up to it are Windows' own")


def _check_indicator(parameters: Mapping[str, str]) -> None:
    type_, value = parameters["type"], parameters["value"]
    length = _HASH_LENGTHS.get(type_)
    if length is not None and not re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", value):
        raise InvalidError(f"[value] is no {type_}: that has {length} hexadecimal digits")
    if type_ == "ip":
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            raise InvalidError("[value] is no IP address") from None
        if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local:
            raise InvalidError(f"[value] {value} is of every host itself: it cannot be blocked")
    if type_ == "domain" and not _DOMAIN.fullmatch(value):
        raise InvalidError("[value] is no domain, as in evil.example")
    if type_ == "url" and not _is_url(value):
        raise InvalidError("[value] is no address, as in https://evil.example/a")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and value.isprintable()
    except ValueError:
        return False


def _check_file(parameters: Mapping[str, str]) -> None:
    if not re.fullmatch(r"[0-9a-fA-F]{40}", parameters["sha1"]):
        raise InvalidError("[sha1] is no SHA-1: that has 40 hexadecimal digits")


_PROCESS = (
    ActionParameter("pid", N_("Process id"), required=False),
    ActionParameter("entity_id", N_("Entity id of the process"), required=False),
    ActionParameter("process", N_("Name of the process"), required=False),
)
_INDICATOR = (
    ActionParameter("type", N_("Type of the indicator"), choices=INDICATOR_TYPES),
    ActionParameter("value", N_("Indicator")),
)
_ACCOUNT = (ActionParameter("account", N_("Account"), hint=N_("as the directory knows it, user@example.com say")),)

# In the order in which pages offer them.
ACTION_KINDS: Mapping[str, ActionKind] = {
    kind.name: kind
    for kind in (
        ActionKind("isolate", N_("Isolate host"), undone_by="release"),
        ActionKind("release", N_("Release host")),
        ActionKind("kill_process", N_("Kill process"), parameters=_PROCESS, check=_check_process),
        ActionKind("suspend_process", N_("Suspend process"), parameters=_PROCESS, check=_check_process),
        ActionKind(
            "quarantine_file",
            N_("Stop and quarantine file"),
            parameters=(ActionParameter("sha1", N_("SHA-1 of the file")),),
            check=_check_file,
        ),
        ActionKind(
            "block_indicator",
            N_("Block indicator"),
            on_host=False,
            parameters=_INDICATOR,
            undone_by="unblock_indicator",
            check=_check_indicator,
        ),
        ActionKind(
            "unblock_indicator",
            N_("Unblock indicator"),
            on_host=False,
            parameters=_INDICATOR,
            check=_check_indicator,
        ),
        ActionKind(
            "scan",
            N_("Run scan"),
            parameters=(
                ActionParameter("path", N_("Path"), required=False, hint=N_("a file or folder; all when empty")),
            ),
        ),
        ActionKind("collect_file", N_("Collect file"), parameters=(ActionParameter("path", N_("Path")),)),
        ActionKind(
            "disable_account",
            N_("Disable account"),
            on_host=False,
            parameters=_ACCOUNT,
            undone_by="enable_account",
        ),
        ActionKind("enable_account", N_("Enable account"), on_host=False, parameters=_ACCOUNT),
        ActionKind("reset_credentials", N_("Reset credentials"), on_host=False, parameters=_ACCOUNT),
    )
}


def action_kind(name: str) -> ActionKind:
    """Return a kind of action by its name. Raises InvalidError."""
    kind = ACTION_KINDS.get(name)
    if kind is None:
        raise InvalidError(f"[action] is one of {', '.join(ACTION_KINDS)}")
    return kind


def checked_parameters(kind: ActionKind, given: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters of an action, those that are empty left out. Raises InvalidError, which names one."""
    known = {parameter.name: parameter for parameter in kind.parameters}
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise InvalidError(f"[{unknown[0][:64]}] is no parameter of {kind.name}")
    parameters = {name: str(value).strip() for name, value in given.items() if str(value or "").strip()}
    for name, parameter in known.items():
        value = parameters.get(name)
        if value is None:
            if parameter.required:
                raise InvalidError(f"[{name}] is needed")
            continue
        if len(value) > _LONGEST or "\x00" in value:
            raise InvalidError(f"[{name}] has at most {_LONGEST:,} characters, and none that is NUL")
        if parameter.choices and value not in parameter.choices:
            raise InvalidError(f"[{name}] is one of {', '.join(parameter.choices)}")
    kind.check(parameters)
    return parameters
