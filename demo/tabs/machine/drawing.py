"""The machine as the browser draws it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from demo import wording
from demo.drawing import render
from demo.tabs import contents
from demo.tabs.machine import arrays, words
from demo.tabs.machine.numbers import MachineContent
from demo.widgets.values import Json, packed_labels
from gclip_core import palette
from gclip_core.attention import ATTENTIONS
from gclip_core.numbering import block_numbers, named
from gclip_core.types import MethodReport, Plant

MAX_SQUARES = 200
MAX_WORDS = 24
"""Of more words those with the largest areas are drawn."""
MASK_SIDE = 224


def view(content: MachineContent) -> Json:
    """The machine as the browser draws it."""
    method, report, mask = content.method, content.report, content.mask
    pooled = contents.pooled(content.grid, MAX_SQUARES)
    local = render.pool_patches(content.arrays["local"], content.grid, pooled)
    used = largest_words(content)
    small = render.nearest(mask.labels, render.fitting(mask.labels.shape, MASK_SIDE))
    symbol, _, _ = wording.attention_words(method.attention)
    return {
        "kind": "machine",
        "model": content.model,
        "size": list(content.picture["size"]),
        "grid": list(content.grid),
        "pooled": pooled,
        "picture": content.picture["picture"],
        "mask": packed_labels(small),
        "shape": list(small.shape),
        "data": arrays.packed(content, pooled, used),
        "by_block": content.by_block,
        "blocks": [_block_view(content, index) for index in range(report.n_blocks)],
        "marks": words.MARKS,
        "bright": float(np.quantile(local, 0.995)) or 1.0,
        "fused": list(block_numbers(report.fusion.blocks)),
        "attention": method.attention,
        "unused": [part for part in "qkv" if part not in parts_used(method.attention)],
        "local": symbol,
        **_norms_view(report, content.block),
        "thresholds": [content.settings.global_threshold, content.settings.channel_threshold],
        "similar": [None if math.isnan(cosine) else cosine for cosine in content.in_in_out],
        "miou": mask.miou,
        "threshold": content.settings.threshold,
        "amf": method.fusion is not None,
        "amf_note": named(block_numbers(report.fusion.blocks)),
        "cs": method.suppression is not None,
        "cs_note": named(block_numbers(report.suppressed)),
        "fault": _fault_view(content.planted),
        "words": _words_view(content, used),
        "rest": mask.rest_share,
        "parts": words.parts(content, pooled),
    }


def largest_words(content: MachineContent) -> list[int]:
    """The classes that are drawn: with the largest areas, then the highest scores; in order."""
    best = np.lexsort((-content.arrays["scores"].max(1), -np.array(content.mask.class_shares)))
    return sorted(int(index) for index in best[:MAX_WORDS])


def _words_view(content: MachineContent, used: Sequence[int]) -> list[Json]:
    mask, colours = content.mask, palette.of_names(content.mask.names)
    rows = [(index, mask.names[index], colours[index], mask.class_shares[index]) for index in used]
    if "rest" in content.arrays:
        rows.append((-1, "background", palette.NO_CLASS, mask.rest_share))
    return [
        {"index": index, "name": name, "colour": colour, "share": share}
        for index, name, colour, share in rows
    ]


def _norms_view(report: MethodReport, block: int) -> Json:
    """The median norm of a block, its largest channel, and the norms that CS changes."""
    before, after = report.norms_before[block].numpy(), report.norms_after[block].numpy()
    moved = np.flatnonzero(np.abs(after - before) > 1e-4 * np.maximum(before, 1e-12))
    return {
        "norms_of": block + 1,
        "median": float(np.median(before)),
        "channel": int(before.argmax()),
        "repaired": [[int(channel), float(after[channel])] for channel in moved],
    }


def _fault_view(planted: Sequence[Plant]) -> list[Any] | None:
    """Channel, gain and blocks (from 1) of a planted fault."""
    if not planted:
        return None
    fault = planted[0]
    return [fault.channel, fault.gain, list(block_numbers(fault.blocks))]


def parts_used(attention: str) -> set[str]:
    """Which of q, k and v the last block uses under an entry of ATTENTIONS."""
    return {"v", *(part for pair in ATTENTIONS[attention].pairs for part in pair)}


def _block_view(content: MachineContent, index: int) -> Json:
    report, tokens = content.report, content.tokens
    agreement, last = tokens.agreement[index], report.n_blocks - 1
    norms, channel = report.norms_after[index], report.channels[index]
    norm, median = float(norms[channel]), float(norms.quantile(0.5))
    after = 1.0
    if median:
        after = norm / median
    elif norm:
        after = math.inf
    return {
        "number": index + 1,
        "score": float(tokens.scores[index]),
        "tokens": [int(token) for token in tokens.tokens[index]],
        "agreement": None if math.isnan(agreement) else float(agreement),
        "channel": int(channel),
        "ratio": float(report.ratios[index]),
        "after": after,
        "planted": any(index in plant.blocks for plant in content.planted),
        "repaired": index in report.suppressed,
        "idle": index == last and not content.method.ffn,
    }
