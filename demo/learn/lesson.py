"""The lesson as data: six steps on one photo and the built-in model, a guess before each answer.

``{braces}`` are filled with what :func:`measure` finds on that photo: mIoU of the states below,
numbers of the other transformer (``assets/learn/stripes.json``), and what a word left out becomes.
Each answer has one number.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from demo import variants
from demo.look import Look, Mask, Request
from demo.settings import Settings
from demo.wording import percent
from evaluation.photos import star_photos
from gclip_core import assets
from gclip_core.methods import METHODS
from gclip_core.numbering import block_numbers, named
from gclip_core.registry import BUILT_IN

PHOTO = "moose"
LEFT_OUT = "elk"
"""The word that the last step leaves out."""
NEAR = 0.005
"""Of mIoU: less is "hardly any change"."""


STATES: dict[str, set[str]] = {
    "clip": {"clip"},
    "clearclip": set(),
    "amf": {"amf"},
    "planted": {"plant"},
    "cs": {"plant", "cs"},
    "both": {"plant", "cs", "amf"},
    "left_out": {"left_out"},
}
"""The masks of the lesson: ClearCLIP's, with what is switched on; CLIP's under "clip"."""


@dataclass(frozen=True)
class Figure:
    """A picture of a step: a "mask" of a state, a "matrix" or "norms" of a block."""

    kind: Literal["photo", "mask", "matrix", "norms"]
    of: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Step:
    """A step; ``right`` is the right option's index, or the two states that decide it.

    Of two states the options are: the mask gets better, gets worse, hardly changes.
    """

    title: str
    text: str
    question: str = ""
    options: tuple[str, ...] = ()
    right: int | tuple[str, str] = 0
    answer: str = ""
    before: tuple[Figure, ...] = ()
    after: tuple[Figure, ...] = ()


CHANGES = ("The mask gets better", "The mask gets worse", "It hardly changes")
THEIRS = "DINOv2’s ViT-S/14, fine-tuned for saliency"

COVER = Step(
    "Ninety seconds on one photo",
    "CLIP never saw a mask. How does it make one? Six guesses, one number each. The built-in model "
    "makes the masks on this page.",
    before=(Figure("photo"),),
)
STEPS = (
    Step(
        "CLIP knows what, not where",
        "CLIP learned from photos and their captions. Here every patch of the photo gets the word "
        "that fits it best.",
        "In its last block each patch’s query meets the keys of all others. What if it looked only "
        "at patches with a similar query?",
        CHANGES,
        ("clip", "clearclip"),
        "This is **ClearCLIP**. mIoU, how well the mask covers the true one, goes from {clip} to "
        "**{clearclip}**.",
        (Figure("mask", "clip", "CLIP"),),
        (Figure("mask", "clearclip", "ClearCLIP"),),
    ),
    Step(
        "Global tokens",
        "Each row is a patch that looks, each column a patch that is looked at; bright is more. "
        f"This is another transformer, {THEIRS}: the built-in model has no global tokens.",
        "In its later block some columns are bright from top to bottom. What are they?",
        (
            "Patches that look only at themselves",
            "Patches that nearly all others look at",
            "Patches on the outlines of things",
        ),
        1,
        "They are **global tokens**, here **{tokens}** of {patches} patches. In the paper they "
        "describe the whole picture; in OpenAI’s ViT-B/16 they appear from block 6 on.",
        (
            Figure("matrix", "early", "Block {early}: a diagonal, each looks near itself"),
            Figure("matrix", "late", "Block {late}: bright columns"),
        ),
    ),
    Step(
        "Attention Map Fusion",
        "**AMF** averages the attention of the first blocks with global tokens into the last "
        "block’s. The built-in has none, so AMF takes the middle ones, {amf_blocks}.",
        "What happens to ClearCLIP’s mask?",
        CHANGES,
        ("clearclip", "amf"),
        "mIoU goes from {clearclip} to **{amf}** on this photo. It rises on ten of the twelve "
        "example photos.",
        (Figure("mask", "clearclip", "ClearCLIP"),),
        (Figure("mask", "amf", "ClearCLIP + AMF"),),
    ),
    Step(
        "An abnormal channel",
        "In the paper one channel of a block’s FFN has far larger weights than all others. The "
        "other transformer has a weak one, {ratio} times the median with its LayerScale. The "
        "built-in has none: **a simulation** multiplies its channel {channel} by {gain} in "
        "{planted_blocks}.",
        "What does this channel do to ClearCLIP’s mask?",
        CHANGES,
        ("clearclip", "planted"),
        "mIoU goes from {clearclip} to **{planted}**: the channel outweighs all others in every "
        "patch.",
        (
            Figure("norms", "theirs", f"{THEIRS}, block {{norms_of}}"),
            Figure("norms", "planted", "The built-in, block {planted_block}, simulation"),
        ),
        (Figure("mask", "planted", "ClearCLIP, simulation"),),
    ),
    Step(
        "Channel Suppression",
        "**CS** scales the abnormal channel down to the mean of the others. No weight is trained, "
        "and the simulation stays on.",
        "What happens to the mask?",
        CHANGES,
        ("planted", "cs"),
        "mIoU goes from {planted} to **{cs}**. That is CS; with AMF beside it this is **GCLIP**.",
        (Figure("mask", "planted", "CS off, simulation"),),
        (Figure("mask", "cs", "CS on, simulation"),),
    ),
    Step(
        "The model knows only your words",
        "Each patch gets one of the words you type. Suppose **{missing}** were not among them.",
        "What would most pixels of “{missing}” be called?",
        ("{missing}, all the same", "{taker}", "Nothing: they stay without a word"),
        1,
        "**{share}** of them become {taker}, the best of the words that are left. So name what "
        "your photo shows.",
        (Figure("mask", "clearclip", "All words"),),
        (Figure("mask", "left_out", "Without “{missing}”"),),
    ),
)


def _words(left_out: str) -> str:
    classes = [one for one in star_photos()[PHOTO].words if left_out not in one]
    return ", ".join("; ".join(synonyms) for synonyms in classes)


REQUEST = Request(Settings(backbone=BUILT_IN, example=PHOTO, words=_words("")))
"""The lesson's photo, words and model, whatever the page shows."""


def mask(look: Look, name: str) -> Mask:
    """The mask of one of the STATES; ``look`` is that of REQUEST."""
    state = STATES[name]
    words = _words(LEFT_OUT if "left_out" in state else "")
    at = look.changed(plant="plant" in state, words=words)
    if "clip" in state:
        return at.mask(METHODS["clip"])
    return at.mask(variants.ablation(at.settings, "amf" in state, "cs" in state))


@cache
def stripes() -> dict[str, Any]:
    """Stored numbers of the other transformer on this photo: blocks, global tokens, norms."""
    return json.loads(assets.path("learn", "stripes.json").read_text("utf-8"))


def measure(look: Look) -> dict[str, str]:
    """The values for the braces of the steps; ``look`` is that of REQUEST."""
    masks, theirs, settings = {name: mask(look, name) for name in STATES}, stripes(), look.settings
    fused = look.findings(variants.ablation(settings, amf=True, cs=False)).fusion.blocks
    planted = block_numbers(settings.planted_blocks(look.bare.backbone.n_blocks))
    missing = masks["clearclip"].names.index(LEFT_OUT)
    left = masks["left_out"].labels[masks["clearclip"].labels == missing]
    counts = np.bincount(left[left >= 0].astype(int), minlength=1)
    return {
        **{name: percent(one.miou or 0.0) for name, one in masks.items()},
        "amf_blocks": named(block_numbers(fused)),
        "planted_blocks": named(planted),
        "planted_block": str(planted[0]),
        "channel": str(settings.plant_channel),
        "gain": f"{settings.plant_gain:g}",
        **{name: str(theirs[name]) for name in ("early", "late", "tokens", "patches", "norms_of")},
        "ratio": f"{theirs['ratio']:.1f}",
        "missing": LEFT_OUT,
        "taker": masks["left_out"].names[int(counts.argmax())],
        "share": percent(counts.max() / max(left.size, 1)),
    }


def right(look: Look, step: Step) -> int:
    """The index of a step's right option."""
    if isinstance(step.right, int):
        return step.right
    before, after = (mask(look, name).miou or 0.0 for name in step.right)
    return 2 if abs(after - before) < NEAR else int(after < before)
