"""What Sysmon's event 22 says of a DNS query: its status, and each answer with the type of its record.

`QueryResults` is `type:  5 name;::ffff:1.2.3.4;`: addresses stand without a type. `dns_status.tsv` has the names
that winerror.h gives the states.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources

from tocsin.sources import values as v

# Types that Windows' DNS client knows beside those of `values.RECORD_TYPES` (windns.h).
_RECORD_TYPES = v.RECORD_TYPES | {
    "3": "MD", "4": "MF", "7": "MB", "8": "MG", "9": "MR", "10": "NULL", "11": "WKS", "14": "MINFO", "17": "RP",
    "18": "AFSDB", "19": "X25", "20": "ISDN", "21": "RT", "22": "NSAP", "23": "NSAPPTR", "24": "SIG", "25": "KEY",
    "26": "PX", "27": "GPOS", "29": "LOC", "30": "NXT", "31": "EID", "32": "NIMLOC", "34": "ATMA", "36": "KX",
    "37": "CERT", "38": "A6", "40": "SINK", "41": "OPT", "47": "NSEC", "49": "DHCID", "100": "UINFO", "101": "UID",
    "102": "GID", "103": "UNSPEC", "248": "ADDRS", "249": "TKEY", "250": "TSIG", "253": "MAILB", "254": "MAILA",
    "65281": "WINS", "65282": "WINSR",
}  # fmt: skip


@lru_cache(maxsize=16)
def _answers(results: str) -> tuple[tuple[str | None, str | None], ...]:
    """Return the type and the data of each answer, addresses after all others."""
    named: list[tuple[str | None, str | None]] = []
    addresses: list[tuple[str | None, str | None]] = []
    for part in results.split(";"):
        words = part.split()
        if words[:1] == ["type:"] and len(words) > 1:
            named.append((_RECORD_TYPES.get(words[1]), words[2] if len(words) == 3 else None))
        elif address := v.address(part.strip()):
            addresses.append(("AAAA" if ":" in address else "A", address))
    return (*named, *addresses)


def answer_types(results: str) -> list[str] | None:
    """Return the type of each answer that has a known one."""
    return [kind for kind, _data in _answers(results) if kind] or None


def answer_data(results: str) -> list[str] | None:
    """Return the data of each answer that has some."""
    return [data for _kind, data in _answers(results) if data] or None


def status(code: str) -> str:
    """Return the name of a query's status, or the code itself where it is not known."""
    return _statuses().get(code, code)


@cache
def _statuses() -> dict[str, str]:
    text = (resources.files("tocsin.sources.windows") / "dns_status.tsv").read_text("utf-8")
    lines = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {line[0]: line[1] for line in lines}
