"""What the contents of several tabs have: the picture, masks, norms, and what is fetched later.

What a browser fetches later is named here, and made at its first fetch from the request alone.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import numpy as np
import torch
from PIL import Image

from demo import wording
from demo.answer import Answer, resolve
from demo.drawing import render
from demo.engine import Engine, Mask
from demo.host.blob_store import Blob, LazyBlob
from demo.request import Question, Request
from demo.tabs.figure import figure_blob
from demo.widgets.blobs import Levels, attention_blob, packed, picture_blob
from demo.widgets.values import Json, Norms, Side
from gclip_core import amf, masks, refine
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Grid, Method, Segmentation

MAX_MATRIX = 768
"""Patches of a matrix that is shown; of more, squares are averaged."""


# --- what the browser fetches later ---------------------------------------------------------------


def picture(engine: Engine, answer: Answer) -> Json:
    """The picture of a widget: its blob, size and grid (height, width).

    Matrices over it are averaged over squares of ``pooled`` patches a side.
    """
    question, square = answer.question, pooled(answer.grid)
    opened, make = question.scene.picture, partial(_picture_blob, engine, question.request)
    blob = engine.blobs.lazy(("picture", opened.digest), make, question.nbytes)
    return {"picture": blob, "size": opened.size, "grid": answer.grid, "pooled": square}


def _picture_blob(engine: Engine, request: Request) -> Blob:
    return picture_blob(engine.picture(request).image)


def matrix(engine: Engine, question: Question, method: Method, head: int | None = None) -> LazyBlob:
    """The last block's matrix under a method, of the head mean or of one head."""

    def whole(segmenter: Segmenter, trunk: Encoded) -> torch.Tensor:
        return segmenter.last_attention(trunk, method, head)

    return _matrix(engine, question, method, ("matrix", method, head), whole)


def block_matrix(engine: Engine, question: Question, block: int, head: int | None) -> LazyBlob:
    """A block's own matrix, of the head mean or of one head."""

    def whole(segmenter: Segmenter, trunk: Encoded) -> torch.Tensor:
        return segmenter.attention_map(trunk, block, head)

    method = question.chosen
    return _matrix(engine, question, method, ("block", method.suppression, block, head), whole)


def _matrix(
    engine: Engine,
    question: Question,
    method: Method,
    key: tuple[Any, ...],
    whole: Callable[[Segmenter, Encoded], torch.Tensor],
) -> LazyBlob:
    """A matrix (1+N, 1+N), patch to patch and averaged over squares of patches."""
    request, planted = question.request, question.scene.planted

    def make() -> Blob:
        scene = engine.scene(request)
        with engine.turn(scene):
            trunk = engine.trunk(scene, method)
            used = amf.patch_attention(whole(scene.segmenter, trunk)[1:]).numpy()
        square = pooled(trunk.grid)
        return attention_blob(render.pool_patches(used, trunk.grid, square), len(used))

    return engine.blobs.lazy((*key, question.scene.key, planted), make, question.nbytes)


def words(engine: Engine, question: Question, grid: Grid, result: Segmentation) -> LazyBlob:
    """The words that match each patch best in a segmentation."""
    method, request = result.method, question.request
    # The cache keeps the result as long as there is room; then it is made again.
    cached, scale = ref(result), question.scene.segmenter.logit_scale

    def make() -> Blob:
        result = cached()
        if result is None:  # its logits are those of the plain mask
            result = engine.segment(resolve(engine, request), method).result
        best, cosines, shares = masks.best_classes(result, grid, scale)
        return Blob(packed(best=best, cosines=cosines, shares=Levels(shares, 1.0, 255)))

    return engine.blobs.lazy(("words", *question.key, method), make, question.nbytes)


def cutouts(engine: Engine, question: Question, mask: Mask) -> dict[int, LazyBlob]:
    """The cut-out of each class that a mask shows, by the class's index."""
    method, request = question.chosen, question.request
    key = ("cutout", *question.key, question.settings.refine, method)

    def cutout(index: int) -> LazyBlob:
        make = partial(_cutout_blob, engine, request, method, index)
        return engine.blobs.lazy((*key, index), make, question.nbytes)

    return {index: cutout(index) for index, share in enumerate(mask.class_shares) if share}


def _cutout_blob(engine: Engine, request: Request, method: Method, index: int) -> Blob:
    question = resolve(engine, request)
    plain = engine.segment(question, method).result
    image = question.scene.picture.image
    opacity = refine.alpha(plain, image, index, question.settings.refine).numpy()
    # Whoever gets the file can read colours behind no opacity: those of the rest are left out.
    colours = np.asarray(image) * (opacity > 0)[..., None]
    cutout = Image.fromarray(np.dstack([colours, opacity]).astype(np.uint8))
    return Blob(render.saved(cutout, compress_level=4), "image/png")


def block_masks(engine: Engine, question: Question) -> LazyBlob:
    """The class of each patch from the output of every block, (L, N), under the chosen method.

    A label travels plus 1: 0 is a hidden word.
    """
    request, method = question.request, question.chosen

    def make() -> Blob:
        question = resolve(engine, request)
        scene = question.scene
        with engine.turn(scene):
            labels = scene.segmenter.labels_by_block(
                engine.trunk(scene, method),
                question.words,
                method,
                rest_weight=question.settings.rest_weight,
            )
        return Blob(packed(labels=labels.flatten(1).numpy() + 1))

    return engine.blobs.lazy(("block masks", *question.key, method), make, question.nbytes)


def figure(engine: Engine, question: Question, form: str) -> LazyBlob:
    """The figure of the question's answer in one of the FORMS."""
    settings, request = question.settings, question.request
    key = ("figure", *question.key, settings.refine, question.chosen, request.address, form)
    make = partial(figure_blob, engine, request, form)
    return engine.blobs.lazy(key, make, question.nbytes)


def pooled(grid: Grid, most: int = MAX_MATRIX) -> int:
    """Side of the squares of patches that are averaged: the smallest that makes at most so many."""
    square = 1
    while -(-grid[0] // square) * -(-grid[1] // square) > most:
        square += 1
    return square


# --- parts of contents ----------------------------------------------------------------------------


def side(engine: Engine, question: Question, grid: Grid, mask: Mask, title: str = "") -> Side:
    """A mask as a side of a canvas, with its score and where its patches look."""
    return Side(
        title=title or mask.title,
        labels=mask.labels,
        shares=(*mask.class_shares, mask.rest_share),
        badge="" if mask.miou is None else wording.miou(mask.miou, mask.result.refined),
        matrix=matrix(engine, question, mask.method),
        words=words(engine, question, grid, mask.result),
    )


def norms(answer: Answer) -> Norms:
    """The norms of the block in view, before and after CS, whether or not CS is on."""
    question, report, block = answer.question, answer.gclip, answer.block
    return Norms(
        before=report.norms_before[block],
        after=report.norms_after[block],
        block=block,
        n_blocks=report.n_blocks,
        model=answer.status.title,
        cs=question.chosen.suppression is not None,
        abnormal=report.abnormal,
        threshold=question.settings.channel_threshold,
        is_simulated=bool(question.scene.planted),
    )
