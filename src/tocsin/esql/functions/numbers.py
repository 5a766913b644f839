"""Functions of ES|QL over numbers. Facts are from Elastic's ES|QL reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tocsin.esql.functions.function import DOUBLE, Function, Value


def _round(value: float, digits: int = 0) -> Value:
    if isinstance(value, int) and digits >= 0:
        return value
    scale = 10.0**digits
    rounded = math.floor(abs(value) * scale + 0.5) / scale  # half away from zero
    result = math.copysign(rounded, value)
    return int(result) if isinstance(value, int) else result


def _log(first: float, second: float | None = None) -> float | None:
    base, value = (math.e, first) if second is None else (first, second)
    return math.log(value, base) if value > 0 and base > 0 and base != 1 else None


def _pow(base: float, power: float) -> float | None:
    try:
        result = float(base) ** float(power)
    except (OverflowError, ZeroDivisionError):
        return None
    return result if isinstance(result, float) and math.isfinite(result) else None


def _defined(compute: Callable[..., float]) -> Callable[..., float | None]:
    """Return a function of numbers that is null where it has no value, or one too large."""

    def computed(*numbers: float) -> float | None:
        try:
            result = compute(*numbers)
        except (ValueError, OverflowError):
            return None
        return result if math.isfinite(result) else None

    return computed


def _round_to(value: Value, *points: Value) -> Value:
    """Return the largest of some points that a value reaches, the smallest where it reaches none."""
    return max((point for point in points if point <= value), default=min(points))


_ANGLES: Mapping[str, Callable[[float], float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "asinh": math.asinh, "acosh": math.acosh,
    "atanh": math.atanh, "to_degrees": math.degrees, "to_radians": math.radians,
}  # fmt: skip
NUMBERS: Mapping[str, Function] = {
    **{name: Function("n", DOUBLE, _defined(compute)) for name, compute in _ANGLES.items()},
    "abs": Function("n", 0, abs),
    "atan2": Function("nn", DOUBLE, math.atan2),
    "cbrt": Function("n", DOUBLE, math.cbrt),
    "ceil": Function("n", 0, math.ceil),
    "clamp": Function("aaa", 0, lambda value, low, high: max(low, min(value, high))),
    "clamp_min": Function("aa", 0, max),
    "clamp_max": Function("aa", 0, min),
    "copy_sign": Function("nn", 0, lambda size, sign: type(size)(math.copysign(size, sign))),
    "e": Function("", DOUBLE, lambda: math.e),
    "exp": Function("n", DOUBLE, lambda number: _pow(math.e, number)),
    "floor": Function("n", 0, math.floor),
    "greatest": Function("a", 0, lambda *values: max(values), 1, variadic=True),
    "hypot": Function("nn", DOUBLE, math.hypot),
    "least": Function("a", 0, lambda *values: min(values), 1, variadic=True),
    "log": Function("nn", DOUBLE, _log, 1),
    "log10": Function("n", DOUBLE, lambda number: math.log10(number) if number > 0 else None),
    "pi": Function("", DOUBLE, lambda: math.pi),
    "pow": Function("nn", DOUBLE, _pow),
    "round": Function("nn", 0, _round, 1),
    "round_to": Function("nn", 0, _round_to, variadic=True, otherwise=Function("dd", 0, _round_to, variadic=True)),
    "scalb": Function("nn", DOUBLE, _defined(lambda number, power: math.ldexp(number, int(power)))),
    "signum": Function("n", DOUBLE, lambda number: float((number > 0) - (number < 0))),
    "sqrt": Function("n", DOUBLE, lambda number: math.sqrt(number) if number >= 0 else None),
    "tau": Function("", DOUBLE, lambda: math.tau),
}
