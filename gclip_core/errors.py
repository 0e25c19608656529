"""Errors whose message can be shown to a person: what is wrong, and what to do.

Also checks of settings, which raise these errors.
"""

import math
from collections.abc import Collection
from numbers import Integral, Real


class GclipError(ValueError):
    """A request that cannot be fulfilled; ``str(error)`` can be shown to a person."""


class ImageError(GclipError):
    """The image cannot be used: not an image, damaged, too large or too small."""


class VocabularyError(GclipError):
    """The words cannot be used: none, too many, or a phrase too long for the text tower."""


class BackboneError(GclipError):
    """The backbone cannot be used: unknown, not loadable, or with a tower that is not supported."""


class MethodError(GclipError):
    """The method, a setting, or a block, head or channel cannot be used with this backbone."""


def check_choice(
    what: str,
    value: object,
    choices: Collection[object],
    error: type[GclipError] = MethodError,
) -> None:
    """Raises ``error`` if ``value`` is not one of ``choices``."""
    if value not in tuple(choices):
        raise error(f"{what} must be one of {', '.join(map(str, choices))}, not {value!r}.")


def check_count(what: str, value: object, error: type[GclipError] = MethodError) -> None:
    """Raises ``error`` if ``value`` is not an integer from 1 to 10⁹."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not 1 <= int(value) <= 10**9:
        raise error(f"{what} must be a whole number from 1 to {10**9:,}, not {value!r}.")


def check_between(
    what: str, value: object, low: float, high: float, error: type[GclipError] = MethodError
) -> None:
    """Raises ``error`` if ``value`` is not a number from ``low`` to ``high``, or is nan."""
    if isinstance(value, bool) or not (isinstance(value, Real) and low <= float(value) <= high):
        range_ = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise error(f"{what} must be a number {range_}, not {value!r}.")


def check_index(what: str, index: int, count: int) -> None:
    """Raises MethodError if ``index`` is not an integer in ``range(count)``."""
    if not hasattr(index, "__index__") or index not in range(count):
        raise MethodError(f"There is no {what} {index}; the {what}s are 0 to {count - 1}, from 0.")
