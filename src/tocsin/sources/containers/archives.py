"""The files of zip and tar archives. What is wrong with one of them does not end the others."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import IO, BinaryIO, Self

from tocsin.errors import InputError, NoTelemetryError
from tocsin.sources.containers.blocks import DamagedError, file_of

_MOST = 100_000  # files of one archive
_BLOCK = 1 << 16
_HEADER = 512  # bytes that a tar archive begins with
_ENCRYPTED = 0x1  # a flag of a file in a zip archive
_HeaderError, _EndError = tarfile.HeaderError, tarfile.EOFHeaderError  # type: ignore[attr-defined]
# What reading a member raises when it is damaged, or written in a way that is not known.
_DAMAGE = (
    EOFError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError, tarfile.TarError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Unread:
    """A file that is no telemetry or cannot be read; those after it still can."""

    name: str
    error: Exception


@dataclass(frozen=True)
class Member:
    """A file of an archive, to be read before the next; where its data stops, `stopped` says so."""

    name: str
    file: BinaryIO
    stopped: list[str]


def is_tar(head: bytes) -> bool:
    """Return whether bytes begin a tar archive, by its header's checksum, which all have, also without `ustar`."""
    if len(head) < _HEADER or not head[148:156].strip(b" \0").isdigit():
        return False
    try:
        tarfile.TarInfo.frombuf(head[:_HEADER], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def is_hidden(path: PurePath) -> bool:
    """Return whether a file in a folder or an archive is hidden; macOS adds such files to archives."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.parts)


def zip_members(name: str, file: BinaryIO) -> Iterator[Member | Unread]:
    """Yield the files of a zip archive. Raises InputError."""
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE:
        raise DamagedError(
            f"{name} is a zip archive without its list of files, which stands at its end: it was cut or damaged",
            hint="get a whole copy, or unpack what is there with `zip -FF`",
        ) from None
    with archive:
        for number, member in enumerate(archive.infolist()):
            inside = f"{name}!{member.filename}"
            if number == _MOST:
                yield _too_many(name)
                return
            if is_hidden(PurePath(member.filename)):
                yield Unread(inside, NoTelemetryError("hidden"))
            elif member.flag_bits & _ENCRYPTED:
                yield Unread(inside, InputError(f"{inside} is encrypted", hint="unpack it with its password"))
            elif not member.is_dir():
                yield from _opened(inside, partial(archive.open, member))


def tar_members(name: str, file: BinaryIO) -> Iterator[Member | Unread]:
    """Yield the files of a tar archive, which is read from its beginning to its end. Raises InputError."""
    ends: list[Exception] = []

    class Info(tarfile.TarInfo):
        """A header; `tarfile` itself takes one that is damaged for the end of the archive."""

        @classmethod
        def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
            try:
                return super().fromtarfile(tarfile)
            except _HeaderError as error:
                ends.append(error)
                raise

    try:
        with tarfile.open(fileobj=file, mode="r|", tarinfo=Info) as archive:
            for number, member in enumerate(archive):
                inside = f"{name}!{member.name}"
                if number == _MOST:
                    yield _too_many(name)
                    return
                if is_hidden(PurePath(member.name)):
                    yield Unread(inside, NoTelemetryError("hidden"))
                elif member.isreg():
                    yield from _opened(inside, partial(archive.extractfile, member))
                elif not member.isdir():
                    yield Unread(inside, NoTelemetryError("a link or a device, no file"))
    except _DAMAGE:
        ends.append(tarfile.ReadError())
    if ends and not isinstance(ends[-1], _EndError):
        what = "the tar archive is cut or damaged; files behind that place are missing"
        yield Unread(name, DamagedError(what))


def _too_many(name: str) -> Unread:
    return Unread(
        name, InputError(f"{name} holds more than {_MOST:,} files", hint="unpack it and name its folder")
    )


def _opened(name: str, opened: Callable[[], IO[bytes] | None]) -> Iterator[Member | Unread]:
    try:
        file = opened()
    except _DAMAGE as error:
        yield Unread(name, DamagedError(f"{name} cannot be unpacked: {_plain(error)}"))
        return
    if file is None:
        return
    stopped: list[str] = []
    with file:
        yield Member(name, file_of(_blocks(file, stopped)), stopped)


def _blocks(file: IO[bytes], stopped: list[str]) -> Iterator[bytes]:
    given = 0
    while True:
        try:
            block = file.read(_BLOCK)
        except _DAMAGE as error:
            stopped.append(f"its data in the archive stops: {_plain(error)}; {given:,} bytes before that are read")
            return
        if not block:
            return
        given += len(block)
        yield block


_PLAIN = (
    (NotImplementedError, "it is compressed in a way that is not known here"),
    (zipfile.BadZipFile, "it is damaged"),
    (zlib.error, "it is damaged"),
    (tarfile.TarError, "the archive ends too early"),
    (EOFError, "the archive ends too early"),
)


def _plain(error: Exception) -> str:
    return next((words for kind, words in _PLAIN if isinstance(error, kind)), str(error))
