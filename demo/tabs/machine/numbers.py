"""Every number of the machine: one answer's arrays from picture to mask, exact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo import wording
from demo.answer import Answer
from demo.engine import Engine, Mask
from demo.host.blob_store import LazyBlob
from demo.settings import Settings
from demo.tabs import contents, similarity
from demo.widgets.values import Json
from gclip_core import masks
from gclip_core.types import GlobalTokens, Grid, Method, MethodReport, Plant


@dataclass(frozen=True, eq=False)
class MachineContent:
    """The numbers of one answer from picture to mask; ``arrays`` are those of :func:`arrays`.

    ``block`` (0-based) is the one whose channels are shown, ``tokens`` are of every block,
    ``in_in_out`` are cosines of Values by ``regions``. ``by_block`` are masks by block.
    """

    model: str
    picture: Json
    settings: Settings
    method: Method
    mask: Mask
    report: MethodReport
    block: int
    grid: Grid
    tokens: GlobalTokens
    arrays: Mapping[str, NDArray[Any]]
    planted: Sequence[Plant]
    in_in_out: tuple[float, float]
    regions: str
    simulated: str
    logit_scale: float
    by_block: LazyBlob


def compute(engine: Engine, answer: Answer) -> MachineContent:
    """Every number that the machine draws."""
    question, scene, method = answer.question, answer.question.scene, answer.question.chosen
    trunk, threshold = engine.trunk(scene, method), question.settings.global_threshold
    tokens = scene.segmenter.globality(trunk, threshold, clean=False)
    return MachineContent(
        model=scene.segmenter.backbone.title,
        picture=contents.picture(engine, answer),
        settings=question.settings,
        method=method,
        mask=answer.mask,
        report=answer.report,
        block=answer.block,
        grid=answer.grid,
        tokens=tokens,
        arrays=arrays(engine, answer),
        planted=scene.planted,
        in_in_out=similarity.in_in_out(engine, answer, method),
        regions=similarity.regions(answer),
        simulated=wording.simulated(scene.planted),
        logit_scale=scene.segmenter.logit_scale,
        by_block=contents.block_masks(engine, question),
    )


def arrays(engine: Engine, answer: Answer) -> dict[str, NDArray[Any]]:
    """The exact numbers of an answer by name.

    "received" (L, N), 1 = uniform; "head q", "head k", "head v" (N, D), heads side by side;
    matrices patch to patch (N, N), head means: "local" the last block's own, "block 5" that of a
    fused block (0-based), "used" what the method used; "norms" (D,) of the block in view;
    "scores" (C, N) and what they leave to hidden words, "rest" (N,); "fits" (2, N) the best word
    and the next, C for a hidden one, by their "cosines" (2, N).
    """
    question, method, grid = answer.question, answer.question.chosen, answer.grid
    segmenter, trunk = question.scene.segmenter, engine.trunk(question.scene, method)
    result = engine.segment(question, method).result
    own = segmenter.last_attention(trunk, replace(method, fusion=None))
    scores = masks.scores(result.logits, result.owner, grid).flatten(1).numpy()
    fits, cosines, _ = masks.best_classes(result, grid, segmenter.logit_scale, 2)
    arrays: dict[str, NDArray[Any]] = {}
    arrays["received"] = segmenter.received(trunk, clean=False).numpy()
    for part in ("q", "k", "v"):
        arrays[f"head {part}"] = segmenter.values(trunk, method, part).numpy()
    arrays["local"] = own[1:, 1:].numpy()
    for block in result.report.fusion.blocks:
        arrays[f"block {block}"] = segmenter.attention_map(trunk, block)[1:, 1:].numpy()
    arrays["used"] = segmenter.last_attention(trunk, method)[1:, 1:].numpy()
    arrays["norms"] = result.report.norms_before[answer.block].numpy()
    arrays["scores"] = scores
    if min(result.owner) < 0:
        arrays["rest"] = np.maximum(1 - scores.sum(0), 0)
    arrays["fits"], arrays["cosines"] = fits.numpy(), cosines.numpy()
    return arrays
