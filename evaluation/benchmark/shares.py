"""Shares of an evaluation: under ``torchrun`` each process evaluates every n-th image."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple, TypeVar

import torch.distributed as dist

Part = TypeVar("Part")

TIMEOUT = timedelta(days=30)
"""How long the first process waits for the slowest."""


class Share(NamedTuple):
    """A share of the images: of ``count`` shares the one of that ``index`` (from 0)."""

    index: int
    count: int


ALL = Share(0, 1)
"""All images."""


@contextmanager
def of_this_process() -> Iterator[Share]:
    """This process's share: its rank's under ``torchrun``, else all images."""
    if not dist.is_torchelastic_launched():
        yield ALL
        return
    dist.init_process_group("gloo", timeout=TIMEOUT)
    yield Share(dist.get_rank(), dist.get_world_size())
    dist.destroy_process_group()  # not in a `finally`: after an error it would wait for the others


def gather(part: Part) -> list[Part]:
    """The parts of all processes, by rank, in the first process; an empty list in the others."""
    if not dist.is_initialized():
        return [part]
    parts = [part] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(part, parts)
    return parts or []
