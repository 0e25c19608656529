"""The machine: one request from picture to mask in one linked diagram, every number of it.

Arrays travel packed by :mod:`widgets.blobs`. Attention is averaged over squares of patches; what is
*written* about a row (where a patch looks most) is taken from the exact one.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from demo import widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, block_chosen, in_browser
from demo.drawing import render
from demo.look import Look, Studio
from demo.tabs import common, machine_words
from demo.widgets.blobs import Levels, largest, packed_text
from demo.widgets.values import Json, packed_labels
from gclip_core import masks, palette
from gclip_core.attention import ATTENTIONS
from gclip_core.numbering import block_numbers, named
from gclip_core.types import GlobalTokens

SWITCHES = ("method", "amf", "cs", "plant")
"""What a switch on the machine flips, in its order; AMF and CS are GCLIP's."""
MAX_SQUARES = 200
MAX_WORDS = 24
MASK_SIDE = 224
LOOKS = 3
"""Of the patches that a patch looks at, so many are named."""
Floats = NDArray[np.float32]


def build(studio: Studio, controls: Controls) -> Tab:
    """A button that opens the machine full screen; what it shows is computed then."""
    opened = controls["machine"]
    machine = widgets.machine(elem_id="machine")

    def show(look: Look) -> Answer:
        return {machine: value(look)} if look.settings.machine else {}

    machine.clear(**in_browser("() => '0'", outputs=opened))
    flipped = [controls[name] for name in SWITCHES]
    flip = in_browser("(...on) => gclip.flip(...on)", flipped, flipped)
    changes = [
        machine.input(**in_browser("() => '1'", outputs=opened)),
        machine.select(block_chosen, None, controls["view_block"], **QUIET),
        machine.submit(**flip),
    ]
    return Tab(outputs=[machine], show=show, changes=changes)


def value(look: Look) -> Json:
    """The machine of a look."""
    seg, method, settings = look.segmenter, look.chosen, look.settings
    found, mask, image = look.segment(method).report, look.mask(method), look.picture.image
    square = common.pooled(look.grid, MAX_SQUARES)
    exact = arrays(look)
    local = render.pool_patches(exact["local"], look.grid, square)
    # Those with the largest areas, then the highest scores.
    best = np.lexsort((-exact["scores"].max(1), -np.array(mask.areas)))
    used = sorted(int(index) for index in best[:MAX_WORDS])
    small = render.nearest(mask.labels, render.fitting(mask.labels.shape, MASK_SIDE))
    colours = palette.of_names(mask.names)
    block, seen = common.channels_block(look), common.tokens(look)
    before, after = found.norms_before[block].numpy(), found.norms_after[block].numpy()
    moved = np.flatnonzero(np.abs(after - before) > 1e-4 * np.maximum(before, 1e-12))
    planted = seg.backbone.planted
    faults = [[one.channel, one.gain, list(block_numbers(one.blocks))] for one in planted]
    symbol, _, _ = wording.attention_words(method.attention)
    kept = [(i, mask.names[i], colours[i], mask.shares[i]) for i in used]
    if "rest" in exact:
        kept.append((-1, "the rest", palette.NO_CLASS, mask.shares[-1]))
    return {
        "kind": "machine",
        "model": seg.backbone.title,
        "size": [image.height, image.width],
        "grid": list(look.grid),
        "square": square,
        "picture": common.picture(look)["picture"],
        "mask": packed_labels(small),
        "shape": list(small.shape),
        "data": _packed(look, exact, square, used),
        "blocks": [_block(look, index, seen) for index in range(len(found.channels))],
        "marks": machine_words.MARKS,
        "bright": float(np.quantile(local, 0.995)) or 1.0,
        "fused": list(block_numbers(found.fusion.blocks)),
        "attention": method.attention,
        "unused": [part for part in "qkv" if part not in parts_used(method.attention)],
        "local": symbol,
        "norms_of": block + 1,
        "median": float(np.median(before)),
        "thresholds": [settings.global_threshold, settings.channel_threshold],
        "channel": int(before.argmax()),
        "repaired": [[int(channel), float(after[channel])] for channel in moved],
        "similar": [None if math.isnan(one) else one for one in look.alike(method)],
        "miou": mask.miou,
        "threshold": settings.threshold,
        "amf": method.fusion is not None,
        "amf_note": named(block_numbers(found.fusion.blocks)),
        "cs": method.suppression is not None,
        "cs_note": named(block_numbers(found.suppressed)),
        "fault": faults[0] if faults else None,
        "words": [
            {"index": index, "name": name, "colour": colour, "share": share}
            for index, name, colour, share in kept
        ],
        "rest": mask.shares[-1],
        "parts": machine_words.parts(look, seen.tokens, block, square),
    }


def parts_used(attention: str) -> set[str]:
    """Which of q, k and v the last block uses under an entry of ATTENTIONS."""
    return {"v", *(part for pair in ATTENTIONS[attention].pairs for part in pair)}


def arrays(look: Look) -> dict[str, NDArray[Any]]:
    """The exact numbers of a look by name.

    "received" (L, N), 1 = uniform; "head q", "head k", "head v" (N, D), heads side by side;
    matrices patch to patch (N, N), head means: "local" the last block's own, "block 5" that of a
    fused block (0-based), "used" what the method used; "norms" (D,) of the block in view;
    "scores" (C, N) and what they leave to hidden words, "rest" (N,); "fits" (2, N) the best word
    and the next, C for a hidden one, by their "cosines" (2, N).
    """
    seg, method, trunk = look.segmenter, look.chosen, look.trunk(look.chosen)
    result, own = look.segment(method), seg.last_attention(trunk, replace(method, fusion=None))
    fused = result.report.fusion.blocks
    scores = masks.scores(result.logits, result.owner, look.grid).flatten(1).numpy()
    fits, cosines, _ = common.best_words(look, method, 2)
    return {
        "received": seg.received(trunk, clean=False).numpy(),
        **{f"head {part}": seg.values(trunk, method, part).numpy() for part in ("q", "k", "v")},
        "local": own[1:, 1:].numpy(),
        **{f"block {b}": seg.attention_map(trunk, b)[1:, 1:].numpy() for b in fused},
        "used": seg.last_attention(trunk, method)[1:, 1:].numpy(),
        "norms": result.report.norms_before[common.channels_block(look)].numpy(),
        "scores": scores,
        **({"rest": np.maximum(1 - scores.sum(0), 0)} if min(result.owner) < 0 else {}),
        "fits": fits,
        "cosines": cosines,
    }


def _block(look: Look, index: int, seen: GlobalTokens) -> Json:
    found, method = look.segment(look.chosen).report, look.chosen
    agreement, last = seen.agreement[index], len(found.channels) - 1
    norms, channel = found.norms_after[index], found.channels[index]
    norm, median = float(norms[channel]), float(norms.quantile(0.5))
    return {
        "number": index + 1,
        "score": float(seen.scores[index]),
        "tokens": [int(token) for token in seen.tokens[index]],
        "agreement": None if math.isnan(agreement) else float(agreement),
        "channel": int(channel),
        "ratio": float(found.ratios[index]),
        "after": norm / median if median else math.inf if norm else 1.0,
        "planted": any(index in one.blocks for one in look.segmenter.backbone.planted),
        "repaired": index in found.suppressed,
        "idle": index == last and not method.ffn,
    }


# --- arrays as they travel ----------------------------------------------------------------------


def _packed(look: Look, exact: Mapping[str, NDArray[Any]], square: int, words: list[int]) -> str:
    found: dict[str, ArrayLike | Levels] = {}
    found["received"] = Levels(exact["received"], 3 * look.settings.global_threshold)
    for name, array in exact.items():
        if name.startswith("head "):  # (N, D) averaged over squares of patches: (n, D)
            maps = np.asarray(array, np.float32).T.reshape(-1, *look.grid)
            pooled = render.pool_keys(maps, square).reshape(len(maps), -1).T
            found[name] = Levels(_colours(pooled), 1.0)
        elif name in ("local", "used") or name.startswith("block "):
            whole = render.pool_patches(array, look.grid, square)
            found[name] = Levels(whole, float(whole.max()))
    found["looks"], found["times"] = _looks_most(exact["used"])
    found["norms"] = exact["norms"].astype(np.float32)
    rest = [exact["rest"]] if "rest" in exact else []
    found["scores"] = Levels(np.stack([*exact["scores"][words], *rest]), 1.0, 255)
    found["fits"] = (exact["fits"] + 1) % (len(exact["scores"]) + 1)  # 0: a hidden word
    found["cosines"] = exact["cosines"].astype(np.float32)
    return packed_text(**found)


def _colours(rows: Floats) -> Floats:
    """(n, D) as (n, 3) in [0, 1]: its three principal components; the mean is grey."""
    centred = torch.from_numpy(rows - rows.mean(0)).double()
    # NumPy's has threads of its own that wait by spinning: on a busy machine half a second each.
    values, vectors = (part.numpy() for part in torch.linalg.eigh(centred @ centred.T))
    out = np.zeros((len(rows), 3), np.float32)
    for k in range(min(3, len(rows))):
        one = vectors[:, -1 - k] * math.sqrt(max(values[-1 - k], 0.0))
        one = one if one[np.abs(one).argmax()] > 0 else -one
        spread = max(float(np.percentile(np.abs(one), 96)), 1e-12)
        out[:, k] = 0.5 + 0.45 * np.clip(one / spread, -1, 1)
    return out


def _looks_most(used: Floats) -> tuple[Floats, Floats]:
    """Where each patch's row is largest, (LOOKS, N), and how many times uniform it is there."""
    rows = used / np.maximum(used.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    best = largest(rows, min(LOOKS, len(rows)))
    return best.T, np.take_along_axis(rows, best, 1).T * len(rows)
