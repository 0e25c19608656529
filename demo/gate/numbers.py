"""Bounds on what one request computes and on what all requests keep in memory.

Without them the process exceeds 4 GB: ``hostile_pictures`` of ``tests.load``.
"""

from gclip_core.errors import GclipError

MAX_PIXELS = 64_000_000  # of a picture, by its header, before it is decoded
WORKED_PIXELS = 4_000_000  # to which it is then scaled
MAX_PHRASES = 200  # classes and synonyms: each is embedded in up to 80 sentences
MAX_CHARACTERS = 4_000
MAX_COST = 100_000  # patches × windows × methods: an encoding has at most 8,000 patches, 100 MB
ATTENTION_PATCHES = 700  # a finer grid is pooled before its attention is sent to the browser
BLOCK_PATCHES = 200  # the same for the small maps of the blocks
BACKBONES = 3
ENCODINGS = 12  # and as many pictures of at most 16 MB
MASKS = 40  # of at most 15 MB
MAX_LINK = 6_000  # bytes of a link's settings; a longer one leaves out the words


def check_cost(patches: int, windows: int, methods: int) -> None:
    """Judge what so many windows, of so many patches each, cost under so many methods.

    Raises:
        GclipError: more than the page computes for one request.
    """
    cost = patches * windows * methods
    if cost > MAX_COST:
        raise GclipError(
            f"Patches × windows × methods may come to {MAX_COST:,} here, but {patches:,} × "
            f"{windows:,} × {methods} is {cost:,}. Take a smaller size, a smaller window or a "
            "longer stride."
        )
