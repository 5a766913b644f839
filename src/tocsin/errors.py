"""Errors that a person can act on: what is wrong, where it is, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A line's end that a value brings along: a message's own further lines stand in by two blanks.
_FORGED = re.compile(r"\n(?!  )")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text: line and column count from 1, `end` is the column after the last character."""

    line: int
    column: int
    end: int = 0


class TocsinError(Exception):
    """An error with a message, a hint and, where it has one, a place in a file or query.

    `str()` gives one line for a log; `explain()` adds the source line with a caret and the hint.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        place: Place | None = None,
        text: str = "",
        file: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place
        self.text = text
        self.file = file

    def __str__(self) -> str:
        where = self.file
        if self.place is not None:
            position = f"line {self.place.line}, column {self.place.column}"
            where = f"{where}, {position}" if where else position
        head = f"{where}: {self.message}" if where else self.message
        return f"{head} ({self.hint})" if self.hint else head

    def explain(self) -> str:
        """Return the message over several lines: where, what, the source line with a caret, the hint."""
        lines = [_FORGED.sub(r"\\n", f"{self.file}: {self.message}" if self.file else self.message)]
        if self.place is not None:
            source = self.text.splitlines()
            if 0 < self.place.line <= len(source):
                width = max(1, self.place.end - self.place.column)
                number = f"{self.place.line:>4} | "
                lines.append(number + source[self.place.line - 1])
                lines.append(" " * (len(number) + self.place.column - 1) + "^" * width)
            else:
                lines.append(f"  at line {self.place.line}, column {self.place.column}")
        if self.hint:
            lines.append(_FORGED.sub(r"\\n", f"  hint: {self.hint}"))
        return "\n".join(lines)


class QueryError(TocsinError):
    """A query that cannot be parsed or fails its check."""


class UnknownFieldError(QueryError):
    """A query that names a field that no schema knows: it may be one that no event has brought along yet."""

    def __init__(self, message: str, *, field: str, hint: str, place: Place, text: str) -> None:
        super().__init__(message, hint=hint, place=place, text=text)
        self.field = field


class UnsupportedError(TocsinError):
    """A thing that is well formed but that tocsin cannot run; `reason` is short enough to count by."""

    def __init__(self, message: str, *, reason: str, hint: str = "", file: str = "") -> None:
        super().__init__(message, hint=hint, file=file)
        self.reason = reason


class RuleError(TocsinError):
    """A rule file that cannot be read as a rule."""


class InputError(TocsinError):
    """Telemetry that cannot be opened or recognised."""


class NoTelemetryError(InputError):
    """A file that does not even look like telemetry: passed over in a folder."""


class NotFoundError(TocsinError):
    """A thing is named that does not exist."""


class ConflictError(TocsinError):
    """A thing cannot be made: there is one of its id already."""


class InvalidError(TocsinError):
    """Something is asked for that cannot be, or not in this form; the message names what."""


class InvalidDocumentError(InvalidError):
    """A document that is given to be saved has not its form; the message names the member."""
