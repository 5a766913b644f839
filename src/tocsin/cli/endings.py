"""The format that the name of an output file shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from tocsin.errors import InputError

_Format = TypeVar("_Format")


def format_of(output: Path | None, endings: Mapping[str, _Format], default: _Format, option: str) -> _Format:
    """Return the format that a name's ending stands for, the default for no name, no ending, or what is no file.

    Raises InputError for any other ending, and names those that there are. `option` is what gives a format.
    """
    if output is None or not output.suffix or (output.exists() and not output.is_file()):
        return default
    known_format = endings.get(output.suffix.lower())
    if known_format is None:
        known = ", ".join(endings)
        raise InputError(
            f"{output}: no format is known by the ending `{output.suffix}`",
            hint=f"end it in one of {known}, or give {option}",
        )
    return known_format
