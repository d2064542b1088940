"""Numbers as a reader takes them in: three digits, shares in per cent."""

import math


def number(value: float | None) -> str:
    """Show a number with up to three digits.

    >>> number(1234.5), number(1e-8), number(0.25), number(None)
    ('1.23e+03', '1e-08', '0.25', '–')
    """
    return "–" if value is None else f"{value:.3g}"


def percent(share: float | None) -> str:
    """Show a share in per cent; what is not none is not shown as 0, nor what is not all as 100.

    >>> percent(0.1234), percent(0.01), percent(1e-6), percent(0.99999), percent(1.0), percent(0.0)
    ('12 %', '1 %', '< 0.1 %', '> 99 %', '100 %', '0')
    """
    if share is None or math.isnan(share):
        return "–" if share is None else "NaN"
    if share in (0.0, 1.0):
        return "100 %" if share else "0"
    if share < 1e-3:
        return "< 0.1 %"
    return "> 99 %" if share > 0.99 else f"{100 * share:.2g} %"


def count(value: int, what: str) -> str:
    """Show a count and its noun.

    >>> count(1, "step"), count(12345, "number")
    ('1 step', '12 345 numbers')
    """
    return f"{value:,}".replace(",", " ") + f" {what}" + ("s" if value != 1 else "")
