"""Requests to receivers of actions: to addresses that are allowed, with one deadline, none followed elsewhere.

What matters of an error is whether the request may have been taken: such a one is never sent again unless the
receiver tells a repetition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import orjson

from tocsin.actions.egress import EgressPolicy
from tocsin.actions.masking import MASK
from tocsin.actions.webhook import Answer, ExchangeError, exchange
from tocsin.printable import printable_line
from tocsin.response.host_actions.interface import NotReceivedError, RefusedError, UnansweredError

RECEIVER_TIMEOUT = 30.0  # seconds for one exchange
_MOST_OF_ANSWER = 1 << 20  # bytes of an answer that are read
_SHOWN = 300  # characters of an answer that errors show
_SHORTEST = 4  # characters of a secret that is looked for in a text


class ReceiverClient:
    """Sends requests of one connector.

    `secrets` are taken out of whatever errors show. Certificates are checked unless `verify` is False.
    """

    def __init__(
        self,
        egress: EgressPolicy,
        secrets: Collection[str] = (),
        *,
        seconds: float = RECEIVER_TIMEOUT,
        verify: bool = True,
    ) -> None:
        self._egress, self._seconds, self._verify = egress, seconds, verify
        self._secrets = sorted((secret for secret in secrets if len(secret) >= _SHORTEST), key=len, reverse=True)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Raises NotReceivedError where it was not sent, UnansweredError where it was and no answer came, and
        RefusedError where it may not be sent at all.
        """
        given = httpx.Headers({"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})})
        if json is not None:
            content = orjson.dumps(json)
            given.setdefault("Content-Type", "application/json")
        elif form is not None:
            content = urlencode(form).encode()
            given.setdefault("Content-Type", "application/x-www-form-urlencoded")
        address = url if not query else f"{url}{'&' if '?' in url else '?'}{urlencode(query, quote_via=quote)}"
        try:
            request = httpx.Request(method, address, headers=given, content=content)
        except (httpx.InvalidURL, ValueError, TypeError):  # their texts hold the address or the header
            raise RefusedError("the address or a header of the connector cannot be sent") from None
        try:
            return exchange(
                request, self._egress, self._seconds, verify=self._verify, most_of_answer=_MOST_OF_ANSWER
            )
        except ExchangeError as error:
            reason = f"{_place(request)}: {self.shown(str(error))}"
            if error.lasting:
                raise RefusedError(f"nothing may be sent to {reason}") from None
            if error.sent:
                raise UnansweredError(f"no answer from {reason}") from None
            raise NotReceivedError(f"cannot reach {reason}") from None

    def answer_of(self, answer: Answer) -> Any:
        """Return the JSON of an answer that says yes, None of an empty one.

        Raises NotReceivedError for one that says to come again later, RefusedError for one that says no, or leads
        elsewhere, UnansweredError for one of a receiver that failed, and for one that cannot be read.
        """
        status, text = answer.status, self.shown(answer.text)
        if status in (425, 429):
            raise NotReceivedError(f"the receiver says to come again later ({status}): {text}", answer.retry_after)
        if 300 <= status < 400:
            raise RefusedError(f"the receiver leads elsewhere ({status}), and no redirect is followed")
        if 400 <= status < 500 and status != 408:
            raise RefusedError(f"the receiver says no ({status}): {text}")
        if not 200 <= status < 300:
            raise UnansweredError(f"the receiver failed ({status}): {text}")
        if not answer.text.strip():
            return None
        try:
            return orjson.loads(answer.text)
        except orjson.JSONDecodeError:
            raise UnansweredError(f"the receiver's answer ({status}) is no JSON: {text}") from None

    def shown(self, text: str) -> str:
        """Return a text in one line, cut, and without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        line = re.sub(r"\s+", " ", printable_line(text)).strip()
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _place(request: httpx.Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


def path_part(value: str) -> str:
    """Return a value as one part of an address's path."""
    return quote(value, safe="")


def members(document: Any, *path: str) -> list[Any]:
    """Return the list that a document has at a path of members; an empty one where there is none."""
    value = member(document, *path)
    return value if isinstance(value, list) else []


def member(document: Any, *path: str) -> Any:
    """Return what a document has at a path of members, None where there is nothing."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


class AccessToken:
    """A token that a receiver gives for credentials (OAuth 2.0, RFC 6749, 4.4), and that is good for some time.

    `fetch` asks for one. `send_with` sends a request with it; an answer 401 means that it was not taken, so that
    the request is sent once more with a new token.
    """

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._token: str | None = None

    def send_with(self, send: Callable[[Mapping[str, str]], Answer]) -> Answer:
        """Return the answer to what `send` sends with the headers that it is given."""
        token = self._token
        if token is None:
            token = self._token = self._fetch()
        answer = send({"Authorization": f"Bearer {token}"})
        if answer.status == 401:
            token = self._token = self._fetch()
            answer = send({"Authorization": f"Bearer {token}"})
        return answer


def client_credentials(
    client: ReceiverClient, url: str, id_: str, secret: str, more: Mapping[str, str] | None = None
) -> AccessToken:
    """Return the token that an id and a secret of a client stand for. Fetching it raises ConnectorError.

    No action has been sent where that fails, so that an endpoint of tokens that fails is tried again.
    """

    def fetch() -> str:
        form = {"grant_type": "client_credentials", "client_id": id_, "client_secret": secret, **(more or {})}
        try:
            token = member(client.answer_of(client.send("POST", url, form=form)), "access_token")
        except UnansweredError as error:
            raise NotReceivedError(f"no token was given: {error}") from None
        except RefusedError as error:
            raise RefusedError(f"no token was given: {error}") from None
        if not isinstance(token, str) or not token:
            raise RefusedError("no token was given: the answer has none")
        return token

    return AccessToken(fetch)
