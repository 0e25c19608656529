"""What a visitor reads of an error that nobody foresaw."""

import errno

import torch

UNEXPECTED = (
    "Something went wrong on our side; your image and words are unchanged. Try again, or change a "
    "setting."
)
NO_ROOM = "This machine's disk is full just now. Try again later; masks still work."
NO_MEMORY = (
    "This machine has too little free memory for that. Use a smaller image or fewer classes, or "
    "try again."
)


def sentence(error: Exception) -> str:
    """The sentence on an error: no room on the disk, no memory, or another one."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NO_ROOM
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return NO_MEMORY
    return UNEXPECTED
