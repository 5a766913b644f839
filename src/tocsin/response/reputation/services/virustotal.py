"""VirusTotal: reports of files, domains, addresses and URLs by its API v3.

Source: docs.virustotal.com/reference (`/files/{id}`, `/domains/{domain}`, `/ip_addresses/{ip}`, `/urls/{id}`,
of which the id of a URL is its Base64 without padding; the key in `x-apikey`; 404 for what it does not know;
429 beyond the quota). The public API takes 4 requests a minute and 500 a day.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import httpx

from tocsin.investigation.observables import ADDRESS, DOMAIN, HASH, URL
from tocsin.response.reputation.services.service import (
    HARMLESS,
    MALICIOUS,
    SUSPICIOUS,
    UNKNOWN,
    NoVerdictError,
    Question,
    ReputationProvider,
    ServiceQuota,
    ServiceVerdict,
    member,
    number,
)

_SURE = 3  # engines that say malicious: one or two of seventy are often wrong


def _question(path: str) -> Question:
    def ask(address: str, value: str, key: str) -> httpx.Request:
        part = urlsafe_b64encode(value.encode()).decode().rstrip("=") if path == "urls" else quote(value, safe="")
        headers = {"x-apikey": key, "accept": "application/json"}
        return httpx.Request("GET", f"{address}/{path}/{part}", headers=headers)

    return ask


def _read(kind: str, document: Any) -> ServiceVerdict:
    stats = member(document, "data", "attributes", "last_analysis_stats")
    if not isinstance(stats, dict):
        raise NoVerdictError("`last_analysis_stats` of the answer is no object")
    malicious, suspicious = number(stats.get("malicious")), number(stats.get("suspicious"))
    engines = sum(number(stats.get(name)) for name in ("malicious", "suspicious", "harmless", "undetected"))
    if not engines:
        return ServiceVerdict(UNKNOWN, "")
    rating = MALICIOUS if malicious >= _SURE else SUSPICIOUS if malicious + suspicious else HARMLESS
    return ServiceVerdict(rating, f"{malicious} of {engines} engines: malicious; {suspicious}: suspicious")


VIRUSTOTAL = ReputationProvider(
    id="virustotal",
    name="VirusTotal",
    address="https://www.virustotal.com/api/v3",
    limits=(ServiceQuota(4, 60), ServiceQuota(500, 86_400)),
    questions={
        HASH: _question("files"),
        DOMAIN: _question("domains"),
        ADDRESS: _question("ip_addresses"),
        URL: _question("urls"),
    },
    read=_read,
)
