"""Hybrid Analysis: what sandboxes saw of files, and of files that went to a domain, an address or a URL (API v2).

Source: hybrid-analysis.com/docs/api/v2 (`GET /search/hash`, `POST /search/terms` with `domain`, `host` or
`url`; the key in `api-key`, and a User-Agent that it asks for; 429 beyond the quota). A key takes 200 requests
a minute and 2,000 an hour.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx

from tocsin.investigation.observables import ADDRESS, DOMAIN, HASH, URL
from tocsin.response.reputation.services.service import (
    HARMLESS,
    MALICIOUS,
    SUSPICIOUS,
    NoVerdictError,
    Question,
    ReputationProvider,
    ServiceQuota,
    ServiceVerdict,
    number,
)

_AGENT = "Falcon Sandbox"
_TERMS = {DOMAIN: "domain", ADDRESS: "host", URL: "url"}
_RATINGS = {
    "malicious": MALICIOUS, "suspicious": SUSPICIOUS, "no specific threat": HARMLESS, "whitelisted": HARMLESS,
}  # fmt: skip
_LISTS = ("reports", "result")  # members of an answer that list reports


def _of_hash(address: str, value: str, key: str) -> httpx.Request:
    headers = {"api-key": key, "user-agent": _AGENT, "accept": "application/json"}
    return httpx.Request("GET", f"{address}/search/hash", params={"hash": value}, headers=headers)


def _of_terms(term: str) -> Question:
    def ask(address: str, value: str, key: str) -> httpx.Request:
        headers = {"api-key": key, "user-agent": _AGENT, "accept": "application/json"}
        return httpx.Request("POST", f"{address}/search/terms", data={term: value}, headers=headers)

    return ask


def _read(kind: str, document: Any) -> ServiceVerdict:
    reports = document
    if isinstance(document, dict):
        reports = next((document[name] for name in _LISTS if name in document), None)
    if not isinstance(reports, list):
        raise NoVerdictError("the answer lists no reports")
    objects = [report for report in reports if isinstance(report, dict)]
    ratings = Counter(_RATINGS.get(str(report.get("verdict"))) for report in objects)
    rating = next((rating for rating in (MALICIOUS, SUSPICIOUS, HARMLESS) if ratings[rating]), None)
    if rating is None:
        return ServiceVerdict.unknown()
    score = max((number(report.get("threat_score")) for report in objects), default=0)
    malicious = ratings[MALICIOUS]
    return ServiceVerdict(
        rating, f"{malicious} of {len(objects)} reports: malicious; highest threat score {score}"
    )


HYBRID_ANALYSIS = ReputationProvider(
    id="hybrid_analysis",
    name="Hybrid Analysis",
    address="https://hybrid-analysis.com/api/v2",
    limits=(ServiceQuota(200, 60), ServiceQuota(2_000, 3_600)),
    questions={HASH: _of_hash, **{kind: _of_terms(term) for kind, term in _TERMS.items()}},
    read=_read,
)
