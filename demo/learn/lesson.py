"""Learn: five short steps, each with a guess before its reveal, on baked pictures.

It needs no model: what it shows was written by ``python -m demo.learn.bake``, and what it says
depends on those facts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from gclip_core import assets

NEAR = 0.01


@dataclass(frozen=True)
class Figure:
    """A baked picture or plot: its file in the folder, a caption, and words for who cannot see."""

    file: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Step:
    """One step: what to look at, a question with its right option, and what is revealed."""

    title: str
    lead: str
    first: tuple[Figure, ...]
    question: str
    options: tuple[str, ...]
    right: int
    reveal: str
    then: tuple[Figure, ...]


def steps(facts: dict[str, Any]) -> tuple[Step, ...]:
    """The five steps that these baked facts support."""
    return (_clip(facts), _tokens(facts), _amf(facts), _cs(facts), _own(facts))


def read_facts(folder: Path | None = None) -> dict[str, Any] | None:
    """What was baked; None where nothing was."""
    try:
        path = (folder or assets.path("learn")) / "facts.json"
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _clip(facts: dict[str, Any]) -> Step:
    clip, clear = facts["clip"]["clip"], facts["clip"]["clearclip"]
    reveal = (
        "CLIP's last block mixes every patch with many others, and its residual path carries "
        "what the class token needs, not what the patch shows. **ClearCLIP** lets each patch "
        "look at patches with a similar Query (Query-Query attention) and leaves the residual "
        "path and the FFN of that block out. Nothing is trained for this."
    )
    if clip is not None:
        reveal += (
            f" Over {facts['scenes']} fresh scenes, mIoU is {_percent(clip)} for CLIP and "
            f"{_percent(clear)} for ClearCLIP."
        )
    chosen = ""
    if facts.get("chosen_of"):
        chosen = (
            f" This scene is the one of {facts['chosen_of']} on which {facts['backbone']} does "
            "best; the numbers are means over other scenes."
        )
    return Step(
        title="1 · CLIP",
        lead=(
            "CLIP learned to match whole images with captions; it never saw a mask. But its "
            "image tower cuts the image into patches, and each patch ends as a vector. Give "
            f"each patch the word it fits best: **{_words(facts)}**.{chosen}"
        ),
        first=(Figure("picture.webp", "The image", f"The image: {_words(facts)}"),),
        question="What will the mask of plain CLIP look like?",
        options=(
            "Clean: it recognises images, so it finds the things in them",
            "Muddled: words spread to places where they do not belong",
            "Empty: patches carry no meaning at all",
        ),
        right=1,
        reveal=reveal,
        then=(
            Figure("clip.webp", "CLIP as it is", "Mask of plain CLIP over the image"),
            Figure("clearclip.webp", "ClearCLIP", "Mask of ClearCLIP over the image"),
        ),
    )


def _tokens(facts: dict[str, Any]) -> Step:
    tokens = facts["tokens"]
    strongest, early = tokens["strongest"], tokens["early"]
    count, score = tokens["counts"][strongest - 1], tokens["scores"][strongest - 1]
    with_tokens = [i + 1 for i, n in enumerate(tokens["counts"]) if n]
    if with_tokens:
        found = (
            f"In {facts['backbone']}, {_blocks(with_tokens)} of {facts['n_blocks']} "
            f"{'has' if len(with_tokens) == 1 else 'have'} such patches on this image. "
            f"In block {strongest} there "
            f"{'is 1' if count == 1 else f'are {count}'} of {tokens['patches']}; the strongest "
            f"gets {score:.1f} times the attention it would get if all looked everywhere alike."
        )
    else:
        found = (
            f"In {facts['backbone']} no patch reaches {tokens['threshold']:g} times uniform "
            f"attention on this image; the strongest, in block {strongest}, gets {score:.1f} times."
        )
    return Step(
        title="2 · Global tokens",
        lead=(
            "This square shows who looks at whom in an early block: one row for each patch that "
            "looks, one column for each patch looked at. Bright means much attention."
        ),
        first=(
            Figure(
                "matrix-early.webp",
                f"Block {early} of {facts['n_blocks']}: rows look at columns",
                f"Attention matrix of block {early}",
            ),
        ),
        question="In a later block some columns turn into bright vertical stripes. What are they?",
        options=(
            "Patches that look at nothing but themselves",
            "Patches that nearly every other patch looks at",
            "Patches on the outlines of things",
        ),
        right=1,
        reveal=(
            "A bright column is a patch that nearly all others look at: a **global token**. The "
            "paper finds that it gathers knowledge of the whole image, and that from the block "
            "where such patches appear they look where the class token looks. On OpenAI's "
            f"ViT-B/16 the paper sees them from block 6 of 12. {found}"
        ),
        then=(
            Figure(
                "matrix-global.webp",
                f"Block {strongest} of {facts['n_blocks']}",
                f"Attention matrix of block {strongest}",
            ),
            Figure(
                "seen-global.webp",
                f"How much each patch is looked at in block {strongest}; global tokens framed",
                f"Attention received per patch in block {strongest}",
            ),
            Figure("scores.svg", "The most attended patch of every block", ""),
        ),
    )


def _amf(facts: dict[str, Any]) -> Step:
    amf = facts["amf"]
    which = (
        f"No run of blocks qualifies in {facts['backbone']} on this image, so its middle "
        f"{_blocks(amf['blocks'])} of {facts['n_blocks']} are taken."
        if amf["reason"].endswith("middle blocks taken")
        else f"Here these are {_blocks(amf['blocks'])} of {facts['n_blocks']}."
    )
    lead = (
        "Query-Query attention in the last block looks at what is alike and forgets the whole. "
        "**Attention map fusion (AMF)** averages it with the attention of the first blocks that "
        f"have global tokens. {which} The framed patch looks, before and after:"
    )
    first = (
        Figure("row-plain.webp", "Last block, AMF off", "Where one patch looks without AMF"),
        Figure("row-fused.webp", "Last block, AMF on", "Where one patch looks with AMF"),
    )
    then = (
        Figure("clearclip.webp", "AMF off", "Mask without AMF"),
        Figure("amf.webp", "AMF on", "Mask with AMF"),
        Figure(
            "amf-changed.webp",
            f"What changed: {_percent(amf['changed'])} of the pixels",
            "Relabelled pixels in colour",
        ),
    )
    if amf["off"] is None:
        bounds = (0.05, 0.2)
        right = sum(amf["changed"] >= bound for bound in bounds)
        return Step(
            "3 · AMF", lead, first,
            "How much of the mask will change on this image?",
            ("Less than 5 % of the pixels", "5 to 20 %", "More than 20 %"),
            right,
            f"It is {_percent(amf['changed'])}. There is no true mask of this photo, so whether "
            "that is better is for you to judge. In the paper AMF raises mIoU on its benchmarks.",
            then,
        )  # fmt: skip
    change = amf["on"] - amf["off"]
    right = 2 if abs(change) < NEAR else 0 if change > 0 else 1
    ending = (
        "as in the paper's benchmarks"
        if right == 0
        else "unlike in the paper, whose models are far larger and whose global tokens appear "
        "in the middle blocks: a method that reads a phenomenon needs the phenomenon"
    )
    return Step(
        "3 · AMF", lead, first,
        f"In the paper AMF raises mIoU. What does it do to {facts['backbone']}, over "
        f"{facts['scenes']} fresh scenes?",
        ("It helps", "It hurts", "Next to nothing: less than one point"),
        right,
        f"mIoU goes from {_percent(amf['off'])} to {_percent(amf['on'])}: {ending}.",
        then,
    )  # fmt: skip


def _cs(facts: dict[str, Any]) -> Step:
    cs = facts["cs"]
    if cs["planted"]:
        why = (
            f"{facts['backbone']} has no such channel (its largest norm is "
            f"{cs['own_ratio']:.1f} times the median), so here we **planted one: a simulation**. "
            f"Channel {cs['channel']} is multiplied by {cs['gain']:g} in "
            f"{_blocks(cs['blocks'])}."
        )
    else:
        why = (
            f"In {facts['backbone']}, channel {cs['channel']} of block {cs['block']} has "
            f"{cs['ratio']:.1f} times the median norm."
        )
    numbers = ""
    if cs["sick"] is not None:
        healthy = f"{_percent(cs['healthy'])} before planting, " if cs["healthy"] else ""
        numbers = (
            f" mIoU over {facts['scenes']} fresh scenes: {healthy}{_percent(cs['sick'])} with the "
            f"abnormal channel, {_percent(cs['cured'])} with CS."
        )
    harmless = cs["healthy"] is not None and cs["healthy"] - cs["sick"] < NEAR
    return Step(
        title="4 · CS",
        lead=(
            "Each block ends with an FFN. The paper finds that from some block on *one* output "
            f"channel of its second layer has weights far larger than all others. {why}"
        ),
        first=(Figure("norms.svg", "The weight norm of every output channel", ""),),
        question="What does one huge channel do to the mask?",
        options=(
            "Things melt together or get wrong words",
            "Outlines get sharper",
            "Next to nothing: it is one channel among many",
        ),
        right=2 if harmless else 0,
        reveal=(
            "One huge channel outweighs all others in every patch. **Channel suppression (CS)** "
            f"scales its weights down to the mean norm of the others.{numbers} {_alike(cs)}"
        ),
        then=(
            Figure("sick.webp", "CS off", "Mask with the abnormal channel"),
            Figure("cured.webp", "CS on", "Mask with the channel suppressed"),
        ),
    )


def _alike(cs: dict[str, Any]) -> str:
    """What CS does to the Values, beside what the paper says of it."""
    sick, cured = cs["similar"]["sick"], cs["similar"]["cured"]
    numbers = (
        f"Here the mean cosine within regions goes from {sick[0]:.2f} to {cured[0]:.2f} with CS, "
        f"across regions from {sick[1]:.2f} to {cured[1]:.2f}"
    )
    as_there = cured[0] >= sick[0] and cured[1] <= sick[1]
    return (
        "In the paper CS makes the last block's Values of one thing more alike and those of "
        f"different things less alike. {numbers}{'.' if as_there else ': not both, on this image.'}"
    )


def _own(facts: dict[str, Any]) -> Step:
    own = facts["own"]
    where = (
        "The built-in model knows emoji scenes; for photos, choose OpenAI ViT-B/16 as backbone. "
        if facts["built_in"]
        else ""
    )
    return Step(
        title="5 · Your image",
        lead=(
            "Before you try an image of your own: the words you type are all it can answer. Here "
            f"the same image, but **{own['missing']}** is not among the words any more."
        ),
        first=(Figure("picture.webp", "The image", f"The image: {_words(facts)}"),),
        question=f"What will the pixels of “{own['missing']}” be called?",
        options=(
            "Nothing: they stay without a class",
            "Whichever of the other words fits least badly",
            f"Still “{own['missing']}”: the model knows it",
        ),
        right=1,
        reveal=(
            f"Every pixel gets the best of the words there are, here mostly **{own['taker']}** "
            f"({_percent(own['share'])} of them). So name the background too (wall, grass, sky), "
            "add synonyms with “;” (sofa; couch), or set a threshold under Advanced: pixels "
            f"below it stay without a class. {where}Now close Learn, drop an image, and toggle "
            "AMF and CS."
        ),
        then=(
            Figure(
                "left-out.webp",
                f"Words: {', '.join(own['words'])}",
                f"Mask without the word {own['missing']}",
            ),
        ),
    )


def figures_html(figures: Sequence[Figure], folder: Path) -> str:
    """Baked pictures as HTML with their captions; everything escaped, nothing from a visitor."""
    return (
        '<div class="learn-figures">'
        + "".join(
            f"<figure>{_inline(figure, folder)}"
            f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
            for figure in figures
        )
        + "</div>"
    )


def _inline(figure: Figure, folder: Path) -> str:
    path = folder / figure.file
    if path.suffix == ".svg":
        return path.read_text(encoding="utf-8")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="{escape(figure.alt)}" src="data:image/webp;base64,{data}">'


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _words(facts: dict[str, Any]) -> str:
    return facts["words"].replace(";", " or")


def _blocks(numbers: Sequence[int]) -> str:
    return f"block{'s' if len(numbers) > 1 else ''} {_listed(numbers)}"


def _listed(numbers: Sequence[int]) -> str:
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return " and ".join(filter(None, (", ".join(map(str, numbers[:-1])), str(numbers[-1]))))
