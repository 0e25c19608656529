"""What is written at the machine's parts: name, equation, its source, a value and a sentence."""

import math
from collections.abc import Sequence

from demo import wording
from demo.look import Look
from demo.widgets.values import Json
from gclip_core.numbering import block_numbers, named
from gclip_core.types import FusionReason

MARKS = {
    "[paper]": "Stated in the paper’s abstract, overview or figure captions.",
    "[reading]": "The paper’s own formula is not at hand: others who read it describe it so.",
    "[ours]": "This project’s choice, where the paper is silent.",
}


def parts(look: Look, tokens: Sequence[Sequence[int]], block: int, square: int) -> dict[str, Json]:
    """The words at every part; ``tokens`` are every block's global ones, ``block`` is in view."""
    return {
        "picture": _picture(look, square),
        "blocks": _blocks(look, tokens),
        "heads": _part(
            "Last block", "q, k, v = split(ln_{1}(x) W_{in} + b_{in})", "",
            "like colours, like vectors",
            "Each patch's vector in three colours, by the three directions in which the patches "
            "differ most.",
        ),
        "matrix": _matrix(look),
        "values": _values(look, block),
        "words": _words(look),
        "scores": _part(
            "Scores", "cos, softmax", "", "best words at the patch",
            "How the words share the patch that is pointed at, to 100 %; at the two that fit it "
            "best their cosine. Its label is the best single word, of hidden ones too; “the rest” "
            "is all that the typed words leave.",
        ),
        "mask": _mask(look),
    }  # fmt: skip


def _part(name: str, equation: str, mark: str, value: str, sentence: str) -> Json:
    said = {"name": name, "equation": equation, "mark": mark}
    return said | {"value": value, "sentence": sentence}


def _picture(look: Look, square: int) -> Json:
    h, w = look.grid
    squares = f" Attention is drawn in squares of {square} × {square} patches." * (square > 1)
    return _part(
        "Picture in patches", f"N = h · w = {h} · {w}", "", f"{h * w} patches",
        f"The picture is cut into {h} rows of {w} patches; each becomes one token, and a class "
        f"token joins them.{squares}",
    )  # fmt: skip


def _blocks(look: Look, tokens: Sequence[Sequence[int]]) -> Json:
    threshold = f"{look.settings.global_threshold:g} × an equal share"
    tokened = [index + 1 for index, found in enumerate(tokens) if found]
    said = (
        f"Small squares: global tokens, looked at {threshold} or more, in {named(tokened)}."
        if tokened
        else f"No patch gets {threshold}: there are no global tokens."
    )
    return _part(
        f"{len(tokens)} blocks", "m_{j} = N · mean_{i} Ā_{ij}", "ours",
        f"squares: global tokens, ≥ {threshold}" if tokened else "no global tokens",
        f"Bright: patches that many others look at. {said} Dark number: the block whose channels "
        f"are shown. {_why(look)}".rstrip(),
    ) | {"more": _taken(look)}  # fmt: skip


def _why(look: Look) -> str:
    """Which blocks AMF takes and why; empty without AMF."""
    fusion = look.segment(look.chosen).found.fusion
    if not fusion.blocks:
        return ""
    taken = named(block_numbers(fusion.blocks))
    return f"AMF takes {taken}: {wording.FUSION_REASONS[fusion.reason]}."


def _taken(look: Look) -> str:
    """The same, short, where global tokens are spoken of."""
    found = look.segment(look.chosen).found
    if not found.fusion.blocks:
        return ""
    last, before = len(found.channels) - 1, " before CS" if found.suppressed else ""
    short = {
        FusionReason.MIDDLE: f"the middle: no run up to {last} has them{before}",
        FusionReason.GLOBAL_TOKENS: f"the first with them{before}",
    }
    why = short.get(found.fusion.reason, wording.FUSION_REASONS[found.fusion.reason])
    taken = named(block_numbers(found.fusion.blocks)).removeprefix("blocks ")
    return f"Violet: AMF takes {taken}, {why}"


def _matrix(look: Look) -> Json:
    found, n = look.segment(look.chosen).found, look.segmenter.backbone.n_blocks
    symbol, equation, meaning = wording.attention_words(look.chosen.attention)
    taken = block_numbers(found.fusion.blocks)
    reads = "A row is who looks, a column at whom, to average their Values."
    if look.chosen.calibration is not None:
        return _part(
            "Matrix used",
            f"A = mean of {equation} and a gate",
            "",
            f"block {n}, calibrated: {meaning}",
            "Outlier patches are repaired first. Patches that are alike in an earlier block are "
            "averaged before the last block and after it; the matrix shown holds all of it. "
            + reads,
        )
    if look.chosen.fusion is not None and look.chosen.fusion.weight is not None:
        weight = look.chosen.fusion.weight
        return _part(
            "Matrix used",
            f"A = {1 - weight:g} ({symbol}) + {weight:g} · mean of A^{{l}}, l ∈ G",
            "",
            f"the last block's and the mean of {named(taken)}",
            f"The method mixes the last block's matrix ({meaning}) with the mean of "
            f"{named(taken)}, which counts {weight:.0%}. {reads}",
        )
    if not taken:
        return _part(
            "Matrix used", f"A = {equation}", "", f"block {n} alone: {meaning}",
            f"The last block's matrix is used as it is: {meaning}. {reads}",
        )  # fmt: skip
    return _part(
        "Matrix used", f"A = ({symbol} + Σ_{{l∈G}} A_{{qk}}^{{l}}) / (1\u00a0+\u00a0|G|)",
        "reading", f"mean of {named([*taken, n])}",
        f"AMF averages the last block's matrix ({meaning}) with the attention of {named(taken)}. "
        f"{_why(look)} {reads}",
    )  # fmt: skip


def _values(look: Look, block: int) -> Json:
    found, cs = look.segment(look.chosen).found, look.chosen.suppression is not None
    top, ratio = found.channels[block], found.ratios[block]
    inside, across = look.alike(look.chosen)
    spikes = [index + 1 for index in found.abnormal if index < len(found.channels) - 1]
    done = (
        f"CS brings it back to the mean of the others in {named(block_numbers(found.suppressed))}."
        if found.suppressed
        else f"CS is on: {wording.SUPPRESSION_REASONS[found.cs_reason]}." if cs
        else f"One channel stands out in {named(spikes)}; CS would bring it back." if spikes
        else f"Channel {top} is the largest, and not abnormal."
    )  # fmt: skip
    pairs = not (math.isnan(inside) or math.isnan(across))
    alike = (
        f"Values of one region are alike by {wording.cosine(inside)}, of different ones by "
        f"{wording.cosine(across)} "
        f"(cosine; regions: {look.regions})." * pairs
    )
    fault = " ".join(map(wording.planted, look.segmenter.backbone.planted))
    return _part(
        "Channels, Values",
        "W_{2}[d̂] ← W_{2}[d̂] · mean_{d≠d̂} n_{d} / n_{d̂}" if cs else "n_{d} = ‖W_{2}[d, :]‖_{2}",
        "reading" if cs else "paper",
        f"channel {top}: {wording.times(ratio)} the median",
        " ".join(filter(None, (fault, done, alike))),
    )  # fmt: skip


def _words(look: Look) -> Json:
    method, names = look.chosen, look.mask(look.chosen).names
    kept = [name for name, on in (("residual path", method.residual), ("FFN", method.ffn)) if on]
    keeps = f"its {' and its '.join(kept)}" if kept else "neither its residual path nor its FFN"
    return _part(
        "Patches × words", f"logit = {look.segmenter.logit_scale:g} · cos(z, t)", "",
        f"{len(names)} word{'s' * (len(names) != 1)}",
        f"Every patch's vector z against every word's vector t. The last block keeps {keeps}.",
    )  # fmt: skip


def _mask(look: Look) -> Json:
    mask = look.mask(look.chosen)
    share, largest = max(zip(mask.shares, [*mask.names, "the rest"], strict=True))
    said = f"{largest} {wording.percent(share)}"
    if mask.miou is not None:
        said += f", {wording.miou(mask.miou)}"
    return _part("Mask", "argmax", "", said, "Every pixel gets its best word.")
