"""What happened in an alert's event, in a short sentence: a table has one for each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tocsin.detection.alerts.alert import Alert

Value = Callable[[str], str]
_FIELD = re.compile(r"\{([^{}|]+(?:\|[^{}|]+)*)\}")
_IMAGE = re.compile(r'\s*(?:"[^"]*"|\S+)')  # what a command line begins with
_URL = re.compile(r"(?:https?|ftp)://[^\s\"'<>|)]+", re.IGNORECASE)
# What tells programs of Windows, and those that came to it, to fetch something.
_FETCHES = re.compile(
    r"download|urlcache|verifyctl|invoke-webrequest|\biwr\b|start-bitstransfer|/transfer|\bcurl\b|\bwget\b",
    re.IGNORECASE,
)


def what_happened(alert: Alert) -> str:
    """Return the command line, or for events without one what was done to what; a line a step of a sequence."""
    if alert.members:
        steps = ("(missing)" if member is None else what_happened(member) for member in alert.members)
        return "\n".join(f"{number} {step}" for number, step in enumerate(steps, 1))
    value, command = alert.value, alert.value("process.command_line")
    return command if command and value("event.category") in ("", "process") else _deed(value) or command


def who_did_what(value: Value) -> str:
    """Return a sentence with who did what, and what had started them; `value` gives an event's fields as text.

    It is empty where nothing is known of who or what: an event without any field.
    """
    actor, command = (
        value("process.name") or _file_name(value("process.executable")),
        value("process.command_line"),
    )
    if actor and command and "process" in value("event.category") and "start" in value("event.type"):
        return _began(actor, value, command)
    deed = _deed(value) or command
    if not actor or not deed or any(deed.startswith(word) for word in _WITHOUT_ACTOR):
        return deed
    return f"{actor} {deed}{_started_by(value)}"


def _began(actor: str, value: Value, command: str) -> str:
    """Return what a process was begun to do: what it was told to fetch, or its arguments."""
    url = _URL.search(command)
    if url and _FETCHES.search(command):
        return f"{actor} was told to fetch {url[0]}{_started_by(value)}"
    arguments = _IMAGE.sub("", command, count=1).strip()
    return f"{actor}{_started_by(value) or ' was started'}{f' with {arguments}' if arguments else ''}"


def _started_by(value: Value) -> str:
    parent = value("process.parent.name") or _file_name(value("process.parent.executable"))
    return f", started by {parent}" if parent else ""


def _file_name(path: str) -> str:
    return path.replace("/", "\\").rpartition("\\")[2]


def _about(value: Value) -> str:
    return " ".join(value(f"event.{name}") for name in ("category", "type", "action", "outcome")).lower()


def _deed(value: Value) -> str:
    """Return what was done to what, by the first of the table's sentences that fits; empty if none does."""
    about = _about(value)
    sentences = (
        _filled(sentence, value) for words, *sentence in _SENTENCES if all(word in about for word in words.split())
    )
    return next(filter(None, sentences), "")


def _filled(sentence: Sequence[str], value: Value) -> str:
    """Return a sentence with its fields filled in, nothing where its first part lacks one.

    Later parts are left out by themselves. `{a|b}` is the first of several fields that has a value; `{!verb}` is
    what the event's type or action does.
    """
    parts = [_part(part, value) for part in sentence]
    return "" if parts[0] is None else "".join(part for part in parts if part)


def _part(part: str, value: Value) -> str | None:
    texts: list[str] = []
    for names in _FIELD.findall(part):
        text = (
            _verb(value)
            if names == "!verb"
            else next((content for name in names.split("|") if (content := value(name))), "")
        )
        if not text:
            return None
        texts.append(text)
    rest = iter(texts)
    return _FIELD.sub(lambda _: next(rest), part)


def _verb(value: Value) -> str:
    """Return what was done to the event's object, from its types and its action."""
    type_and_action = f"{value('event.type')} {value('event.action')}".lower()
    return next((verb for word, verb in _VERBS if word in type_and_action), "touched")


# A word of event.type or event.action, and what was done.
_VERBS = (
    ("rename", "renamed"), ("delet", "deleted"), ("overwrite", "overwrote"), ("creat", "created"),
    ("value set", "set"), ("modif", "changed"), ("change", "changed"), ("load", "loaded"), ("open", "opened"),
    ("access", "accessed"), ("install", "installed"), ("set", "set"),
)  # fmt: skip

_ACCOUNT = "{winlog.event_data.TargetUserName|user.target.name|user.name}"
_FROM = " from {source.ip|winlog.event_data.IpAddress|source.domain|winlog.event_data.WorkstationName}"
_DATA = " = {registry.data.strings|winlog.event_data.Details|winlog.event_data.NewValue}"
# Words that an event must have in category, type, action or outcome, and a sentence in parts; the first that can
# be filled in is taken.
_SENTENCES: tuple[tuple[str, ...], ...] = (
    ("registry", "{!verb} {registry.path|winlog.event_data.TargetObject}", _DATA),
    ("load driver", "loaded the driver {dll.path|file.path|winlog.event_data.ImageLoaded}"),
    ("load", "loaded {dll.path|file.path|winlog.event_data.ImageLoaded}"),
    ("library", "loaded {dll.path|file.path}"),
    ("logged-in-special", f"special logon of {_ACCOUNT}", " with {winlog.event_data.PrivilegeList}"),
    (
        "authentication failure",
        f"failed logon of {_ACCOUNT}",
        _FROM,
        " ({winlog.logon.failure.sub_status|winlog.logon.failure.reason|winlog.logon.failure.status})",
    ),
    (
        "authentication",
        f"logon of {_ACCOUNT}",
        _FROM,
        " ({winlog.logon.type|winlog.event_data.AuthenticationPackageName})",
    ),
    ("log clear", "cleared the event log", " {winlog.user_data.Channel}"),
    ("log-clear", "cleared the event log", " {winlog.user_data.Channel}"),
    ("", "asked for {dns.question.name}", " and got {dns.answers.data|dns.resolved_ip}"),
    ("network", "connected to {destination.ip|destination.domain}", ":{destination.port}", _FROM),
    ("pipe", "{!verb} the pipe {winlog.event_data.PipeName|file.name}"),
    ("rename", "renamed {file.Ext.original.path} to {file.path}"),
    ("file", "{!verb} {file.path|file.name}"),
    (
        "",
        "installed the service {winlog.event_data.ServiceName}",
        ": {winlog.event_data.ImagePath|winlog.event_data.ServiceFileName}",
    ),
    (
        "task",
        "{!verb} the scheduled task {winlog.event_data.TaskName}",
        ": {winlog.scheduled_task.actions.command}",
    ),
    ("thread", "began a thread in {winlog.event_data.TargetImage}"),
    ("", "opened {winlog.event_data.TargetImage}", " with access {winlog.event_data.GrantedAccess}"),
    ("token right", "enabled {winlog.event_data.EnabledPrivilegeList}", f" for {_ACCOUNT}"),
    ("", "shared folder {winlog.event_data.ShareName}", "\\{winlog.event_data.RelativeTargetName}", _FROM),
    (
        "iam",
        "{event.action}: {winlog.event_data.TargetUserName|user.target.name|group.name}",
        ", {winlog.event_data.MemberName|winlog.event_data.MemberSid}",
    ),
    ("", "ran {powershell.file.script_block_text}"),
    ("process end", "ended {process.executable|process.name}"),
    ("process start", "started {process.executable|process.name}", " from {process.parent.executable}"),
    ("process creation", "started {process.executable|process.name}", " from {process.parent.executable}"),
    ("", "{event.action} {winlog.event_data.ObjectName|registry.path|file.path|dll.path|destination.ip}"),
    ("", "{registry.path|file.path|dll.path|destination.ip}"),
    ("", "{event.action}", " ({winlog.channel} {event.code})"),
    ("", "{message}"),
    ("", "event {event.code}", " of {winlog.channel|event.dataset}"),
)

# Sentences that are whole: who did it is in them, or nobody is known to have done it.
_WITHOUT_ACTOR = (
    "logon of", "failed logon", "special logon", "installed the service", "shared folder", "event ", "started ",
    "ended ",
)  # fmt: skip
# Every field that a sentence may be made of, for searches that read no others.
SENTENCE_FIELDS = tuple(
    dict.fromkeys(
        [
            "event.category", "event.type", "event.action", "event.outcome", "process.name", "process.executable",
            "process.command_line", "process.parent.name", "process.parent.executable",
            *(
                name
                for _, *sentence in _SENTENCES
                for part in sentence
                for names in _FIELD.findall(part)
                if names != "!verb"
                for name in names.split("|")
            ),
        ]
    )
)  # fmt: skip
