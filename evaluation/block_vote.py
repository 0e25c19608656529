"""One decision about AMF's blocks for a whole data set, which is what one number in a table means.

``auto`` decides for every image on its own; here the first images vote once.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from evaluation.datasets import Sample
from evaluation.errors import EvaluationError
from evaluation.runner import ahead
from gclip_core.amf import first_global_block, middle_blocks
from gclip_core.numbering import block_choice
from gclip_core.segmenter import Segmenter
from gclip_core.types import Blocks


def parse(text: str, depth: int) -> Blocks | int:
    """Read ``backbone``, ``auto``, block numbers such as ``6 7``, or ``first-100`` (100)."""
    voters = re.fullmatch(r"first-(\d{1,9})", text)
    if not voters:
        return block_choice(text, depth)
    if int(voters[1]) < 1:
        raise EvaluationError("At least one image must vote on the blocks, but first-0 came.")
    return int(voters[1])


def vote(
    first_blocks: Iterable[int | None], depth: int, n_blocks: int
) -> tuple[tuple[int, ...], str]:
    """The blocks that most images would fuse, and why: ``L_g`` of each image, None for none.

    Images without global tokens do not vote; of two blocks with as many votes the earlier wins.
    """
    voters = list(first_blocks)
    votes = Counter(block for block in voters if block is not None)
    if not votes:
        blocks = middle_blocks(depth, n_blocks)
        return blocks, f"none of {len(voters)} images has global tokens: middle blocks taken"
    most = max(votes.values())
    first = min(block for block, n in votes.items() if n == most)
    blocks = tuple(range(first, first + n_blocks))
    where = f"block {first + 1} in {most} of the first {len(voters)} images"
    return blocks, f"global tokens begin at {where}"


def decide(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    n_blocks: int,
    threshold: float,
) -> tuple[tuple[int, ...], str]:
    """Let ``samples`` vote: each by its global tokens, measured as ``auto`` measures them."""
    whole = replace(segmenter, window=None)  # auto decides on one unwindowed pass
    votes: list[int | None] = []
    for _, (image, _) in ahead(samples, lambda sample: sample.load()):
        tokens = whole.globality(whole.encode(image), threshold).tokens
        votes.append(first_global_block([bool(t) for t in tokens], n_blocks))
    return vote(votes, segmenter.backbone.n_blocks, n_blocks)
