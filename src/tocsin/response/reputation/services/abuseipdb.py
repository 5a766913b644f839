"""AbuseIPDB: what people report of addresses, by its API v2.

Source: docs.abuseipdb.com (`GET /check` with `ipAddress` and `maxAgeInDays`; the key in `Key`; 429 with `Retry-
After` beyond the quota). A free account takes 1,000 checks a day.
"""

from __future__ import annotations

from typing import Any

import httpx

from tocsin.investigation.observables import ADDRESS
from tocsin.response.reputation.services.service import (
    HARMLESS,
    MALICIOUS,
    SUSPICIOUS,
    UNKNOWN,
    ReputationProvider,
    ServiceQuota,
    ServiceVerdict,
    member,
    number,
)

_DAYS = 90
_MALICIOUS, _SUSPICIOUS = 75, 25  # of a confidence of abuse of 100; AbuseIPDB advises to block from 75 on


def _ask(address: str, value: str, key: str) -> httpx.Request:
    params = {"ipAddress": value, "maxAgeInDays": str(_DAYS)}
    return httpx.Request(
        "GET", f"{address}/check", params=params, headers={"key": key, "accept": "application/json"}
    )


def _read(kind: str, document: Any) -> ServiceVerdict:
    score, reports = number(member(document, "data", "abuseConfidenceScore")), member(document, "data")
    total = number(reports.get("totalReports"))
    says = f"confidence of abuse {score} of 100, {total} reports in {_DAYS} days"
    if reports.get("isWhitelisted") is True:
        return ServiceVerdict(HARMLESS, f"{says}; on its list of known good addresses")
    if score >= _MALICIOUS:
        return ServiceVerdict(MALICIOUS, says)
    if score >= _SUSPICIOUS:
        return ServiceVerdict(SUSPICIOUS, says)
    return ServiceVerdict(HARMLESS if total else UNKNOWN, says)


ABUSEIPDB = ReputationProvider(
    id="abuseipdb",
    name="AbuseIPDB",
    address="https://api.abuseipdb.com/api/v2",
    limits=(ServiceQuota(1_000, 86_400),),
    questions={ADDRESS: _ask},
    read=_read,
)
