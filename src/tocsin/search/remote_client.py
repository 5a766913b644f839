"""Searches of a service that runs elsewhere, over its interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tocsin.errors import TocsinError
from tocsin.store.alerts.names import ALERTS_INDEX


@contextmanager
def remote_search(url: str, api_key: str | None) -> Iterator[Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """Yield a function that searches a service's events and alerts; it raises TocsinError if that fails."""
    headers = {"Authorization": f"ApiKey {api_key}"} if api_key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False) as client:

        def search(body: Mapping[str, Any]) -> dict[str, Any]:
            try:
                answer = client.post(
                    f"/*,{ALERTS_INDEX}/_search", json=body, params={"ignore_unavailable": "true"}
                )
            except httpx.HTTPError as error:
                hint = "is the service running there?"
                raise TocsinError(f"{url} cannot be reached: {error}", hint=hint) from None
            if answer.status_code != 200:
                raise TocsinError(f"{url} answers {answer.status_code}: {_reason(answer)}")
            result: dict[str, Any] = answer.json()
            return result

        yield search


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["reason"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
