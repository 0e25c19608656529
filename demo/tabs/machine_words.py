"""The words at the machine's parts: name, equation, its source, a value and a sentence."""

import math
from collections.abc import Sequence

from demo import wording
from demo.look import Look
from demo.tabs import common
from demo.widgets.values import Json
from gclip_core.numbering import block_numbers, named

MARKS = {
    "[paper]": "Stated in the paper’s abstract, overview or figure captions.",
    "[reading]": "The paper’s own formula is not at hand: others who read it describe it so.",
    "[ours]": "This project’s choice, where the paper says nothing.",
}
FIELDS = ("name", "equation", "mark", "value", "sentence")
Part = tuple[str, str, str, str, str]


def parts(look: Look, tokens: Sequence[Sequence[int]], block: int, square: int) -> dict[str, Json]:
    """The words at every part; ``tokens`` are every block's global ones, ``block`` is in view."""
    method, (h, w), n = look.chosen, look.grid, len(look.mask(look.chosen).names)
    squares = f" Attention is drawn in squares of {square} × {square} patches." * (square > 1)
    kept = [name for name, on in (("residual path", method.residual), ("FFN", method.ffn)) if on]
    keeps = f"its {' and its '.join(kept)}" if kept else "neither its residual path nor its FFN"
    made = {
        "picture": (
            "Picture in patches",
            f"N = h · w = {h} · {w}",
            "",
            f"{h * w} patches",
            f"The picture is cut into {h} rows of {w} patches; each becomes one token, beside a "
            f"class token.{squares}",
        ),
        "blocks": _blocks(look, tokens),
        "heads": (
            "Last block",
            "q, k, v = split(ln_{1}(x) W_{in} + b_{in})",
            "",
            "like colours, like vectors",
            "Each patch's vector in three colours, by the three directions in which the patches "
            "differ most.",
        ),
        "matrix": _matrix(look),
        "values": _values(look, block),
        "words": (
            "Patches × words",
            f"logit = {look.segmenter.logit_scale:g} · cos(z, t)",
            "",
            f"{n} word{'s' * (n != 1)}",
            f"Every patch's vector z against every word's vector t. The last block keeps {keeps}.",
        ),
        "scores": (
            "Scores",
            "cos, softmax",
            "",
            "best words at the patch",
            "How the words share the patch that is pointed at, to 100 %; at the two that fit it "
            "best their cosine. Its label is the best single word, of hidden ones too; “the rest” "
            "is what the typed words leave.",
        ),
        "mask": _mask(look),
    }
    return {name: dict(zip(FIELDS, part, strict=True)) for name, part in made.items()}


def _blocks(look: Look, tokens: Sequence[Sequence[int]]) -> Part:
    threshold = f"{look.settings.global_threshold:g} × an equal share"
    with_tokens = [index + 1 for index, found in enumerate(tokens) if found]
    value, found = "no global tokens", f"No patch gets {threshold}: there are no global tokens."
    if with_tokens:
        value = f"squares: global tokens, ≥ {threshold}"
        found = f"Small squares: global tokens, ≥ {threshold}, in {named(with_tokens)}."
    sentence = (
        f"Bright: patches that many others look at. {found} Dark number: the block whose channels "
        f"are shown. {wording.amf_blocks(look.segment(look.chosen).report)}"
    )
    equation = "m_{j} = N · mean_{i} Ā_{ij}"
    return f"{len(tokens)} blocks", equation, "ours", value, sentence.rstrip()


def _matrix(look: Look) -> Part:
    found, method = look.segment(look.chosen).report, look.chosen
    n, taken = len(found.channels), block_numbers(found.fusion.blocks)
    symbol, equation, meaning = wording.attention_words(method.attention)
    formula, mark, value = f"A = {equation}", "", f"block {n} alone: {meaning}"
    sentence = f"The last block's matrix is used as it is: {meaning}."
    if method.calibration is not None:
        formula, value = f"A = mean of {equation} and a gate", f"block {n}, calibrated: {meaning}"
        sentence = (
            "Outlier patches are repaired first. Patches that are alike in an earlier block are "
            "averaged before the last block and after it; the matrix shown includes all of it."
        )
    elif method.fusion is not None and method.fusion.weight is not None:
        weight = method.fusion.weight
        formula = f"A = {1 - weight:g} ({symbol}) + {weight:g} · mean of A^{{l}}, l ∈ G"
        value = f"the last block's and the mean of {named(taken)}"
        sentence = f"{wording.mixes(found.fusion, method)} The rest is its own: {meaning}."
    elif taken:
        formula = f"A = ({symbol} + Σ_{{l∈G}} A_{{qk}}^{{l}}) / (1\u00a0+\u00a0|G|)"
        mark, value = "reading", f"mean of {named([*taken, n])}"
        sentence = f"Averaged: the last block's ({meaning}) and others. {wording.amf_blocks(found)}"
    reads = "Each row is a patch that looks, each column one whose Value it averages."
    return "Matrix used", formula, mark, value, f"{sentence} {reads}"


def _values(look: Look, block: int) -> Part:
    found, cs = look.segment(look.chosen).report, look.chosen.suppression is not None
    top, ratio = found.channels[block], wording.times(found.ratios[block])
    spikes = [index + 1 for index in found.abnormal if index < len(found.channels) - 1]
    if found.suppressed:
        where = named(block_numbers(found.suppressed))
        done = f"CS scales it down to the mean of the others in {where}."
    elif cs:
        done = f"CS is on: {wording.SUPPRESSION_REASONS[found.cs_reason]}."
    elif spikes:
        done = f"One channel is abnormal in {named(spikes)}; CS would scale it down."
    else:
        done = f"Channel {top} is the largest, and not abnormal."
    inside, across = look.alike(look.chosen)
    alike = (
        f"Values of one region are alike by {wording.cosine(inside)}, of different ones by "
        f"{wording.cosine(across)} (cosine; regions: {look.regions})."
    )
    pairs = not (math.isnan(inside) or math.isnan(across))
    sentence = " ".join(filter(None, (common.simulated(look), done, alike * pairs)))
    equation, mark = "n_{d} = ‖W_{2}[d, :]‖_{2}", "paper"
    if cs:
        equation, mark = "W_{2}[d̂] ← W_{2}[d̂] · mean_{d≠d̂} n_{d} / n_{d̂}", "reading"
    return "Channels, Values", equation, mark, f"channel {top}: {ratio} the median", sentence


def _mask(look: Look) -> Part:
    mask = look.mask(look.chosen)
    share, largest = max(zip(mask.shares, [*mask.names, "the rest"], strict=True))
    value = ", ".join(
        filter(None, [f"{largest} {wording.percent(share)}", wording.miou(mask.miou)])
    )
    return "Mask", "argmax", "", value, "Every pixel gets its best word."
