"""What several tabs show of a look: its picture, its masks, and where its patches look."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from demo import wording
from demo.drawing import render
from demo.look import Look, Mask
from demo.widgets.blobs import STORE, Blob, Levels, attention_blob, packed, picture_blob
from demo.widgets.values import Json, Side, canvas_value, norms_value
from gclip_core import amf
from gclip_core.types import GlobalTokens, Grid, Method

MAX_PATCHES = 768
"""Patches of a matrix that is shown; of more, squares are averaged."""


def picture(look: Look) -> Json:
    """The picture of a widget: its name, size and grid (height, width).

    Matrices over it are averaged over squares of ``pooled`` patches a side.
    """
    make = look.later(lambda look: picture_blob(look.picture.image))
    name, size = STORE.offer(("picture", look.picture.digest), make), look.picture.size
    return {"picture": name, "size": size, "grid": look.grid, "pooled": pooled(look.grid)}


def matrix(look: Look, method: Method, head: int | None = None) -> str:
    """The name of the last block's matrix under a method."""
    key = ("matrix", *look.key, look.segmenter.backbone.planted, method, head)
    return _offered(
        look, key, lambda at: at.segmenter.last_attention(at.trunk(method), method, head)
    )


def block_matrix(look: Look, block: int, head: int | None) -> str:
    """The name of a block's own matrix."""
    suppressed = look.chosen.suppression
    key = ("block", *look.key, look.segmenter.backbone.planted, suppressed, block, head)
    return _offered(
        look, key, lambda at: at.segmenter.attention_map(at.trunk(at.chosen), block, head)
    )


def _offered(look: Look, key: tuple, whole: Callable[[Look], torch.Tensor]) -> str:
    """The name of a matrix (1+N, 1+N), patch to patch and averaged over squares of patches."""

    def make(look: Look) -> Blob:
        used = amf.patch_attention(whole(look)[1:]).numpy()
        return attention_blob(render.pool_patches(used, look.grid, pooled(look.grid)), len(used))

    return STORE.offer(key, look.later(make))


def words_blob(look: Look, method: Method) -> str:
    """The name of the words that match each patch best under a method."""

    def make(look: Look) -> Blob:
        best, cosines, shares = best_words(look, method)
        return Blob(packed(best=best, cosines=cosines, shares=Levels(shares, 1.0, 255)))

    return STORE.offer(("words", *look.result_key(method)), look.later(make))


def canvas(look: Look, masks: Sequence[Mask], **more: Any) -> Json:
    """Masks over the look's picture, each with its score and where its patches look.

    A simulation is named, unless ``more`` says otherwise.
    """

    def side(mask: Mask) -> Side:
        names: tuple[str, ...] = ()
        if mask.title != wording.TRUTH:  # the truth was not computed: it looks nowhere
            names = (matrix(look, mask.method), words_blob(look, mask.method))
        return Side(mask.title, mask.labels, mask.shares, wording.miou(mask.miou), *names)

    shown = {"opacity": look.settings.opacity, "pixel": look.settings.pixel}
    options = {"simulated": simulated(look), **shown, **more}
    return canvas_value(picture(look), list(map(side, masks)), masks[0].names, **options)


def tokens(look: Look) -> GlobalTokens:
    """Global tokens of every block, on the trunk of the request's method."""
    trunk, threshold = look.trunk(look.chosen), look.settings.global_threshold
    return look.segmenter.globality(trunk, threshold, clean=False)


def found_nothing(masks: list[Mask]) -> str:
    """The sentence on those of the masks that find none of the words."""
    empty = [mask.title for mask in masks if not any(mask.areas)]
    return wording.found_nothing(empty, masks[0].names)


def missed(mask: Mask) -> list[str]:
    """Words of the truth that the mask shows nowhere."""
    return [mask.names[index] for index in mask.iou if not mask.areas[index]]


def absent(mask: Mask) -> str:
    """The sentence on typed words that are not in the truth, where it is known."""
    return wording.absent([mask.names[index] for index in mask.absent if mask.miou is not None])


def unmeasured(look: Look) -> str:
    """Why a known truth measures nothing: none of its classes is among the words."""
    if look.truth is None:
        return ""
    return "" if look.mask(look.chosen).iou else wording.untyped(look.truth.names)


def simulated(look: Look) -> str:
    """The sentence on a planted fault; empty where there is none."""
    return "".join(map(wording.planted, look.segmenter.backbone.planted[:1]))


def channels_block(look: Look) -> int:
    """The block (0-based) whose channels are shown: the chosen one, else the first that CS changes.

    Where CS changes none it is the first of the simulation's blocks, so that the block stays when
    the simulation is switched off.
    """
    n = look.segmenter.backbone.n_blocks
    if look.settings.view_block is not None:
        return min(look.settings.view_block, n - 1)
    return min(look.suppression.suppressed or look.settings.planted_blocks(n))


def norms(look: Look, note: str, curves: list[Json], **more: Any) -> Json:
    """The norms of the block in view, before and after CS, whether or not CS is on."""
    found, block, cs = look.suppression, channels_block(look), look.chosen.suppression is not None
    backbone = look.segmenter.backbone
    return norms_value(
        found.norms_before[block],
        found.norms_after[block],
        block,
        curves,
        model=backbone.title,
        cs=cs,
        abnormal=found.abnormal,
        threshold=look.settings.channel_threshold,
        note=note,
        simulated=bool(backbone.planted),
        **more,
    )


def pooled(grid: Grid, most: int = MAX_PATCHES) -> int:
    """Side of the squares of patches that are averaged: the smallest that makes at most so many."""
    square = 1
    while -(-grid[0] // square) * -(-grid[1] // square) > most:
        square += 1
    return square


def best_words(look: Look, method: Method, most: int = 3) -> tuple[NDArray[np.integer], ...]:
    """The classes that match each patch best, (most, N), with their cosines and their shares.

    Class C is the best hidden word. The shares are the softmax over these classes alone, so that
    the largest is that of the label.
    """
    result, grid = look.segment(method), look.grid
    logits = result.logits
    if tuple(logits.shape[1:]) != grid:
        logits = F.interpolate(logits[None], grid, mode="bilinear", align_corners=False)[0]
    classes, hidden = len(result.vocabulary.names), min(result.owner) < 0
    owner = torch.tensor([one if one >= 0 else classes for one in result.owner])
    rows = logits.flatten(1)
    whole = rows.new_full((classes + hidden, rows.shape[1]), -torch.inf)
    whole.scatter_reduce_(0, owner[:, None].expand_as(rows), rows, "amax")
    best, which = whole.topk(min(most, len(whole)), dim=0)
    cosines = best / look.segmenter.logit_scale
    return which.numpy(), cosines.numpy(), best.softmax(0).numpy()
