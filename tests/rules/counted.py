"""A number that counts what is done with it: naive algorithms that run on it count themselves."""

from __future__ import annotations

import math
from typing import Union

Operand = Union["Number", float, int]


class Tally:
    """Operations so far."""

    def __init__(self) -> None:
        self.arithmetic = 0
        self.transcendentals = 0

    def number(self, value: float = 1.0) -> Number:
        return Number(self, value)

    def numbers(self, count: int) -> list[Number]:
        return [self.number(1.0 + i % 7) for i in range(count)]


class Number:
    def __init__(self, tally: Tally, value: float) -> None:
        self.tally, self.value = tally, value

    def _done(self, value: float) -> Number:
        self.tally.arithmetic += 1
        return Number(self.tally, value)

    def __add__(self, other: Operand) -> Number:
        return self._done(self.value + _value(other))

    def __sub__(self, other: Operand) -> Number:
        return self._done(self.value - _value(other))

    def __mul__(self, other: Operand) -> Number:
        return self._done(self.value * _value(other))

    def __truediv__(self, other: Operand) -> Number:
        return self._done(self.value / (_value(other) or 1.0))

    __radd__ = __add__

    def maximum(self, other: Operand) -> Number:
        return self._done(max(self.value, _value(other)))

    def _transcendental(self, value: float) -> Number:
        self.tally.transcendentals += 1
        return Number(self.tally, value)

    def exp(self) -> Number:
        return self._transcendental(math.exp(min(self.value, 50.0)))

    def log(self) -> Number:
        return self._transcendental(math.log(abs(self.value) + 1e-9))

    def rsqrt(self) -> Number:
        return self._transcendental(1 / math.sqrt(abs(self.value) + 1e-9))


def _value(operand: Operand) -> float:
    return operand.value if isinstance(operand, Number) else float(operand)


def total(numbers: list[Number]) -> Number:
    """A sum that starts from nothing: as many additions as numbers."""
    result = Number(numbers[0].tally, 0.0)
    for number in numbers:
        result = result + number
    return result


def largest(numbers: list[Number]) -> Number:
    """A maximum that starts from minus infinity: as many comparisons as numbers."""
    result = Number(numbers[0].tally, -math.inf)
    for number in numbers:
        result = result.maximum(number)
    return result
