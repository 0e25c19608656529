"""The diagram of the tab "How it works", from patches to the mask, as `diagram.js` draws it."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from demo.drawing import attended, norms_url, packed
from demo.patches import ATTENDED_PATCHES, BLOCK_PATCHES, class_logits, coarser, pooled
from demo.scene import Scene
from gclip_core import cs, inspection
from gclip_core.attention import ATTENTIONS
from gclip_core.encoder import Encoded
from gclip_core.last_block import Attended, projected
from gclip_core.methods import Method
from gclip_core.numbering import Reason, block_numbers, in_words
from gclip_core.relatives.mixed import Fixed
from gclip_core.words import suggest
from gclip_core.words.background import background_of_image, compete


def patches(scene: Scene) -> dict[str, Any]:
    """Each patch's cosines with the words, and its label by block; ``surest`` is the patch with the
    largest cosine.

    The background's cosines are lowered by its weight and its word's share, as they compete.
    """
    mask = scene.mask()
    cosines = class_logits(mask, scene.encoded.grid) / scene.segmenter.logit_scale
    cosines = pooled(cosines, scene.encoded.grid, scene.grid)
    low, high = float(cosines.min()), float(cosines.max())
    by_block = F.interpolate(labels_by_block(scene)[None].float(), scene.grid)[0]
    return {
        "surest": int(cosines[: len(mask.vocabulary)].amax(0).argmax()),
        "range": [low, high],
        "cosines": packed(((cosines - low) / max(high - low, 1e-9) * 255).byte().numpy()),
        "by_block": packed(by_block.numpy().astype(np.int16).astype(np.uint8)),
    }


@torch.no_grad()
def labels_by_block(scene: Scene) -> Tensor:
    """The class of each patch from the output of every block, (L, h, w) int16; -1: the background.

    The patch tokens after each block but the last go through ``ln_post`` and the projection, as if
    that block were the last (a logit lens). The last entry is the method's own last block.
    """
    s, segmenter, backbone = scene.settings, scene.segmenter, scene.segmenter.backbone
    prompts = segmenter.prompts(scene.words, scene.shown)
    source = scene.method.encoding(scene.encoded)
    tokens = torch.stack([x[1:] for x in source.inputs[1:]]).unflatten(1, source.grid)
    last = scene.method.features(source)
    if last.shape[:2] != source.grid:
        last = F.adaptive_avg_pool2d(last.permute(2, 0, 1), source.grid).permute(1, 2, 0)
    competing = None
    if s.background and s.background_weight:
        unit = F.normalize(last, dim=-1)
        matches = suggest.match(backbone, unit, source.probabilities)
        competing = background_of_image(backbone, prompts, prompts.cosines(last), matches)
    class_of = torch.tensor((*prompts.vocabulary.prompt_classes, -1), dtype=torch.int16)
    every = (
        compete(
            x, prompts, prompts.cosines(x), competing, segmenter.logit_scale, s.background_weight
        )
        for x in (*projected(backbone.visual, tokens).cpu(), last)
    )
    return torch.stack([class_of[one.logits.argmax(0)] for one in every])


def tower(scene: Scene) -> dict[str, Any]:
    """Every block's attention and norms, and the last one's attention without and with AMF, or
    with the fusion that another method has."""
    s, method, source = scene.settings, scene.method, scene.method.encoding(scene.encoded)
    fusion = method.last.fusion if isinstance(method.last, Attended) else None
    alone = replace(method, last=Attended(method.last.attention)) if fusion else method
    grid, keys = coarser(scene.grid, BLOCK_PATCHES), coarser(scene.grid, ATTENDED_PATCHES)
    blocks = range(scene.segmenter.backbone.n_blocks)
    # Each matrix is large, so there is one at a time.
    maps = [attended(inspection.attention_map(source, block), scene, grid) for block in blocks]
    matrices = [attended(one.matrix(source), scene, keys) for one in (alone, method)]
    above = ATTENTIONS["qk"].rule
    note = f" (above: {above})" if alone.rule != above else ""
    mean = "(A + Σₗ Aₗ) / (1 + n)"
    if isinstance(fusion, Fixed):
        mean = f"{1 - fusion.share:g} A + {fusion.share:g} mean A"
    return {
        "blocks": blocks_of(scene, source),
        "columns": grid[1],
        "attended": keys,
        "maps": [packed(one) for one in maps],
        "last": [packed(one) for one in matrices],
        "alone": f"Block {len(blocks)} again: {alone.rule}{note}",
        "reason": why_fused(scene) if s.method == "gclip" else "",
        "formula": formula(alone),
        "fusion": "AMF" if s.method == "gclip" else method.title.partition(" (")[0],
        "mean": mean,
        "least_share": s.global_threshold,
        "least_norm": s.channel_threshold,
    }


def blocks_of(scene: Scene, source: Encoded) -> list[dict[str, Any]]:
    """By block: the places of its global tokens, as shares of the photo's width and height; whether
    it is fused, has an outlier, and is changed by CS; and its largest norm without and with CS,
    over the median."""
    report, (rows, columns) = scene.report, source.grid
    fused = scene.method.last.fused(scene.encoded).blocks
    after = cs.norm_ratios(report.norms_after)
    every = inspection.global_tokens(source, scene.settings.global_threshold).tokens
    return [
        {
            "tokens": [
                [(t % columns + 0.5) / columns, (t // columns + 0.5) / rows] for t in tokens
            ],
            "fused": block in fused,
            "outlier": block in report.outlier_blocks,
            "suppressed": block in report.suppressed.blocks,
            "peaks": [report.ratios[block], after[block]],
        }
        for block, tokens in enumerate(every)
    ]


def detail(scene: Scene) -> dict[str, Any]:
    """The enlarged block: its attention patch by patch, and its norms."""
    source = scene.method.encoding(scene.encoded)
    matrix = inspection.attention_map(source, scene.block, scene.head)
    keys = coarser(scene.grid, ATTENDED_PATCHES)
    return {
        "block": scene.block,
        "head": -1 if scene.head is None else scene.head,
        "heads": scene.segmenter.backbone.n_heads,
        "matrix": packed(attended(matrix, scene, keys)),
        "norms": norms_url(scene, (2.9, 2.4)),
    }


def why_fused(scene: Scene) -> str:
    """Why AMF fuses these blocks; empty if they are not measured."""
    fused = scene.report.fused
    if fused.reason is Reason.GLOBAL_TOKENS:
        # They are counted before CS, which removes most of them.
        clean = ", counted without CS" if scene.method.suppression else ""
        why = f"the first with global tokens (rings{clean})"
    elif fused.reason is Reason.MIDDLE:
        why = "in the middle, since too few blocks before it have global tokens (rings)"
    else:
        return ""
    last, blocks = scene.segmenter.backbone.n_blocks, in_words(block_numbers(fused.blocks))
    return f"Fused with block {last}: {blocks}, {why}."


def formula(method: Method) -> str:
    """The last block's own attention, such as "softmax(QQᵀ) + softmax(KKᵀ)", or its rule."""
    kind = ATTENTIONS[method.last.attention] if isinstance(method.last, Attended) else None
    if kind is None or kind.gaussian or not kind.pairs:
        return method.rule
    return " + ".join(f"softmax({a.upper()}{b.upper()}ᵀ)" for a, b in kind.pairs)
