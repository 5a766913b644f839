"""Secrets of connectors, encrypted at rest: by a key beside the records, or one that the settings give.

Fernet does it (AES-128-CBC with HMAC-SHA-256, of `cryptography`). Whoever has a copy of the database alone cannot
read them; whoever has the key and the database can.
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import JSON, Dialect, Engine
from sqlalchemy.types import TypeDecorator

from tocsin.config import Config
from tocsin.errors import TocsinError
from tocsin.store.durable import read_file, sync

log = logging.getLogger(__name__)
KEY_FILE = "encryption.key"
SHORTEST_KEY = 32  # characters, as Kibana asks for
_ENCRYPTED = "encrypted"  # the one member of an object that is kept encrypted


class EncryptionError(TocsinError):
    """A key that cannot be, or one that is missing."""


class Undecryptable(dict[str, Any]):
    """What stands for an object that none of the keys decrypts: it has no members."""


class Cipher:
    """Encrypts objects with the first of some keys, and decrypts them with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or any(len(key) < SHORTEST_KEY for key in keys):
            raise EncryptionError(
                f"a key of encryption has at least {SHORTEST_KEY} characters",
                hint="`openssl rand -hex 32` makes one",
            )
        made = [Fernet(_derived(key)) for key in keys]
        self._first, self._all = made[0], MultiFernet(made)

    def encrypt(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return what is kept for an object."""
        return {_ENCRYPTED: self._first.encrypt(orjson.dumps(value)).decode()}

    def decrypt(self, kept: dict[str, Any]) -> dict[str, Any]:
        """Return the object; an earlier version kept it as it is. Undecryptable where no key is the right one."""
        if not is_encrypted(kept):
            return kept
        try:
            value: dict[str, Any] = orjson.loads(self._all.decrypt(kept[_ENCRYPTED]))
        except InvalidToken:
            return Undecryptable()
        return value

    def is_current(self, kept: dict[str, Any]) -> bool:
        """Return whether the first key encrypted an object."""
        try:
            self._first.decrypt(kept[_ENCRYPTED] if is_encrypted(kept) else b"")
        except InvalidToken:
            return False
        return True


def is_encrypted(kept: dict[str, Any]) -> bool:
    """Return whether an object is kept encrypted."""
    return set(kept) == {_ENCRYPTED} and isinstance(kept[_ENCRYPTED], str)


def open_cipher(folder: Path, key: str | None = None, decryption_only: Sequence[str] = ()) -> Cipher:
    """Return the cipher of a data folder: with a key that is given, or else the folder's, made if missing.

    The folder's key decrypts also beside one that is given. Raises EncryptionError.
    """
    keys = [] if key is None else [key]
    path = folder / KEY_FILE
    if key is None or path.exists():
        keys.append(_key_of(path))
    return Cipher([*keys, *decryption_only])


def cipher_of(config: Config) -> Cipher:
    """Return what connectors are encrypted with. Raises EncryptionError."""
    key = None if config.encryption_key is None else config.encryption_key.get_secret_value()
    return open_cipher(config.data, key, [secret.get_secret_value() for secret in config.decryption_only_keys])


def _key_of(path: Path) -> str:
    """Return the key in a file; one that cannot be is put aside, and the file gets a new one."""
    try:
        key = read_file(path).decode("ascii").strip()
        if len(key) >= SHORTEST_KEY:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                log.warning("%s could be read by others; now its owner alone may", path)
                path.chmod(0o600)
            return key
    except FileNotFoundError:
        return _made(path)
    except UnicodeDecodeError:
        pass
    except OSError as error:
        raise EncryptionError(f"{path} cannot be read: {error.strerror or error}") from None
    aside = path.with_name(f"{KEY_FILE}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    path.rename(aside)
    log.warning("%s holds no key; it is %s now, and there is a new one", path, aside.name)
    return _made(path)


def _made(path: Path) -> str:
    key = secrets.token_urlsafe(32)
    new = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}")
    handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)  # unlike a rename it leaves a key that another process has just made
    except FileExistsError:
        return path.read_text("ascii").strip()
    finally:
        new.unlink()
        sync(path.parent)
    return key


def _derived(key: str) -> bytes:
    """Return a key of Fernet's form; the given one is random already, and needs no slow hash (RFC 5869)."""
    bytes_ = HKDF(SHA256(), 32, salt=None, info=b"tocsin connectors").derive(key.encode())
    return base64.urlsafe_b64encode(bytes_)


_CIPHERS: WeakKeyDictionary[Dialect, Cipher] = (
    WeakKeyDictionary()
)  # a column's type knows the dialect of its database


def use_cipher(engine: Engine, cipher: Cipher) -> None:
    """Encrypt and decrypt with a cipher whatever goes through an engine."""
    _CIPHERS[engine.dialect] = cipher


class EncryptedJSON(TypeDecorator[dict[str, Any]]):
    """A column of objects that are encrypted in the database."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> dict[str, Any] | None:
        """Encrypt."""
        return None if value is None else _cipher(dialect).encrypt(value)

    def process_result_value(self, value: dict[str, Any] | None, dialect: Dialect) -> dict[str, Any] | None:
        """Decrypt."""
        return None if value is None else _cipher(dialect).decrypt(value)


def _cipher(dialect: Dialect) -> Cipher:
    cipher = _CIPHERS.get(dialect)
    if cipher is None:
        raise EncryptionError("these records were opened without the key of their connectors")
    return cipher
