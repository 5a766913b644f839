"""What happened in an alert's event, in a short sentence: a table has one for each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tocsin.detection.alerts.alert import Alert
from tocsin.translatable import N_

Value = Callable[[str], str]
Translate = Callable[[str], str]  # gives a text of the tables in a language
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


def who_did_what(value: Value, translate: Translate = str) -> str:
    """Return a sentence with who did what, and what had started them; `value` gives an event's fields as text.

    It is empty where nothing is known of who or what: an event without any field.
    """
    actor, command = (
        value("process.name") or _file_name(value("process.executable")),
        value("process.command_line"),
    )
    if actor and command and "process" in value("event.category") and "start" in value("event.type"):
        return _began(actor, value, command, translate)
    deed, is_whole = _deed_of(value, translate)
    deed = deed or command
    if not actor or not deed or is_whole:
        return deed
    return translate(N_("{actor} {deed}{started_by}")).format(
        actor=actor, deed=deed, started_by=_started_by(value, translate)
    )


def _began(actor: str, value: Value, command: str, translate: Translate) -> str:
    """Return what a process was begun to do: what it was told to fetch, or its arguments."""
    url, started_by = _URL.search(command), _started_by(value, translate)
    if url and _FETCHES.search(command):
        sentence = translate(N_("{actor} was told to fetch {url}{started_by}"))
        return sentence.format(actor=actor, url=url[0], started_by=started_by)
    arguments = _IMAGE.sub("", command, count=1).strip()
    with_ = translate(N_(" with {arguments}")).format(arguments=arguments) if arguments else ""
    return f"{actor}{started_by or translate(N_(' was started'))}{with_}"


def _started_by(value: Value, translate: Translate) -> str:
    parent = value("process.parent.name") or _file_name(value("process.parent.executable"))
    return translate(N_(", started by {parent}")).format(parent=parent) if parent else ""


def _file_name(path: str) -> str:
    return path.replace("/", "\\").rpartition("\\")[2]


def _about(value: Value) -> str:
    return " ".join(value(f"event.{name}") for name in ("category", "type", "action", "outcome")).lower()


def _deed(value: Value) -> str:
    """Return what was done to what, by the first of the table's sentences that fits; empty if none does."""
    return _deed_of(value, str)[0]


def _deed_of(value: Value, translate: Translate) -> tuple[str, bool]:
    """Return what was done to what, and whether that is all: who did it is in it, or nobody is known to have."""
    about = _about(value)
    for words, *sentence in _SENTENCES:
        if all(word in about for word in words.split()) and (deed := _filled(sentence, value, translate)):
            return deed, sentence[0].startswith(_WITHOUT_ACTOR)
    return "", False


def _filled(sentence: Sequence[str], value: Value, translate: Translate) -> str:
    """Return a sentence with its fields filled in, nothing where its first part lacks one.

    Later parts are left out by themselves. `{a|b}` is the first of several fields that has a value; `{!verb}` is
    what the event's type or action does, `{account}` and `{origin}` stand for several fields.
    """
    parts = [_part(translate(part), value, translate) for part in sentence]
    return "" if parts[0] is None else "".join(part for part in parts if part)


def _part(part: str, value: Value, translate: Translate) -> str | None:
    texts: list[str] = []
    for names in _FIELD.findall(part):
        text = (
            translate(_verb(value))
            if names == "!verb"
            else next((content for name in _fields_in(names) if (content := value(name))), "")
        )
        if not text:
            return None
        texts.append(text)
    rest = iter(texts)
    return _FIELD.sub(lambda _: next(rest), part)


def _fields_in(names: str) -> list[str]:
    return _STANDS_FOR.get(names, names).split("|")


def _verb(value: Value) -> str:
    """Return what was done to the event's object, from its types and its action."""
    type_and_action = f"{value('event.type')} {value('event.action')}".lower()
    return next((verb for word, verb in _VERBS if word in type_and_action), _TOUCHED)


_TOUCHED = N_("touched")
# A word of event.type or event.action, and what was done.
_VERBS = (
    ("rename", N_("renamed")), ("delet", N_("deleted")), ("overwrite", N_("overwrote")), ("creat", N_("created")),
    ("value set", N_("set")), ("modif", N_("changed")), ("change", N_("changed")), ("load", N_("loaded")),
    ("open", N_("opened")), ("access", N_("accessed")), ("install", N_("installed")), ("set", N_("set")),
)  # fmt: skip

_STANDS_FOR = {
    "account": "winlog.event_data.TargetUserName|user.target.name|user.name",
    "origin": "source.ip|winlog.event_data.IpAddress|source.domain|winlog.event_data.WorkstationName",
}
_FROM = N_(" from {origin}")
_DATA = " = {registry.data.strings|winlog.event_data.Details|winlog.event_data.NewValue}"
# Words that an event must have in category, type, action or outcome, and a sentence in parts; the first that can
# be filled in is taken.
_SENTENCES: tuple[tuple[str, ...], ...] = (
    ("registry", N_("{!verb} {registry.path|winlog.event_data.TargetObject}"), _DATA),
    ("load driver", N_("loaded the driver {dll.path|file.path|winlog.event_data.ImageLoaded}")),
    ("load", N_("loaded {dll.path|file.path|winlog.event_data.ImageLoaded}")),
    ("library", N_("loaded {dll.path|file.path}")),
    ("logged-in-special", N_("special logon of {account}"), N_(" with {winlog.event_data.PrivilegeList}")),
    (
        "authentication failure",
        N_("failed logon of {account}"),
        _FROM,
        " ({winlog.logon.failure.sub_status|winlog.logon.failure.reason|winlog.logon.failure.status})",
    ),
    (
        "authentication",
        N_("logon of {account}"),
        _FROM,
        " ({winlog.logon.type|winlog.event_data.AuthenticationPackageName})",
    ),
    ("log clear", N_("cleared the event log"), " {winlog.user_data.Channel}"),
    ("log-clear", N_("cleared the event log"), " {winlog.user_data.Channel}"),
    ("", N_("asked for {dns.question.name}"), N_(" and got {dns.answers.data|dns.resolved_ip}")),
    ("network", N_("connected to {destination.ip|destination.domain}"), ":{destination.port}", _FROM),
    ("pipe", N_("{!verb} the pipe {winlog.event_data.PipeName|file.name}")),
    ("rename", N_("renamed {file.Ext.original.path} to {file.path}")),
    ("file", N_("{!verb} {file.path|file.name}")),
    (
        "",
        N_("installed the service {winlog.event_data.ServiceName}"),
        ": {winlog.event_data.ImagePath|winlog.event_data.ServiceFileName}",
    ),
    (
        "task",
        N_("{!verb} the scheduled task {winlog.event_data.TaskName}"),
        ": {winlog.scheduled_task.actions.command}",
    ),
    ("thread", N_("began a thread in {winlog.event_data.TargetImage}")),
    ("", N_("opened {winlog.event_data.TargetImage}"), N_(" with access {winlog.event_data.GrantedAccess}")),
    ("token right", N_("enabled {winlog.event_data.EnabledPrivilegeList}"), N_(" for {account}")),
    ("", N_("shared folder {winlog.event_data.ShareName}"), "\\{winlog.event_data.RelativeTargetName}", _FROM),
    (
        "iam",
        "{event.action}: {winlog.event_data.TargetUserName|user.target.name|group.name}",
        ", {winlog.event_data.MemberName|winlog.event_data.MemberSid}",
    ),
    ("", N_("ran {powershell.file.script_block_text}")),
    ("process end", N_("ended {process.executable|process.name}")),
    ("process start", N_("started {process.executable|process.name}"), N_(" from {process.parent.executable}")),
    ("process creation", N_("started {process.executable|process.name}"), N_(" from {process.parent.executable}")),
    ("", "{event.action} {winlog.event_data.ObjectName|registry.path|file.path|dll.path|destination.ip}"),
    ("", "{registry.path|file.path|dll.path|destination.ip}"),
    ("", "{event.action}", " ({winlog.channel} {event.code})"),
    ("", "{message}"),
    ("", N_("event {event.code}"), N_(" of {winlog.channel|event.dataset}")),
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
                for name in _fields_in(names)
            ),
        ]
    )
)  # fmt: skip
