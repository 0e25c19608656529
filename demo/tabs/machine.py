"""The machine: one request from picture to mask in one linked diagram, every number of it.

Arrays travel packed by :mod:`widgets.blobs`. Attention is averaged over squares of patches; what is
*written* about a row (where a patch looks most) is taken from the exact one.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from demo import widgets, wording
from demo.controls import QUIET, Controls, Tab, block_chosen, in_browser
from demo.drawing import render
from demo.tabs import contents, machine_words
from demo.tabs.machine_numbers import MachineContent
from demo.widgets.blobs import Levels, largest, packed_text
from demo.widgets.values import Json, packed_labels
from gclip_core import palette
from gclip_core.attention import ATTENTIONS
from gclip_core.numbering import block_numbers, named
from gclip_core.types import MethodReport, Plant

SWITCHES = ("method", "amf", "cs", "plant")
"""What a switch on the machine flips, in its order; AMF and CS are GCLIP's."""
MAX_SQUARES = 200
MAX_WORDS = 24
MASK_SIDE = 224
LOOKS = 3
"""Of the patches that a patch looks at, so many are named."""
Floats = NDArray[np.float32]


def build(controls: Controls) -> Tab:
    """A button that opens the machine full screen; what it shows is computed then."""
    opened = controls["machine"]
    machine = widgets.machine(elem_id="machine")
    # A fault of its own ends with it: no other part would show that it is still there.
    closed = in_browser("() => ['0', false]", outputs=[opened, controls["plant"]])
    flipped = [controls[name] for name in SWITCHES]
    flip = in_browser("(...on) => gclip.page.flip(...on)", flipped, flipped)
    changes = [
        widgets.on_open_machine(machine)(**in_browser("() => '1'", outputs=opened)),
        machine.select(block_chosen, None, controls["view_block"], **QUIET),
        widgets.on_flip(machine)(**flip),
        widgets.on_close_machine(machine)(**closed),
    ]
    return Tab({"machine": machine}, changes)


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
        "data": _packed(content, pooled, used),
        "by_block": content.by_block,
        "blocks": [_block_view(content, index) for index in range(report.n_blocks)],
        "marks": machine_words.MARKS,
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
        "parts": machine_words.parts(content, pooled),
    }


def largest_words(content: MachineContent) -> list[int]:
    """The classes that are drawn: with the largest areas, then the highest scores; in order."""
    best = np.lexsort((-content.arrays["scores"].max(1), -np.array(content.mask.class_shares)))
    return sorted(int(index) for index in best[:MAX_WORDS])


def _words_view(content: MachineContent, used: Sequence[int]) -> list[Json]:
    mask, colours = content.mask, palette.of_names(content.mask.names)
    words = [(index, mask.names[index], colours[index], mask.class_shares[index]) for index in used]
    if "rest" in content.arrays:
        words.append((-1, "the rest", palette.NO_CLASS, mask.rest_share))
    return [
        {"index": index, "name": name, "colour": colour, "share": share}
        for index, name, colour, share in words
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


# --- arrays as they travel ----------------------------------------------------------------------


def _packed(content: MachineContent, pooled: int, words: Sequence[int]) -> str:
    exact, packed = content.arrays, dict[str, ArrayLike | Levels]()
    packed["received"] = Levels(exact["received"], content.settings.global_threshold)
    for name, array in exact.items():
        if name.startswith("head "):  # (N, D) averaged over squares of patches: (n, D)
            maps = np.asarray(array, np.float32).T.reshape(-1, *content.grid)
            rows = render.pool_keys(maps, pooled).reshape(len(maps), -1).T
            packed[name] = Levels(_colours(rows), 1.0)
        elif name in ("local", "used") or name.startswith("block "):
            whole = render.pool_patches(array, content.grid, pooled)
            packed[name] = Levels(whole, float(whole.max()))
    packed["looks"], packed["times"] = _looks_most(exact["used"])
    packed["norms"] = exact["norms"].astype(np.float32)
    rest = [exact["rest"]] if "rest" in exact else []
    packed["scores"] = Levels(np.stack([*exact["scores"][words], *rest]), 1.0, 255)
    packed["fits"] = (exact["fits"] + 1) % (len(exact["scores"]) + 1)  # 0: a hidden word
    packed["cosines"] = exact["cosines"].astype(np.float32)
    return packed_text(**packed)


def _colours(rows: Floats) -> Floats:
    """(n, D) as (n, 3) in [0, 1]: its three principal components; the mean is grey."""
    centred = torch.from_numpy(rows - rows.mean(0)).double()
    # NumPy's has threads of its own that wait by spinning: on a busy machine half a second each.
    values, vectors = (part.numpy() for part in torch.linalg.eigh(centred @ centred.T))
    out = np.zeros((len(rows), 3), np.float32)
    for k in range(min(3, len(rows))):
        component = vectors[:, -1 - k] * math.sqrt(max(values[-1 - k], 0.0))
        if component[np.abs(component).argmax()] < 0:
            component = -component
        spread = max(float(np.percentile(np.abs(component), 96)), 1e-12)
        out[:, k] = 0.5 + 0.45 * np.clip(component / spread, -1, 1)
    return out


def _looks_most(used: Floats) -> tuple[Floats, Floats]:
    """Where each patch's row is largest, (LOOKS, N), and how many times uniform it is there."""
    rows = used / np.maximum(used.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    best = largest(rows, min(LOOKS, len(rows)))
    return best.T, np.take_along_axis(rows, best, 1).T * len(rows)
