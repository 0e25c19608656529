"""What the machine shows, as a JSON-ready value: every part of one request, picture to mask.

Numbers travel as one deflated run of bytes; ``arrays`` says how to read it. Attention is averaged
over squares of patches so that a request stays light; whatever is *written* about a row (where it
looks most) is taken from the exact one.
"""

import base64
import itertools
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from demo import wording
from demo.drawing import render
from demo.widgets.cards import packed_labels
from demo.widgets.held import largest
from demo.widgets.values import Json
from gclip_core import palette
from gclip_core.attention import ATTENTIONS, Attention
from gclip_core.numbering import block_numbers, named
from gclip_core.types import FusionReason

LEVELS = (32, 24, 16)
MAX_DATA = 48_000
"""Characters the packed arrays may take: coarser attention, then larger squares, until they do."""
MAX_SQUARES = 200
MAX_WORDS = 24
MASK_SIDE = 224
LOOKS = 3
"""Of the patches that a patch looks at, so many are named."""
Floats = NDArray[np.float32]


def machine_value(m: Any, picture: str) -> Json:
    """Value of the machine widget from a :class:`demo.tabs.machine.Machine`.

    ``picture`` is the name of its picture among the held.
    """
    finest = 1
    while math.prod(_squares(m.grid, finest)) > MAX_SQUARES:
        finest += 1
    for square, levels in itertools.product(range(finest, finest + 4), LEVELS):
        made = _value(m, picture, square, levels - 1)
        if len(made["data"]) <= MAX_DATA:
            break
    return made


def _value(m: Any, picture: str, square: int, levels: int) -> Json:
    """The same, attention in squares of patches and ``levels`` steps above none."""
    pack = _Pack()
    received = np.stack([np.asarray(tile.received, np.float32) for tile in m.tiles])
    pack.add("received", received, levels, gamma=0.5, top=3 * m.score_threshold)
    for name in ("q", "k", "v"):
        pooled = _pool_rows(np.asarray(m.heads[name], np.float32), m.grid, square)
        pack.add(f"head {name}", _colours(pooled), 31, top=1.0)
    matrices = {"local": m.local, **{f"block {b}": a for b, a in m.fused.items()}}
    for name, matrix in matrices.items():
        matrices[name] = render.pool_patches(np.asarray(matrix, np.float32), m.grid, square)
        pack.add(name, matrices[name], levels, gamma=0.5)
    looks, times = _looks_most(np.asarray(m.used, np.float32))
    pack.add("looks", looks, levels=65535, top=65535.0)
    pack.add("times", times, levels=65535)
    before, after = (np.asarray(norms, np.float32) for norms in (m.before, m.after))
    pack.add("norms", before, levels=65535)
    changed = np.flatnonzero(np.abs(after - before) > 1e-4 * np.maximum(before, 1e-12))
    scores = np.asarray(m.scores, np.float32)
    *shares, rest_share = m.shares
    kept = np.sort(np.lexsort((-scores.max(1), -np.array(shares)))[:MAX_WORDS])
    rest = [] if m.rest is None else [np.asarray(m.rest, np.float32)]
    pack.add("scores", np.stack([*scores[kept], *rest]), levels=255, top=1.0)
    fits = np.asarray(m.fits)
    pack.add("fits", (fits + 1) % (len(m.names) + 1), levels=65535, top=65535.0)  # 0: hidden
    pack.add("cosines", np.asarray(m.cosines) + 1, levels=2000, top=2.0)
    labels = np.asarray(m.labels, np.int32)
    small = render.nearest(labels, render.fitting(labels.shape, MASK_SIDE))
    colours, wide = palette.of_names(m.names), len(m.names) > 254
    kind = ATTENTIONS[m.attention]
    return {
        "kind": "machine",
        "model": m.model,
        "size": list(m.size),
        "grid": list(m.grid),
        "square": square,
        "picture": picture,
        "mask": packed_labels(small, wide),
        "shape": list(small.shape),
        "wide": wide,
        "arrays": pack.arrays,
        "data": pack.data(),
        "blocks": [_block(i, tile, m) for i, tile in enumerate(m.tiles)],
        "marks": MARKS,
        "bright": float(np.quantile(matrices["local"], 0.995)) or 1.0,
        "fused": list(block_numbers(m.fused)),
        "attention": m.attention,
        "local": symbol_of(kind),
        "unused": [name for name in "qk" if all(name not in pair for pair in kind.pairs)],
        "norms_of": m.norms_of + 1,
        "median": float(np.median(before)),
        "thresholds": [m.score_threshold, m.norm_threshold],
        "channel": int(before.argmax()),
        "repaired": [[int(d), float(after[d])] for d in changed],
        "similar": [None if math.isnan(x) else float(x) for x in m.similar[:2]],
        "miou": m.miou,
        "threshold": m.threshold,
        "amf": m.amf,
        "amf_note": named(block_numbers(m.fused)),
        "cs": m.cs,
        "cs_note": named(block_numbers(m.suppressed)) if m.suppressed else "changes nothing",
        "fault": m.planted and [*m.planted[:2], list(block_numbers(m.planted[2]))],
        "words": [
            {"index": index, "name": name, "colour": colour, "share": share}
            for index, name, colour, share in [
                *((int(i), m.names[i], colours[i], shares[int(i)]) for i in kept),
                *((-1, "the rest", palette.NO_CLASS, rest_share) for _ in rest),
            ]
        ],
        "rest": rest_share,
        "parts": parts(m, square),
    }


def _block(index: int, tile: Any, m: Any) -> Json:
    return {
        "number": index + 1,
        "score": float(tile.score),
        "tokens": [int(token) for token in tile.tokens],
        "agreement": None if math.isnan(tile.agreement) else float(tile.agreement),
        "channel": int(tile.channel),
        "ratio": float(tile.ratio),
        "after": float(tile.after),
        "planted": m.planted is not None and index in m.planted[2],
        "repaired": index in m.suppressed,
        "idle": index == len(m.tiles) - 1 and "FFN" not in m.keeps,
    }


# --- words at the parts ------------------------------------------------------------------------

MARKS = {
    "[paper]": "Stated in the paper’s abstract, overview or figure captions.",
    "[reading]": "The paper’s own formula is not at hand: others who read it describe it so.",
    "[ours]": "This project’s choice, where the paper is silent.",
}
LOOKS_AT = {"q": "query", "k": "key", "v": "Value"}


def symbol_of(kind: Attention) -> str:
    """An attention as the drawing writes it."""
    found = " + ".join(f"A_{{{a}{b}}}" for a, b in kind.pairs) or "I"
    return f"{found} + ω" if kind.gaussian else found


def equation_of(kind: Attention) -> str:
    """How an attention is calculated."""
    bias = " + ω" if kind.gaussian else ""
    found = " + ".join(f"softmax(s {a} {b}^{{T}}{bias})" for a, b in kind.pairs)
    return f"A = {found}" if found else "A v = v"


def meaning_of(kind: Attention) -> str:
    """Whom a patch looks at under an attention, in words."""
    if not kind.pairs:
        return "no attention: every patch keeps its own Value"
    same = [LOOKS_AT[a] for a, b in kind.pairs if a == b]
    crossed = ["its query matches their key" for a, b in kind.pairs if a != b]
    alike = [f"with a similar {' or '.join(same)}"] * bool(same)
    near = ", near ones preferred" if kind.gaussian else ""
    return f"each patch looks at patches {', or where '.join([*alike, *crossed])}{near}"


def parts(m: Any, square: int) -> dict[str, Json]:
    """Name, equation, mark of its source, value and sentence of each part."""
    h, w = m.grid
    n, last = len(m.tiles), f"block {len(m.tiles)}"
    tokened = [i + 1 for i, tile in enumerate(m.tiles) if len(tile.tokens)]
    kind = ATTENTIONS[m.attention]
    equation, meaning = equation_of(kind), meaning_of(kind)
    drawn = "" if square == 1 else f" Attention is drawn in squares of {square} × {square} patches."
    taken = list(block_numbers(m.fused))
    why = f"AMF takes {named(taken)}: {wording.FUSION_REASONS[m.amf_reason]}." if taken else ""
    drawn_words = min(len(m.names), 6 - (m.rest is not None))
    weight = f"1/{1 + len(taken)}"
    spikes = [i + 1 for i, tile in enumerate(m.tiles[:-1]) if tile.ratio >= m.norm_threshold]
    top = int(np.asarray(m.before).argmax())
    inside, across, regions = m.similar
    share, largest = max(zip(m.shares, [*m.names, "the rest"], strict=True), key=lambda one: one[0])
    return {
        "picture": _part(
            "Picture in patches", f"N = h · w = {h} · {w}", "", f"{h * w} patches",
            f"The picture is cut into {h} rows of {w} patches; each becomes one token, and a class "
            f"token joins them.{drawn}",
        ),
        "blocks": _part(
            f"{n} blocks", "m_{j} = N · mean_{i} Ā_{ij}", "ours",
            f"glow, squares: global tokens, looked at ≥ {m.score_threshold:g} × an equal share"
            if tokened
            else f"no global tokens: no patch gets {m.score_threshold:g} × an equal share",
            "Bright: patches that many others look at. Small squares: global tokens, looked at at "
            f"least {m.score_threshold:g} times as much as evenly, in {named(tokened)}. Dark "
            f"number: the block whose channels are shown. {why}".rstrip(),
        ) | {"more": _taken(m, taken) if taken else ""},
        "heads": _part(
            "Last block", "q, k, v = split(ln_{1}(x) W_{in} + b_{in})", "",
            "like colours, like vectors",
            "Each patch's vector in three colours, by the three directions in which the patches "
            "differ most.",
        ),
        "matrix": _part(
            "Matrix used",
            f"A = ({symbol_of(kind)} + Σ_{{l∈G}} A_{{qk}}^{{l}}) / (1\u00a0+\u00a0|G|)"
            if taken else equation, "reading" if taken else "",
            f"mean of {named([*taken, n])}, {weight} each" if taken else
            f"{last} alone: {meaning}",
            (f"AMF averages the last block's matrix ({meaning}) with the attention of "
             f"{named(taken)}. {why}" if taken else
             f"Without AMF the last block's matrix is used as it is: {meaning}.")
            + " A row is who looks, a column at whom, to average their Values.",
        ),
        "values": _part(
            "Channels, Values",
            "W_{2}[d̂] ← W_{2}[d̂] · mean_{d≠d̂} n_{d} / n_{d̂}" if m.cs
            else "n_{d} = ‖W_{2}[d, :]‖_{2}",
            "reading" if m.cs else "paper",
            f"channel {top}: {_times(m.tiles[m.norms_of].ratio)} the median"
            + f", {_times(m.tiles[m.norms_of].after)} with CS" * (m.norms_of in m.suppressed),
            _values_sentence(m, spikes, top, inside, across, regions),
        ),
        "words": _part(
            "Patches × words", f"logit = {m.logit_scale:g} · cos(z, t)", "",
            f"{len(m.names)} word{'s' if len(m.names) != 1 else ''}"
            + f", the {drawn_words} largest drawn" * (drawn_words < len(m.names))
            + "; z = A\u00a0v "
            + (f"with {' and '.join(m.keeps)}" if m.keeps else "without residual path and FFN"),
            "Every patch's vector z against every word's vector t. " + (
                f"The last block keeps its {' and its '.join(m.keeps)}." if m.keeps else
                "The last block's residual path and FFN are left out."),
        ),
        "scores": _part(
            "Scores", "cos, softmax", "", "best words at the patch",
            "How the words share the patch that is pointed at, to 100 %; at the two that fit it "
            "best their cosine. Its label is the best single word, of hidden ones too; “the rest” "
            "is all that the typed words leave.",
        ),
        "mask": _part(
            "Mask", "argmax", "",
            ", ".join(
                [f"{largest} {100 * share:.0f}\u00a0%"]
                + ([f"mIoU\u00a0{100 * m.miou:.0f}\u00a0%"] if m.miou is not None else [])
            ),
            "Every pixel gets its best word.",
        ),
    }  # fmt: skip


def _taken(m: Any, taken: Sequence[int]) -> str:
    """Which blocks AMF takes and why, to stand where global tokens are spoken of."""
    last, before = len(m.tiles) - 1, " before CS" if m.suppressed else ""
    why = wording.FUSION_REASONS[m.amf_reason]
    if m.amf_reason is FusionReason.MIDDLE:
        why = f"the middle: no run up to {last} has them{before}"
    elif m.amf_reason is FusionReason.GLOBAL_TOKENS:
        why = f"the paper’s first with them{before}"
    return f"Violet: AMF takes {named(taken).removeprefix('blocks ')}, {why}"


def _part(*said: str) -> Json:
    return dict(zip(("name", "equation", "mark", "value", "sentence"), said, strict=True))


def _values_sentence(
    m: Any, spikes: Sequence[int], top: int, inside: float, across: float, regions: str
) -> str:
    fault = ""
    if m.planted:
        channel, gain, blocks = m.planted
        where = named(block_numbers(blocks))
        ratios = [m.tiles[block].ratio for block in blocks]
        fault = (
            f"Simulated fault: channel {channel} times {gain:g} in {where}, which makes its norm "
            f"{min(ratios):.0f} to {max(ratios):.0f} times the median of all. "
        )
    done = (
        f"CS brings it back to the mean of the others in {named(block_numbers(m.suppressed))}. "
        if m.suppressed
        else f"CS is on: {m.cs_reason}. " if m.cs
        else f"One channel stands out in {named(spikes)}; CS would bring it back. " if spikes
        else f"Channel {top} is the largest, and not abnormal. "
    )  # fmt: skip
    alike = "" if math.isnan(inside) or math.isnan(across) else (
        f"Values of one region are alike by {inside:.2f}, of different ones by {across:.2f} "
        f"(cosine; regions: {regions})."
    )  # fmt: skip
    return fault + done + alike


def _times(ratio: float) -> str:
    return f"{ratio:.1f} ×" if ratio < 99.5 else f"{ratio:.0f} ×"


# --- arrays ------------------------------------------------------------------------------------


class _Pack:
    """Arrays as levels in one run of bytes: ``x = top * (level / levels) ** (1 / gamma)``."""

    def __init__(self) -> None:
        self.arrays: list[list[Any]] = []
        self._bytes: list[bytes] = []

    def add(
        self, name: str, values: ArrayLike, levels: int, gamma: float = 1.0,
        top: float | None = None,
    ) -> None:  # fmt: skip
        x = np.asarray(values, np.float64)
        most = float(x.max()) if top is None else top
        scaled = np.clip(x / most, 0, 1) if most > 0 else np.zeros_like(x)
        level = np.rint(scaled**gamma * levels)
        self.arrays.append([name, list(x.shape), levels, gamma, most])
        kind = np.uint8 if levels < 256 else np.dtype("<u2")
        self._bytes.append(level.astype(kind).tobytes())

    def data(self) -> str:
        """All bytes, deflated, in base64."""
        return base64.b64encode(zlib.compress(b"".join(self._bytes))).decode("ascii")


def _squares(grid: tuple[int, int], square: int) -> tuple[int, int]:
    return -(-grid[0] // square), -(-grid[1] // square)


def _pool_rows(x: Floats, grid: tuple[int, int], square: int) -> Floats:
    """(N, D) averaged over squares of patches: (n, D)."""
    return render.pool_keys(x.T.reshape(-1, *grid), square).reshape(x.shape[1], -1).T


def _colours(x: Floats) -> Floats:
    """(n, D) as (n, 3) in [0, 1]: its three principal components; the mean is grey."""
    rows = torch.from_numpy(x - x.mean(0)).double()
    # NumPy's has threads of its own that wait by spinning: on a busy machine half a second each.
    values, vectors = (part.numpy() for part in torch.linalg.eigh(rows @ rows.T))
    out = np.zeros((len(x), 3), np.float32)
    for k in range(min(3, len(x))):
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
