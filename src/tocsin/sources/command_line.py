"""Split a command line as Windows splits it for a program's `argv`."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[^ \t]+")
_QUOTED = re.compile(r'(?:[^ \t"]+|"[^"]*")+')


def split_command_line(text: str) -> list[str]:
    r"""Return the arguments of a Windows command line, the program first.

    The rules are those of the Microsoft C runtime (`CommandLineToArgvW` differs only in the first argument):
    blanks separate arguments outside quotes; 2n backslashes before a quote are n backslashes and the quote opens
    or closes, 2n+1 are n backslashes and a quote itself; backslashes elsewhere stand for themselves; two
    quotes inside a quoted part are one quote and end it, the rule before 2008 that Winlogbeat follows.
    """
    # Most lines quote whole arguments, if any, and escape nothing.
    if '"' not in text:
        return _PLAIN.findall(text)
    if '\\"' not in text and '""' not in text and text.count('"') % 2 == 0:
        return [argument.replace('"', "") for argument in _QUOTED.findall(text)]
    arguments: list[str] = []
    current: list[str] = []
    quoted = started = False
    position, length = 0, len(text)
    while position < length:
        character = text[position]
        if character in " \t" and not quoted:
            if started:
                arguments.append("".join(current))
                current, started = [], False
            position += 1
            continue
        started = True
        if character == "\\":
            end = position
            while end < length and text[end] == "\\":
                end += 1
            count = end - position
            position = end
            if end < length and text[end] == '"':
                current.append("\\" * (count // 2))
                if count % 2:
                    current.append('"')
                    position += 1
            else:
                current.append("\\" * count)
            continue
        if character == '"':
            if quoted and text[position + 1 : position + 2] == '"':
                current.append('"')
                position += 1
            quoted = not quoted
        else:
            current.append(character)
        position += 1
    if started:
        arguments.append("".join(current))
    return arguments
