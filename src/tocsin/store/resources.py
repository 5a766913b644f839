"""Errors of resources: no memory, thread, file handle or room. They say nothing about what was being read."""

from __future__ import annotations

import errno
import re

from tocsin.store.events import StoreError

_MEMORY = frozenset({errno.ENOMEM, errno.EAGAIN})  # the latter where no thread can be begun
_RESOURCES = _MEMORY | {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EINTR, errno.EBUSY}
# How libraries in C++ and Rust, and SQLite, report them: by number, or in words.
_NUMBER = re.compile(r"\b(?:os error|errno:?|code:) (\d+)", re.IGNORECASE)
_OF_MEMORY = re.compile(
    r"bad_alloc|out of memory|cannot allocate memory|memory allocation of|malloc of size|realloc of size"
    r"|failed to launch worker thread|start new thread|failed to spawn|resource temporarily unavailable",
    re.IGNORECASE,
)
_OF_OTHERS = re.compile(
    r"too many open files|no space left on device|disk quota exceeded|database or disk is full"
    r"|unable to open database file",
    re.IGNORECASE,
)


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether something failed for want of memory or of a thread."""
    return any(isinstance(cause, MemoryError) or _is(cause, _MEMORY, _OF_MEMORY) for cause in _with_causes(error))


def is_lack_of_resources(error: BaseException) -> bool:
    """Return whether something failed for want of resources, which says nothing about what was being read."""
    return is_lack_of_memory(error) or any(_is(cause, _RESOURCES, _OF_OTHERS) for cause in _with_causes(error))


def raise_if_lacking(name: str, error: BaseException) -> None:
    """Raise StoreError where something could not be read for want of resources: it is not damaged then."""
    if is_lack_of_resources(error):
        reason = f"{name} cannot be read now: {type(error).__name__}: {error}"
        hint = "nothing is wrong with it: there is no memory, file handle or room on the disk for it"
        raise StoreError(reason, hint=hint) from error


def _is(error: BaseException, numbers: frozenset[int], words: re.Pattern[str]) -> bool:
    text = str(error)
    number_in_text = _NUMBER.search(text)
    number = getattr(error, "errno", None) or (int(number_in_text[1]) if number_in_text else None)
    return number in numbers or words.search(text) is not None


def _with_causes(error: BaseException) -> list[BaseException]:
    """Return an error with those that caused it."""
    errors: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in errors:
        errors.append(cause)
        cause = cause.__cause__ or cause.__context__
    return errors
