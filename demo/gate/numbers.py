"""Bounds on what one request computes and on what all requests keep in memory.

Without them, the process would exceed 4 GB (``hostile_pictures`` and ``large_caches`` of
``tests.load``).
"""

from gclip_core.errors import GclipError

MAX_PIXELS = 64_000_000  # of a picture, by its header, before it is decoded
WORKED_PIXELS = 3_000_000  # to which it is then scaled
MAX_PHRASES = 200  # classes and synonyms: each is embedded in up to 80 sentences
MAX_CHARACTERS = 4_000
MAX_COST = 31_000_000  # of one request, in the units of check_cost: 8 s on two cores
SHOWN_PATCHES = 1_200  # a finer grid is pooled before it is sent to the browser
ATTENDED_PATCHES = 560  # the same for the patches that each of them attends to
BLOCK_PATCHES = 140  # and for these in the small maps of the blocks
MAX_BACKBONES = 3  # loaded at the same time
MAX_CACHED = 600 * 2**20  # bytes of pictures, encodings and masks of all visitors
MAX_LINK = 6_000  # bytes of a link's settings; a longer one leaves out the words


def check_cost(patches: int, channels: int, methods: int = 1) -> None:
    """Checks the cost of a photo of ``patches``; ``channels`` are those of all blocks.

    The cost of attention grows with the square of the number of patches. An encoding with up to 14
    methods counts once; more methods count in proportion.
    """
    cost = patches * (1 + patches / 2_000) * channels * max(1, methods / 14)
    if cost > MAX_COST:
        raise GclipError(
            f"This needs {cost / MAX_COST:.2f} × the computation that one request may use. "
            "Choose a smaller size or a smaller backbone."
        )
