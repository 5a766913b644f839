"""The service as a process: opened, announced, served until it is told to stop, closed."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from tocsin import __version__
from tocsin.api.app import create_app
from tocsin.api.connections import GuardedProtocol
from tocsin.api.demo import Demo
from tocsin.api.logs import set_up_logs
from tocsin.api.service import Service, open_service
from tocsin.config import Config, ConfigError

log = logging.getLogger(__name__)
_GRACE = 3  # seconds that requests have to end when the service stops
# Seconds for which a thread may keep the interpreter: the watch lets go of it hundreds of times a second, and
# should not wait five milliseconds each time while events pour in.
_SWITCH = 0.0005
_FILES = 32_768  # open at most, connections among them


def run(
    config: Config,
    *,
    demo: Demo | None = None,
    say: Callable[[str], None] = print,
    make_app: Callable[[Service], FastAPI] = create_app,
) -> None:
    """Serve until a signal comes. Raises TocsinError for what is wrong with the data directory or the settings.

    `demo` makes it a demonstration. `make_app` makes the application that is served.
    """
    set_up_logs(config.log_level, config.log_format)
    gc.set_threshold(100_000)
    sys.setswitchinterval(_SWITCH)
    _check_certificate(config)
    _raise_file_limit()
    listening = _bound(config)  # before the data directory is touched
    with listening:
        service = open_service(config)
        try:
            _serve(service, make_app(service), listening, demo=demo, say=say)
        finally:
            service.close()
    log.info("stopped; everything acknowledged is on disk")


def _raise_file_limit() -> None:
    """Let the process have as many files open as it may: a thousand hosts keep a thousand connections."""
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ImportError, OSError, ValueError):  # Windows has no such limit
        pass


def _bound(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {config.host}:{config.port}: {error.strerror or error}",
            hint="choose another --port",
        ) from None


def _serve(
    service: Service, app: FastAPI, listening: socket.socket, *, demo: Demo | None, say: Callable[[str], None]
) -> None:
    config = service.config
    scheme = "https" if config.tls else "http"
    host = f"[{config.host}]" if ":" in config.host else config.host
    address = f"{scheme}://{host}:{listening.getsockname()[1]}"
    _welcome(service, address, say)
    if demo is not None:
        demo.start(service, address, say)
    log.info("tocsin %s listens on %s, data in %s", __version__, address, config.data)
    server = _Server(service, app)
    for number in (signal.SIGTERM, signal.SIGINT):  # before uvicorn listens to them, and when it sends them again
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    server.run(sockets=[listening])
    service.stopping = True


class _Server(uvicorn.Server):
    """Lets what requests wait for end as soon as a signal says so, not when each has had its time."""

    def __init__(self, service: Service, app: FastAPI) -> None:
        super().__init__(server_settings(service, app))
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._service.stop()
        super().handle_exit(sig, frame)


def server_settings(service: Service, app: FastAPI | None = None) -> uvicorn.Config:
    """Return how the service is served. Its certificate is one that can be read."""
    config = service.config
    return uvicorn.Config(
        app or create_app(service),
        host=config.host,
        port=config.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=list(config.trusted_proxies),
        ssl_certfile=config.tls_certificate,
        ssl_keyfile=config.tls_key,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE,
        http=GuardedProtocol,
        ws="none",
    )


def _check_certificate(config: Config) -> None:
    """Read the certificate before anything is opened. Raises ConfigError, which names the files."""
    if not config.tls:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(config.tls_certificate or "", config.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{config.tls_certificate} with {config.tls_key} is no certificate: {error}") from None


def _welcome(service: Service, address: str, say: Callable[[str], None]) -> None:
    say(f"tocsin {__version__} on {address}, data in {service.config.data}")
    if service.first_password:
        say(
            "No user had the role admin: this start has made `admin`. Its password is good once, to set another "
            "with:\n"
            f"  one-time password: {service.first_password}\n"
            f"  tocsin users password admin --data '{service.config.data}'"
        )
    if service.without_admin:
        say(
            "warning: no user who may sign in has the role admin, and the name `admin` is taken; make one with:\n"
            f"  tocsin users change NAME --role admin --enable --data '{service.config.data}'"
        )
    if service.config.host not in ("127.0.0.1", "localhost", "::1") and not service.config.tls:
        say(
            "warning: passwords and events cross the network unencrypted; give tls_certificate and tls_key, or "
            "listen on 127.0.0.1 behind a proxy that speaks TLS"
        )
