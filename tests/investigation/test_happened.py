"""What an alert's event is told as: the command line, or a sentence of what was done to what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.alerts import alert_with
from tocsin.desk.translations import translations
from tocsin.detection.alerts.alert import as_text
from tocsin.investigation.happened import SENTENCE_FIELDS, what_happened, who_did_what
from tocsin.rules.model import Rule

RULE = Rule(rule_id="r", name="R", type="eql", severity="low", risk_score=1)


def told(event: dict[str, Any]) -> str:
    return what_happened(alert_with(RULE, event))


def kind(category: str, type_: str = "", action: str = "", outcome: str = "") -> dict[str, Any]:
    names = {"category": [category] if category else None, "type": [type_], "action": action, "outcome": outcome}
    return {f"event.{name}": value for name, value in names.items() if value}


EVENTS: list[tuple[dict[str, Any], str]] = [
    ({**kind("process", "start"), "process.command_line": "whoami /all"}, "whoami /all"),
    ({"process.command_line": "whoami /all"}, "whoami /all"),
    (
        {**kind("process", "start"), "process.executable": "C:\\a.exe", "process.parent.executable": "C:\\b.exe"},
        "started C:\\a.exe from C:\\b.exe",
    ),
    ({**kind("process", "end"), "process.name": "a.exe"}, "ended a.exe"),
    ({**kind("process", "change", "Image loaded"), "file.path": "C:\\x.dll"}, "loaded C:\\x.dll"),
    ({**kind("library", "start"), "dll.path": "C:\\x.dll", "process.command_line": "a"}, "loaded C:\\x.dll"),
    (
        {
            **kind("process", "access", "ProcessAccess"),
            "winlog.event_data.TargetImage": "lsass.exe",
            "winlog.event_data.GrantedAccess": "0x1410",
        },
        "opened lsass.exe with access 0x1410",
    ),
    (
        {**kind("registry", "change", "RegistryEvent (Value Set)"), "registry.path": "HKLM\\X",
         "registry.data.strings": ["1", "2"]},
        "set HKLM\\X = 1, 2",
    ),
    ({**kind("registry", "deletion"), "registry.path": "HKLM\\X"}, "deleted HKLM\\X"),
    ({**kind("file", "creation"), "file.path": "C:\\a"}, "created C:\\a"),
    (
        {**kind("file", "change", "rename"), "file.path": "C:\\b", "file.Ext.original.path": "C:\\a"},
        "renamed C:\\a to C:\\b",
    ),
    ({**kind("file", "change", "rename"), "file.path": "C:\\b"}, "renamed C:\\b"),
    ({**kind("file", "creation", "PipeEvent (Pipe Created)"), "file.name": "\\x"}, "created the pipe \\x"),
    (
        {**kind("network", "start"), "destination.ip": "10.0.0.1", "destination.port": 443},
        "connected to 10.0.0.1:443",
    ),
    ({**kind("network", "info"), "dns.question.name": "evil.example"}, "asked for evil.example"),
    (
        {**kind("authentication", "start", "logged-in", "success"), "winlog.event_data.TargetUserName": "ann",
         "source.ip": "10.0.0.9", "winlog.logon.type": "Network"},
        "logon of ann from 10.0.0.9 (Network)",
    ),
    (
        {**kind("authentication", "start", "logon-failed", "failure"), "user.name": "ann", "source.ip": "::1"},
        "failed logon of ann from ::1",
    ),
    (
        {**kind("iam", "user", "added-member-to-group"), "group.name": "Administrators",
         "winlog.event_data.MemberName": "CN=ann"},
        "added-member-to-group: Administrators, CN=ann",
    ),
    (
        {**kind("configuration", "change", "service-installed"), "winlog.event_data.ServiceName": "PSEXESVC",
         "winlog.event_data.ImagePath": "C:\\p.exe"},
        "installed the service PSEXESVC: C:\\p.exe",
    ),
    (kind("iam", "admin", "audit-log-cleared"), "cleared the event log"),
    ({"powershell.file.script_block_text": "iex 1"}, "ran iex 1"),
    ({"event.action": "odd", "event.code": "4985", "winlog.channel": "Security"}, "odd (Security 4985)"),
    ({"event.code": "7", "winlog.channel": "Application"}, "event 7 of Application"),
    ({"message": "only words"}, "only words"),
    ({}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("event", "sentence"), EVENTS)
def test_an_event_is_told_in_a_sentence(event: dict[str, Any], sentence: str) -> None:
    assert told(event) == sentence


def sentence(event: dict[str, Any]) -> str:
    return who_did_what(alert_with(RULE, event).value)


START = {**kind("process", "start"), "process.parent.name": "cmd.exe"}
SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {**START, "process.name": "MpCmdRun.exe",
         "process.command_line": "MpCmdRun.exe -DownloadFile -url https://cdn.example.com/a.txt -path C:\\a.txt"},
        "MpCmdRun.exe was told to fetch https://cdn.example.com/a.txt, started by cmd.exe",
    ),
    (
        {**START, "process.executable": "C:\\Windows\\System32\\whoami.exe",
         "process.command_line": '"C:\\Windows\\System32\\whoami.exe" /all'},
        "whoami.exe, started by cmd.exe with /all",
    ),
    (
        {**kind("process", "start"), "process.name": "a.exe", "process.command_line": "a.exe https://example.com"},
        "a.exe was started with https://example.com",
    ),
    ({**kind("process", "start"), "process.name": "a.exe", "process.command_line": "a"}, "a.exe was started"),
    (
        {**kind("process", "start"), "process.executable": "C:\\a.exe", "process.parent.executable": "C:\\b.exe"},
        "started C:\\a.exe from C:\\b.exe",
    ),
    (
        {**kind("network", "start"), "process.name": "a.exe", "destination.ip": "10.0.0.1",
         "destination.port": 443},
        "a.exe connected to 10.0.0.1:443",
    ),
    (
        {**kind("registry", "change", "RegistryEvent (Value Set)"), "process.executable": "C:\\a.exe",
         "process.command_line": "a.exe /x", "registry.path": "HKLM\\X"},
        "a.exe set HKLM\\X",
    ),
    (
        {**kind("authentication", "start", "logged-in", "success"), "user.name": "ann",
         "process.name": "lsass.exe"},
        "logon of ann",
    ),
    ({}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("event", "told"), SENTENCES)
def test_a_sentence_says_who_did_what_and_who_had_started_them(event: dict[str, Any], told: str) -> None:
    assert sentence(event) == told
    assert set(event) <= set(SENTENCE_FIELDS)


FETCH = {
    **kind("process", "start"), "process.name": "MpCmdRun.exe", "process.parent.name": "cmd.exe",
    "process.command_line": "MpCmdRun.exe -DownloadFile -url https://cdn.example.com/a.txt",
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (FETCH, "MpCmdRun.exe 受命下载 https://cdn.example.com/a.txt，由 cmd.exe 启动"),
        (
            {
                **kind("network", "start"),
                "destination.ip": "10.0.0.1",
                "destination.port": 443,
                "process.name": "a",
            },
            "a 连接到 10.0.0.1:443",
        ),
        ({**kind("registry", "deletion"), "registry.path": "HKLM\\X", "process.name": "a"}, "a 删除了 HKLM\\X"),
        ({**kind("authentication", "start", "logged-in", "failure"), "user.name": "bob"}, "bob 登录失败"),
        ({**kind("file", "creation"), "file.path": "{actor}", "process.name": "{deed}"}, "{deed} 创建了 {actor}"),
    ],
)
def test_a_sentence_in_another_language(event, sentence):
    """All of it but the values is of the catalogue; values that look like its places are values."""
    assert who_did_what(lambda name: as_text(event.get(name)), translations("zh-CN").gettext) == sentence
