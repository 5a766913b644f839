"""Sends one message through Apprise, in a process of its own.

Apprise reaches a hundred services with a dozen libraries, which follow redirects and take their own time. In here
an audit hook of Python's sees each connection with the address that it goes to, and refuses what connectors may
not reach. The service ends the process when its time is over.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import apprise

from tocsin.actions.egress import EgressPolicy, networks_of

DELIVERED, UNKNOWN_ADDRESS, REFUSED, FAILED = "delivered", "unknown address", "refused", "failed"
_MEMORY = 2 << 30  # bytes of addresses that the process may take: an answer may be of any length
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR")
_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")


def notify(urls: Sequence[str], title: str, text: str, format_: str) -> str:
    """Send a message to all of some Apprise addresses; return the outcome."""
    sender = _sender(urls)
    return UNKNOWN_ADDRESS if sender is None else _notified(sender, title, text, format_)


def _sender(urls: Sequence[str]) -> apprise.Apprise | None:
    sender = apprise.Apprise()
    return sender if all(sender.add(url) for url in urls) else None


def _notified(sender: apprise.Apprise, title: str, text: str, format_: str) -> str:
    # Apprise converts the text from its format to what each service needs.
    return DELIVERED if sender.notify(body=text, title=title, body_format=format_) else FAILED


def notify_apart(
    urls: Sequence[str], title: str, text: str, format_: str, egress: EgressPolicy, seconds: float
) -> str:
    """Do the same in another process, which reaches only what `egress` allows. Raises TimeoutError, OSError."""
    request = {
        "urls": list(urls), "title": title, "text": text, "format": format_,
        "networks": [str(network) for network in egress.networks],
    }  # fmt: skip
    # A connector uses neither the proxies nor the .netrc of the account that runs the service.
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    try:
        process = subprocess.run(
            [sys.executable, "-m", "tocsin.actions.apprise_process"],
            input=json.dumps(request).encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds,
            env={**environment, "NETRC": os.devnull}, check=False, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    outcome = process.stdout.decode("ascii", "replace").strip()
    return outcome if outcome in (DELIVERED, UNKNOWN_ADDRESS, REFUSED) else FAILED


class Guard:
    """An audit hook that refuses connections, and programs, that connectors may not make or start."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._egress, self.refused = egress, False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an event of Python's. Raises PermissionError."""
        if event in _CONNECTING and arguments[1] is not None:
            if not self._may(arguments[0], arguments[1]):
                self.refused = True
                raise PermissionError("connectors may not reach this address")
        elif event in _PROGRAMS:
            self.refused = True
            raise PermissionError("connectors start no programs")

    def _may(self, connecting: socket.socket, address: Any) -> bool:
        if connecting.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return False
        try:
            ipaddress.ip_address(str(address[0]).partition("%")[0])
        except ValueError:  # a name, which could lead elsewhere than when it is looked up here
            return False
        return self._egress.allows(str(address[0]))


def main() -> None:
    """Send the message that standard input describes, and print the outcome."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    logging.disable()
    request: Mapping[str, Any] = json.load(sys.stdin)
    sender = _sender(request["urls"])
    if sender is None:
        print(UNKNOWN_ADDRESS)
        return
    guard = Guard(EgressPolicy(networks_of(request["networks"])))
    sys.addaudithook(guard)
    outcome = _notified(sender, request["title"], request["text"], request["format"])
    print(REFUSED if guard.refused and outcome != DELIVERED else outcome)


if __name__ == "__main__":
    main()
