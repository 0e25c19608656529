"""The words at the machine's parts: name, equation, its source, a value and a sentence."""

import math
from dataclasses import asdict, dataclass

from demo import wording
from demo.tabs.machine.numbers import MachineContent
from demo.widgets.values import Json
from gclip_core.numbering import block_numbers, named

MARKS = {
    "[paper]": "Stated in the paper’s abstract, overview or figure captions.",
    "[reading]": "The paper’s own formula is not at hand: others who read it describe it so.",
    "[ours]": "This project’s choice, where the paper says nothing.",
}


@dataclass(frozen=True)
class Part:
    """The words at one part; ``mark`` is an entry of MARKS without its brackets, empty for none."""

    name: str
    equation: str
    mark: str
    value: str
    sentence: str


HEADS = Part(
    "Last block",
    "q, k, v = split(ln_{1}(x) W_{in} + b_{in})",
    "",
    "like colours, like vectors",
    "Each patch's vector in three colours, by the three directions in which the patches differ "
    "most.",
)
SCORES = Part(
    "Scores",
    "cos, softmax",
    "",
    "best words at the patch",
    "How the words share the patch that is pointed at, to 100 %; at the two that fit it best their "
    "cosine. Its label is the best single word, of hidden ones too; “background” is what the "
    "typed words leave.",
)


def parts(content: MachineContent, pooled: int) -> dict[str, Json]:
    """The words at every part; attention is drawn in squares of so many patches a side."""
    method, (h, w), n = content.method, content.grid, len(content.mask.names)
    squares = f" Attention is drawn in squares of {pooled} × {pooled} patches."
    if pooled == 1:
        squares = ""
    kept = [name for name, on in (("residual path", method.residual), ("FFN", method.ffn)) if on]
    keeps = f"its {' and its '.join(kept)}" if kept else "neither its residual path nor its FFN"
    every = {
        "picture": Part(
            "Picture in patches",
            f"N = h · w = {h} · {w}",
            "",
            f"{h * w} patches",
            f"The picture is cut into {h} rows of {w} patches; each becomes one token, beside a "
            f"class token.{squares}",
        ),
        "blocks": _blocks(content),
        "heads": HEADS,
        "matrix": _matrix(content),
        "values": _values(content),
        "words": Part(
            "Patches × words",
            f"logit = {content.logit_scale:g} · cos(z, t)",
            "",
            "1 word" if n == 1 else f"{n} words",
            f"Every patch's vector z against every word's vector t. The last block keeps {keeps}.",
        ),
        "scores": SCORES,
        "mask": _mask(content),
    }
    return {name: asdict(part) for name, part in every.items()}


def _blocks(content: MachineContent) -> Part:
    tokens = content.tokens.tokens
    threshold = f"{content.settings.global_threshold:g} × an equal share"
    with_tokens = [index + 1 for index, own in enumerate(tokens) if own]
    value = "no global tokens"
    named_tokens = f"No patch gets {threshold}: there are no global tokens."
    if with_tokens:
        value = f"squares: global tokens, ≥ {threshold}"
        named_tokens = f"Small squares: global tokens, ≥ {threshold}, in {named(with_tokens)}."
    sentence = (
        f"Bright: patches that many others look at. {named_tokens} Marked number: the block whose "
        f"channels are shown. {wording.amf_blocks(content.report)}"
    )
    equation = "m_{j} = N · mean_{i} Ā_{ij}"
    return Part(f"{len(tokens)} blocks", equation, "ours", value, sentence.rstrip())


def _matrix(content: MachineContent) -> Part:
    report, method = content.report, content.method
    n, fused = report.n_blocks, block_numbers(report.fusion.blocks)
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
        value = f"the last block's and the mean of {named(fused)}"
        sentence = f"{wording.mixes(report.fusion, method)} The rest is its own: {meaning}."
    elif fused:
        formula = f"A = ({symbol} + Σ_{{l∈G}} A_{{qk}}^{{l}}) / (1\u00a0+\u00a0|G|)"
        mark, value = "reading", f"mean of {named([*fused, n])}"
        sentence = (
            f"Averaged: the last block's ({meaning}) and others. {wording.amf_blocks(report)}"
        )
    reads = "Each row is a patch that looks, each column one whose Value it averages."
    return Part("Matrix used", formula, mark, value, f"{sentence} {reads}")


def _values(content: MachineContent) -> Part:
    report, cs, block = content.report, content.method.suppression is not None, content.block
    top, ratio = report.channels[block], wording.times(report.ratios[block])
    spikes = [index + 1 for index in report.abnormal if index < report.n_blocks - 1]
    if report.suppressed:
        where = named(block_numbers(report.suppressed))
        done = f"CS scales it down to the mean of the others in {where}."
        if content.simulated:
            done = f"CS repairs it in {where}: switch CS off to see the fault."
    elif cs:
        done = f"CS is on: {wording.SUPPRESSION_REASONS[report.cs_reason]}."
    elif spikes:
        done = f"One channel is abnormal in {named(spikes)}; CS would scale it down."
    else:
        done = f"Channel {top} is the largest, and not abnormal."
    sentence = " ".join(filter(None, (content.simulated, done, _alike(content))))
    equation, mark = "n_{d} = ‖W_{2}[d, :]‖_{2}", "paper"
    if cs:
        equation, mark = "W_{2}[d̂] ← W_{2}[d̂] · mean_{d≠d̂} n_{d} / n_{d̂}", "reading"
    return Part("Channels, Values", equation, mark, f"channel {top}: {ratio} the median", sentence)


def _alike(content: MachineContent) -> str:
    """The sentence on cosines of Values; empty where a kind of pair is missing."""
    inside, across = content.in_in_out
    if math.isnan(inside) or math.isnan(across):
        return ""
    return (
        f"Values of one region are alike by {wording.cosine(inside)}, of different ones by "
        f"{wording.cosine(across)} (cosine; regions: {content.regions})."
    )


def _mask(content: MachineContent) -> Part:
    mask = content.mask
    shares = [*mask.class_shares, mask.rest_share]
    share, largest = max(zip(shares, [*mask.names, "background"], strict=True))
    value = f"{largest} {wording.percent(share)}"
    if mask.miou is not None:
        value += f", {wording.miou(mask.miou, mask.result.refined)}"
    return Part("Mask", "argmax", "", value, "Every pixel gets its best word.")
