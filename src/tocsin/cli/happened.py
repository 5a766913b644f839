"""What happened in an alert's event, in a short sentence: a table has one for each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tocsin.detection.alerts.alert import Alert

Value = Callable[[str], str]
_FIELD = re.compile(r"\{([^{}|]+(?:\|[^{}|]+)*)\}")


def what_happened(alert: Alert) -> str:
    """Return the command line, or for events without one what was done to what; a line a step of a sequence."""
    if alert.members:
        steps = ("(missing)" if member is None else what_happened(member) for member in alert.members)
        return "\n".join(f"{number} {step}" for number, step in enumerate(steps, 1))
    value, command = alert.value, alert.value("process.command_line")
    if command and value("event.category") in ("", "process"):
        return command
    about = " ".join(value(f"event.{name}") for name in ("category", "type", "action", "outcome")).lower()
    sentences = (
        _filled(sentence, value) for words, *sentence in _SENTENCES if all(word in about for word in words.split())
    )
    return next(filter(None, sentences), command)


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
