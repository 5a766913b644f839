"""Sends bulk requests to a running service, or to Elasticsearch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import orjson

from tocsin.errors import TocsinError
from tocsin.ingest.bulk import Action

if TYPE_CHECKING:
    from tocsin.ingest.files import Send

_TRIES = 60  # to a full store, over five minutes


@contextmanager
def remote_sender(url: str, api_key: str | None) -> Iterator[Send]:
    """Yield a function that sends actions to a service; it raises TocsinError if that fails."""
    headers = {"Authorization": f"ApiKey {api_key}"} if api_key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False) as client:

        def send(actions: Sequence[Action]) -> Sequence[dict[str, object]]:
            body = b"".join(_lines(action) for action in actions)
            for _ in range(_TRIES):
                answer = _post(client, url, body)
                if answer.status_code != 429:
                    break
                time.sleep(min(60.0, float(answer.headers.get("retry-after", "5"))))
            if answer.status_code != 200:
                raise TocsinError(f"{url} answers {answer.status_code}: {_reason(answer)}")
            return [next(iter(item.values())) for item in answer.json()["items"]]

        yield send


def _post(client: httpx.Client, url: str, body: bytes) -> httpx.Response:
    try:
        return client.post("/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
    except httpx.HTTPError as error:
        raise TocsinError(f"{url} cannot be reached: {error}", hint="is the service running there?") from None


def _lines(action: Action) -> bytes:
    about = {"_index": action.index, **({} if action.id is None else {"_id": action.id})}
    return orjson.dumps({action.kind: about}) + b"\n" + (action.source or b"{}") + b"\n"


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["reason"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
