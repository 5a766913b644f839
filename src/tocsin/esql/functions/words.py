"""How near words are to each other: `match` with `fuzziness`."""

from __future__ import annotations

from tocsin.esql.functions.function import Value


def fuzzy_distance(fuzziness: Value, word: str) -> int:
    """Return how many letters a word may differ by: a number, or `AUTO` by its length."""
    if isinstance(fuzziness, str) and not fuzziness.isdigit():
        return 0 if len(word) < 3 else 1 if len(word) < 6 else 2
    return int(fuzziness)


def is_near(word: str, other: str, most: int) -> bool:
    """Tell whether a word becomes another one by so many letters put in, left out, changed or swapped at most."""
    if abs(len(word) - len(other)) > most:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(word, 1):
        now = [i]
        for j, b in enumerate(other, 1):
            cost = min(row[j] + 1, now[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and word[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        before, row = row, now
    return row[-1] <= most
