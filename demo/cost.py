"""What a request may cost: patches through the tower, pairs of them, and methods compared."""

from gclip_core.errors import GclipError, MethodError
from gclip_core.types import Method

MAX_PATCHES = 8192
"""Of all windows of a picture together: with the built-in model 100 MB an encoding."""
MAX_TOKENS, MAX_TOKENS_CHOSEN = 1200, 2304
"""Patches of a window; of a strip of a picture fewer, unless its size is chosen."""
MAX_WORK = 100_000
"""Patches times windows times methods."""
LARGE_REQUEST = 1200
"""Patches; larger requests are worked on by one thread at a time, for their memory, in whichever
queue (:data:`demo.controls.HEAVY`) they waited."""
LARGE_MASK = 2_000_000
"""Pixels of a picture; masks of larger ones are made by one thread at a time, and not beside the
decoding of a large file."""
MAX_PAIRS = 2304**2
"""Pairs of patches under a method with a calibration, which needs a dozen matrices of them."""


def check(windows: int, patches: int, methods: int = 1) -> None:
    """Judge what so many windows, of so many patches each, cost under so many methods.

    Raises:
        GclipError: more than the page computes for one request.
    """
    if windows * patches > MAX_PATCHES:
        raise GclipError(
            f"A picture may have {MAX_PATCHES:,} patches here, but {windows:,} windows of "
            f"{patches:,} came. Take a longer stride, a smaller window or a smaller shorter side."
        )
    work = windows * patches * methods
    if work > MAX_WORK:
        raise GclipError(
            f"Patches times windows times methods may come to {MAX_WORK:,} here, but {patches:,} × "
            f"{windows:,} × {methods} is {work:,}. Take a smaller shorter side or fewer methods."
        )


def check_calibration(windows: int, patches: int, method: Method) -> None:
    """Judge what a method costs that compares all pairs of a window's patches.

    Raises:
        MethodError: more than the page computes under it.
    """
    if windows * patches**2 > MAX_PAIRS:
        raise MethodError(
            f"{method.title} compares up to {MAX_PAIRS:,} pairs of patches here, but {windows:,} × "
            f"{patches:,}² came. Take a smaller shorter side or another method."
        )
