"""Is an executable where it should be, and is it signed? Programs of Windows, and the folders they lie in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.investigation.processes.processes import Process
from tocsin.translatable import N_

_SYSTEM = ("\\Windows\\System32", "\\Windows\\SysWOW64")
_WINDOWS = ("\\Windows",)
_BOTH = (*_SYSTEM, *_WINDOWS)
_POWERSHELL = tuple(f"{folder}\\WindowsPowerShell\\v1.0" for folder in _SYSTEM)
_DEFENDER = ("\\Program Files\\Windows Defender", "\\ProgramData\\Microsoft\\Windows Defender\\Platform\\*")

# The folders of programs that come with Windows, without drive; `*` is one folder of any name.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "at.exe", "attrib.exe", "bitsadmin.exe", "certutil.exe", "cmd.exe", "cmstp.exe", "conhost.exe",
            "consent.exe", "cscript.exe", "csrss.exe", "dllhost.exe", "dwm.exe", "esentutl.exe", "eventvwr.exe",
            "expand.exe", "findstr.exe", "fodhelper.exe", "ftp.exe", "gpupdate.exe", "hostname.exe", "icacls.exe",
            "ipconfig.exe", "logonui.exe", "lsass.exe", "lsaiso.exe", "makecab.exe", "mmc.exe", "mshta.exe",
            "msiexec.exe", "net.exe", "net1.exe", "netsh.exe", "netstat.exe", "nltest.exe", "nslookup.exe",
            "ntoskrnl.exe", "odbcconf.exe", "ping.exe", "powercfg.exe", "qwinsta.exe", "quser.exe", "reg.exe",
            "regsvr32.exe", "rundll32.exe", "runtimebroker.exe", "sc.exe", "schtasks.exe", "services.exe",
            "sihost.exe", "smss.exe", "spoolsv.exe", "svchost.exe", "systeminfo.exe", "takeown.exe",
            "taskhostw.exe", "tasklist.exe", "taskkill.exe", "taskmgr.exe", "userinit.exe", "vssadmin.exe",
            "wbadmin.exe", "wermgr.exe", "werfault.exe", "wevtutil.exe", "where.exe", "whoami.exe", "wininit.exe",
            "winlogon.exe", "wscript.exe", "wsmprovhost.exe", "xcopy.exe",
        ),
        _SYSTEM,
    ),
    **dict.fromkeys(("explorer.exe",), ("\\Windows", "\\Windows\\SysWOW64")),
    **dict.fromkeys(("notepad.exe", "regedit.exe", "hh.exe"), _BOTH),
    **dict.fromkeys(("powershell.exe", "powershell_ise.exe"), _POWERSHELL),
    **dict.fromkeys(("wmic.exe", "wmiprvse.exe", "scrcons.exe"), tuple(f"{folder}\\wbem" for folder in _SYSTEM)),
    **dict.fromkeys(("mpcmdrun.exe", "msmpeng.exe", "nissrv.exe"), _DEFENDER),
    **dict.fromkeys(
        ("installutil.exe", "msbuild.exe", "regasm.exe", "regsvcs.exe", "csc.exe", "jsc.exe"),
        ("\\Windows\\Microsoft.NET\\Framework\\*", "\\Windows\\Microsoft.NET\\Framework64\\*"),
    ),
}  # fmt: skip
# Folders that every user may write to: programs that are installed do not lie there.
_OPEN = re.compile(
    r"\\users\\public\\|\\appdata\\local\\temp\\|\\windows\\temp\\|\\perflogs\\|\\\$recycle\.bin\\|\\downloads\\"
    r"|^.:\\programdata\\[^\\]+$|^.:\\temp\\|\\windows\\tasks\\|\\windows\\tracing\\",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Remark:
    """What is said of an executable; `state` is good, bad or unknown; `short` is the same in a word or two.

    `text` is translated with places for `values`; `sentence` is it in English.
    """

    state: str
    text: str
    short: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The text with its values."""
        return self.text % self.values


def remarks(process: Process) -> tuple[Remark, ...]:
    """Return what is to be said of where a process's executable lies, and of its signature."""
    return tuple(remark for remark in (_of_place(process), _of_signature(process)) if remark is not None)


def _of_place(process: Process) -> Remark | None:
    path = process.executable.replace("/", "\\").removeprefix("\\\\?\\").removeprefix("\\??\\")
    folder, _, name = path.rpartition("\\")
    if not folder:
        return None
    known = FOLDERS.get(name.lower())
    if known is not None:
        place = re.sub(r"^[a-z]:|^\\device\\harddiskvolume\d+|^\\systemroot(?=\\)", _drive, folder.lower())
        if any(_lies_in(place, place_of_windows) for place_of_windows in known):
            return Remark("good", N_("where Windows has it"))
        return Remark(
            "bad",
            N_("%(name)s of Windows does not lie here, but in %(folder)s"),
            N_("wrong folder"),
            {"name": name, "folder": f"C:{known[0]}"},
        )
    if _OPEN.search(path):
        return Remark("bad", N_("in a folder that every user may write to"), N_("open folder"))
    return None


def _drive(match: re.Match[str]) -> str:
    return "\\windows" if match[0].startswith("\\system") else ""


def _lies_in(folder: str, known: str) -> bool:
    parts, wanted = folder.split("\\"), known.lower().split("\\")
    return len(parts) == len(wanted) and all(
        part == want or want == "*" for part, want in zip(parts, wanted, strict=True)
    )


def _of_signature(process: Process) -> Remark | None:
    signature = process.signature
    if not signature:
        return Remark("unknown", N_("signature not recorded")) if process.recorded else None
    subject = signature.get("subject_name", "")
    status = signature.get("status", "")
    valid = signature.get("trusted") or signature.get("valid") or ("true" if status.lower() in _VALID else "")
    if signature.get("exists") == "false" or (not valid and not subject and not status):
        return Remark("bad", N_("not signed"), N_("not signed"))
    if valid == "true":
        signed = N_("signed by %(subject)s") if subject else N_("signed")
        return Remark("good", signed, values={"subject": subject})
    return Remark("bad", *_NOT_VALID[bool(subject), bool(status)], {"subject": subject, "status": status})


_INVALID = N_("signature not valid")
# By whether it is known who signed, and why the signature is not valid.
_NOT_VALID = {
    (False, False): (_INVALID, _INVALID),
    (False, True): (N_("signature not valid: %(status)s"), _INVALID),
    (True, False): (N_("signature of %(subject)s is not valid"), _INVALID),
    (True, True): (N_("signature of %(subject)s is not valid: %(status)s"), _INVALID),
}
_VALID = ("valid", "trusted")
