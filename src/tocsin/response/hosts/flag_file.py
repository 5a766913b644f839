"""The flag file of stock osqueryd that has a host enrol here.

Names are those of osquery's docs/wiki/installation/cli-flags.md and deployment/remote.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tocsin.errors import InvalidError

ENROLL, CONFIG, LOG = "/api/v1/osquery/enroll", "/api/v1/osquery/config", "/api/v1/osquery/log"
READ, WRITE = "/api/v1/osquery/distributed/read", "/api/v1/osquery/distributed/write"
CARVE_BEGIN, CARVE_BLOCK = "/api/v1/osquery/carve/begin", "/api/v1/osquery/carve/block"
# Where osquery's packages keep their files.
FOLDERS: Mapping[str, str] = {
    "windows": "C:\\Program Files\\osquery\\",
    "linux": "/etc/osquery/",
    "darwin": "/var/osquery/",
}
CARVE_BLOCK_SIZE = 1 << 20


@dataclass(frozen=True)
class FlagFile:
    """What a flag file is made of: the address of the service, the platform, and how often a host comes."""

    address: str
    platform: str = "windows"
    interval: int = 10
    carves: bool = False
    certificates: str = ""
    secret: str = ""

    def text(self) -> str:
        """Return the file. Raises InvalidError for an address that no host can reach over TLS."""
        folder = FOLDERS[self.platform]
        flags = {
            "tls_hostname": tls_host(self.address),
            "tls_server_certs": self.certificates or f"{folder}tocsin-ca.pem",
            "enroll_secret_path": self.secret or f"{folder}enroll_secret",
            "host_identifier": "uuid",
            "enroll_tls_endpoint": ENROLL,
            "config_plugin": "tls",
            "config_tls_endpoint": CONFIG,
            "config_refresh": "60",
            "logger_plugin": "tls",
            "logger_tls_endpoint": LOG,
            "logger_tls_period": "10",
            "logger_tls_compress": "true",
            "pack_delimiter": "/",
            "disable_distributed": "false",
            "distributed_plugin": "tls",
            "distributed_interval": str(self.interval),
            "distributed_tls_max_attempts": "3",
            "distributed_tls_read_endpoint": READ,
            "distributed_tls_write_endpoint": WRITE,
        }
        if self.carves:
            flags |= {
                "disable_carver": "false", "carver_disable_function": "false",
                "carver_start_endpoint": CARVE_BEGIN,
                "carver_continue_endpoint": CARVE_BLOCK,
                "carver_block_size": str(CARVE_BLOCK_SIZE),
            }  # fmt: skip
        return "".join(f"--{name}={value}\n" for name, value in flags.items())


def tls_host(address: str) -> str:
    """Return host and port of an address as osquery takes them. Raises InvalidError."""
    text = address.strip()
    try:
        parts = urlsplit(text if "//" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        raise InvalidError(f"`{address}` is no address", hint="as in https://tocsin.example:9200") from None
    if parts.scheme != "https" or not parts.hostname or parts.username:
        raise InvalidError(
            f"`{address}` is no address of TLS", hint="osqueryd speaks TLS alone: https://HOST:PORT"
        )
    if parts.path.strip("/"):
        raise InvalidError(f"`{address}` has a path", hint="osqueryd takes a host and a port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port or 443}"
