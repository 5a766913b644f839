"""Command lines split as Windows splits them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.sources.command_line import split_command_line

CASES = [
    ("", []),
    ("   ", []),
    ("a b\tc", ["a", "b", "c"]),
    ('"C:\\Program Files\\a.exe" -x', ["C:\\Program Files\\a.exe", "-x"]),
    ('a""b', ["ab"]),
    ('a "" b', ["a", "", "b"]),
    (r"C:\dir\ x", ["C:\\dir\\", "x"]),
    (r'"a\\" b', ["a\\", "b"]),
    (r'"a\" b"', ['a" b']),
    (r"a\\\"b", [r"a\"b"]),
    (r"a\\b", [r"a\\b"]),
    ('"a""b c" d', ['a"b', "c d"]),
    ('"unclosed quote', ["unclosed quote"]),
    ('x"y z"w', ["xy zw"]),
    ("-url https://example.com/?a=1&b=2", ["-url", "https://example.com/?a=1&b=2"]),
]


@pytest.mark.parametrize(("line", "arguments"), CASES)
def test_split(line: str, arguments: list[str]) -> None:
    assert split_command_line(line) == arguments


def quoted(argument: str) -> str:
    """Quote an argument as Microsoft's documentation says programs should."""
    out, slashes = ['"'], 0
    for character in argument:
        if character == "\\":
            slashes += 1
            continue
        out.append("\\" * (slashes * 2 + 1 if character == '"' else slashes) + character)
        slashes = 0
    return "".join(out) + "\\" * (slashes * 2) + '"'


@given(st.lists(st.text(alphabet='ab \t\\"é', max_size=8), max_size=5))
def test_quoted_arguments_come_back(arguments: list[str]) -> None:
    assert split_command_line(" ".join(map(quoted, arguments))) == arguments
