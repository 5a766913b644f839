"""Is an executable where it should be and signed? Said in words."""

from __future__ import annotations

import pytest

from tocsin.investigation.processes.processes import Process
from tocsin.investigation.processes.windows_executables import remarks

UNKNOWN = ("unknown", "signature not recorded")


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("C:\\Windows\\System32\\cmd.exe", "good"),
        ("c:\\windows\\syswow64\\CMD.EXE", "good"),
        ("\\Device\\HarddiskVolume3\\Windows\\System32\\lsass.exe", "good"),
        ("\\SystemRoot\\System32\\smss.exe", "good"),
        ("\\??\\C:\\Windows\\system32\\winlogon.exe", "good"),
        ("C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.26080.9-0\\MpCmdRun.exe", "good"),
        ("C:\\Windows\\explorer.exe", "good"),
        ("C:\\Windows\\System32\\explorer.exe", "bad"),
        ("C:\\Users\\Public\\svchost.exe", "bad"),
        ("C:\\Windows\\System32\\spool\\svchost.exe", "bad"),
        ("C:\\ProgramData\\x\\y\\MpCmdRun.exe", "bad"),
        ("C:\\Users\\Public\\update.exe", "bad"),
        ("C:\\Users\\ann\\AppData\\Local\\Temp\\1.exe", "bad"),
        ("C:\\Program Files\\Mozilla Firefox\\firefox.exe", None),
        ("svchost.exe", None),
        ("", None),
    ],
)
def test_a_program_of_windows_has_its_folder(path, state):
    (remark, *_), count = remarks(Process("h", executable=path)), len(remarks(Process("h", executable=path)))
    assert (remark.state if count == 2 else None) == state


@pytest.mark.parametrize(
    ("signature", "remark"),
    [
        (None, UNKNOWN),
        ({"trusted": "true", "subject_name": "Microsoft Windows"}, ("good", "signed by Microsoft Windows")),
        ({"status": "Valid"}, ("good", "signed")),
        ({"exists": "false"}, ("bad", "not signed")),
        (
            {"exists": "true", "subject_name": "X", "status": "errorExpired", "trusted": "false"},
            ("bad", "signature of X is not valid: errorExpired"),
        ),
    ],
)
def test_a_signature_is_told(signature, remark):
    (said,) = remarks(Process("h", signature=signature))
    assert (said.state, said.sentence) == remark
