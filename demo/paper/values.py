"""What a figure shows, as plain values, and how they are computed with a segmenter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.drawing.lettering import drawable
from gclip_core import images
from gclip_core.methods import METHODS
from gclip_core.numbering import block_numbers, named
from gclip_core.refine import find_refinement
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Grid, Method, Segmentation


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask and its title: labels (H, W) of a picture's pixels, -1 for no class."""

    title: str
    labels: NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class BlockAttention:
    """How much each patch is attended to in a block, (h, w); 1 is uniform. Blocks count from 1."""

    block: int
    received: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Norms:
    """Weight norms (D,) of a block's FFN output channels before and after CS.

    ``block`` counts from 1. ``simulated`` is the note on a planted channel, or empty.
    """

    block: int
    before: NDArray[np.floating]
    after: NDArray[np.floating]
    simulated: str = ""


@dataclass(frozen=True, eq=False)
class Values:
    """All that a figure shows, as plain values.

    ``details`` are backbone, method, grid and refinement. ``names`` and ``areas`` (shares of the
    picture) are per class. ``before`` is None where there is nothing to compare. ``matrix`` (1+N,
    1+N) is the attention of ``last_block`` (from 1) under the method of ``after``. ``foot`` is an
    address or a source.
    """

    title: str
    details: tuple[str, ...]
    photo: Image.Image
    names: tuple[str, ...]
    areas: tuple[float, ...]
    before: Mask | None
    after: Mask
    attention: tuple[BlockAttention, ...]
    last_block: int
    matrix: NDArray[np.floating]
    norms: Norms
    foot: str = ""


def values_of(
    segmenter: Segmenter,
    image: images.Source,
    words: str | Sequence[str],
    method: Method | None = None,
    rest: str = "auto",
    refine: str = "guided",
    foot: str = "",
) -> Values:
    """The values of a figure of ``method`` (default GCLIP), before it and after it.

    Before is ClearCLIP, which is GCLIP without AMF and CS.
    """
    picture = images.check(image)
    encoded = segmenter.encode(picture)
    method = method or METHODS["gclip"]

    def segment(chosen: Method) -> Segmentation:
        return segmenter.segment(encoded, words, chosen, rest=rest, refine=refine, picture=picture)

    before, after = segment(METHODS["clearclip"]), segment(method)
    trunk = segmenter.suppress(encoded, method)
    return values_between(segmenter, picture, trunk, before, after, foot)


def values_between(
    segmenter: Segmenter,
    picture: Image.Image,
    trunk: Encoded,
    before: Segmentation | None,
    after: Segmentation,
    foot: str = "",
) -> Values:
    """The values of a figure of ``after``, whose encoding is ``trunk``, compared with ``before``.

    Without ``before`` there is nothing to compare.
    """
    blocks, names = after.report.fusion.blocks, after.vocabulary.names
    received = segmenter.received(trunk, blocks, clean=False) if blocks else ()
    return Values(
        title=", ".join(drawable(name, index) for index, name in enumerate(names)),
        details=_details(segmenter, after, trunk.grid),
        photo=picture,
        names=names,
        areas=after.areas(),
        before=before and Mask(before.method.title, before.labels.numpy()),
        after=Mask(after.method.title, after.labels.numpy()),
        attention=tuple(
            BlockAttention(number, row.unflatten(0, trunk.grid).numpy())
            for number, row in zip(block_numbers(blocks), received, strict=True)
        ),
        last_block=segmenter.backbone.n_blocks,
        matrix=segmenter.last_attention(trunk, after.method).numpy(),
        norms=_norms(segmenter, after),
        foot=foot,
    )


def _details(segmenter: Segmenter, result: Segmentation, grid: Grid) -> tuple[str, ...]:
    """Backbone, method, grid and refinement of a result."""
    entry = find_refinement(result.refined)
    edges = "plain edges" if entry.coefficients is None else f"edges by {entry.title}"
    size = f"{grid[0]} × {grid[1]} patches"
    return segmenter.backbone.title, result.method.title, size, edges


def _norms(segmenter: Segmenter, result: Segmentation) -> Norms:
    """The norms of the block whose largest norm is furthest above the median."""
    report = result.report
    block = int(np.argmax(report.ratios))
    return Norms(
        block + 1,
        report.norms_before[block].numpy(),
        report.norms_after[block].numpy(),
        " · ".join(
            f"simulation: channel {p.channel} × {p.gain:g} planted in "
            f"{named(block_numbers(p.blocks))}"
            for p in segmenter.backbone.planted
        ),
    )
