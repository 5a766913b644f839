"""Regular expressions in linear time, whatever they are and whatever text they meet: those that users write.

Python's own ones try again and again where a pattern is ambiguous: `(a+)+b` takes hours over forty letters, and
holds the whole process meanwhile. RE2 reads each character once, and refuses what it cannot run so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

LONGEST = 4096  # characters of a pattern; Elasticsearch takes 1,000


class RegexError(ValueError):
    """A pattern that RE2 cannot run: it is malformed, or would need too much memory."""


@lru_cache(4096)
def whole_match(pattern: str, *, insensitive: bool = False) -> Callable[[str], Any]:
    """Return a function that tests whether a whole text fits a pattern; a dot stands for every character.

    The answer is true or false as a condition. Raises RegexError.
    """
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.case_sensitive = not insensitive
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise RegexError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None
    except UnicodeEncodeError:
        raise RegexError("half of a character that takes two") from None
    return compiled.fullmatch  # type: ignore[no-any-return]


@lru_cache(4096)
def star_match(pattern: str) -> Callable[[str], Any]:
    """Return a function that tests whether a name fits a pattern in which `*` stands for any text."""
    stars = re.sub(r"\*+", "*", pattern)
    return whole_match(".*".join(re.escape(part) for part in stars.split("*")))
