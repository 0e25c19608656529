"""The lesson: a list of steps, each with a guess before its reveal.

A step is told from facts: :func:`measure` takes them from what a visitor sees now, and
``python -m demo.learn.bake`` wrote those of the pictures shown while no model is there. What a step
sets, the page then has; what it claims was measured in that state.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.look import Look
from demo.views import learn as views
from gclip_core import assets
from gclip_core.numbering import named

NEAR = 0.01
Facts = Mapping[str, Any]
PLAIN = {"method": "gclip", "amf": False, "cs": False, "plant": False, "view_block": None}
"""ClearCLIP without a fault: where most steps begin."""


@dataclass(frozen=True)
class Turn:
    """What a step is called, how it sets the page before and after its guess, where to look."""

    name: str
    title: str
    sets: Mapping[str, Any]
    then: Mapping[str, Any]
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """What a step says: text, question, options, the right one's index, and what is revealed.

    ``**words**`` are strong.
    """

    text: str
    question: str
    options: tuple[str, str, str]
    right: int
    reveal: str


@dataclass(frozen=True)
class Figure:
    """A baked picture: its file in the folder, and its caption."""

    file: str
    caption: str


def turns(own: bool) -> tuple[Turn, ...]:
    """The steps; ``own``: the model has an abnormal channel itself, so that none is planted."""
    ill = PLAIN if own else {**PLAIN, "plant": True}
    return (
        Turn("clip", "Who knows where?", {**PLAIN, "method": "clip"}, PLAIN,
             ("heads", "matrix", "words", "scores", "mask")),
        Turn("tokens", "Global tokens", PLAIN, PLAIN, ("blocks",)),
        Turn("amf", "Attention Map Fusion", PLAIN, {**PLAIN, "amf": True},
             ("blocks", "matrix", "mask")),
        Turn("fault", "One channel too loud", PLAIN, ill, ("blocks", "values", "mask")),
        Turn("cs", "Channel Suppression", ill, {**ill, "cs": True}, ("blocks", "values", "mask")),
        Turn("own", "Your picture", PLAIN, PLAIN, ("words", "scores", "mask")),
    )  # fmt: skip


COUNT = len(turns(False))
FIGURES = {
    "": (("picture", "The picture"), ("matrix-global", "Who looks at whom in a later block"),
         ("clearclip", "ClearCLIP"), ("sick", "A planted fault"), ("cured", "Mended by CS")),
    "clip": (("picture", "The picture"), ("clip", "CLIP"), ("clearclip", "ClearCLIP")),
    "tokens": (("matrix-early", "An early block: who looks at whom"),
               ("matrix-global", "A later block: bright columns"),
               ("seen-global", "How much each patch is looked at")),
    "amf": (("row-plain", "Where the framed patch looks, AMF off"), ("row-fused", "AMF on"),
            ("clearclip", "Mask, AMF off"), ("amf", "AMF on")),
    "fault": (("clearclip", "Without the fault"), ("sick", "With it")),
    "cs": (("sick", "The fault, CS off"), ("cured", "The fault, CS on")),
    "own": (("picture", "The picture"), ("left-out", "One word left out")),
}  # fmt: skip


def figures(name: str) -> tuple[Figure, ...]:
    """The baked pictures of a step."""
    return tuple(Figure(f"{file}.webp", caption) for file, caption in FIGURES[name])


def measure(look: Look, turn: Turn) -> dict[str, Any]:
    """The facts of a step on what a visitor sees, as the page stands once it is told."""
    told = look.changed(**{**turn.then, "view_block": look.settings.view_block})
    facts, baked = views.see(told, turn.name), read_facts()
    same = baked is not None and baked["weights"] == look.bare.backbone.digest
    return facts | {"means": baked["means"] if baked and same else None}


def turns_of(look: Look) -> tuple[Turn, ...]:
    """The steps for a look's model."""
    return turns(views.has_own_fault(look.bare.backbone, look.settings.channel_threshold))


def tell(name: str, facts: Facts) -> Told:
    """What the step of that name says of these facts."""
    return _TOLD[name](facts, facts[name])


def read_facts(folder: Path | None = None) -> dict[str, Any] | None:
    """What was baked; None where nothing was."""
    try:
        path = (folder or assets.path("learn")) / "facts.json"
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _clip(facts: Facts, part: Facts) -> Told:
    return Told(
        "CLIP learned to match whole pictures with captions; it never saw a mask. Here every patch "
        f"gets the word that fits its vector best: **{_words(facts)}**. This is **CLIP as it is**: "
        "in its last block queries look at keys, and its residual path and FFN take part.",
        "What if each patch looked only at those with a similar query, without residual path and "
        "FFN?",
        ("The words find their places", "The mask gets worse: parts are missing",
         "Nothing changes: it is one block of many"),
        _better(part["before"], part["after"]) if part["before"] is not None
        else 2 if part["changed"] < 0.02 else 0,
        "That is **ClearCLIP**: Query-Query attention is local, and what the residual path carries "
        "serves the class token, not the patch. "
        + _moved(part, "the mask")
        + _means(facts, ("clip", "with CLIP"), ("clearclip", "with ClearCLIP"))
        + " **Why has this patch its word?** Read it under “Scores” and in the line at the bottom, "
        "then point at another.",
    )  # fmt: skip


def _tokens(facts: Facts, part: Facts) -> Told:
    strongest, counts = part["strongest"], part["counts"]
    count, score = counts[strongest - 1], part["scores"][strongest - 1]
    with_tokens = [i + 1 for i, n in enumerate(counts) if n]
    if count:
        found = (
            f"Here {named(with_tokens)} {'has' if len(with_tokens) == 1 else 'have'} such patches, "
            f"{count} of {part['patches']} in block {strongest}; the strongest gets {score:.1f} "
            "times an equal share."
        )
    else:
        found = (
            f"Here no patch reaches {part['threshold']:g} times uniform attention; the strongest, "
            f"in block {strongest}, gets {score:.1f} times."
        )
    return Told(
        "Each tile is a block. It shows how much every patch is looked at; bright is much. Under "
        "it stands the most looked-at patch, in multiples of an equal share. From some block on a "
        "few patches stand out: the tile glows, and small squares mark them.",
        "What are these patches?",
        ("Patches that look at nothing but themselves",
         "Patches that nearly every other patch looks at",
         "Patches on the outlines of things"),
        1,
        "They are **global tokens**: looked at by nearly all, and so bright columns in their "
        "block’s matrix. In the paper they gather knowledge of the whole picture and look where "
        "the class token looks, in OpenAI’s ViT-B/16 from block 6 of 12 on. "
        f"{found}{_agreeing(part)}",
    )  # fmt: skip


def _amf(facts: Facts, part: Facts) -> Told:
    taken, n = part["blocks"], facts["n_blocks"]
    which = (
        f"No run of blocks qualifies here, so the middle {named(taken)} are taken."
        if "middle blocks taken" in part["reason"]
        else f"Here these are {named(taken)} ({part['reason']})."
    )
    weight = f"1/{1 + len(taken)}"
    means = facts.get("means") or {}
    before, after = means.get("clearclip", part["before"]), means.get("amf", part["after"])
    ending = ""
    if before is not None and after is not None:
        ending = (
            " That is what the paper reports on its benchmarks.",
            " That is unlike the paper, whose models are far larger.",
            " That is next to nothing.",
        )[_better(before, after)]
    return Told(
        "Query-Query attention looks at what is alike and forgets the whole. **AMF** brings the "
        "whole back: it averages the last block’s matrix with the attention of the first blocks "
        "from which on every block but the last has global tokens (of the last, such attention is "
        f"not used). {which}",
        "How much of this mask will change?",
        ("Less than 5 % of the pixels", "5 to 20 %", "More than 20 %"),
        sum(part["changed"] >= bound for bound in (0.05, 0.2)),
        f"The lines show it: {named(taken)} and block {n}, **{weight} each**. "
        + _moved(part, "the mask").strip()
        + _means(facts, ("clearclip", "without AMF"), ("amf", "with AMF")) + ending,
    )  # fmt: skip


def _fault(facts: Facts, part: Facts) -> Told:
    where = named(part["blocks"])
    why = (
        f"**{facts['backbone']} has such a channel**: channel {part['channel']} stands out in "
        f"{where}, by {part['ratio']:.1f} times the median."
        if part["own"]
        else f"{facts['backbone']} has none before its last block, so this step **plants one: "
        f"a simulation**. Channel {part['channel']} is multiplied by {part['gain']:g} in {where}."
    )
    harm = _moved(part, "the mask")
    return Told(
        "Each block ends with an FFN, a small network that every patch passes alone. The paper "
        "finds that from some block on one output channel of its second layer has weights far "
        f"larger than all others. {why}",
        "What does one huge channel do to the mask?",
        ("Outlines get sharper", "Things melt together or lose their words",
         "Next to nothing: it is one channel of many"),
        2 if part["changed"] < 0.02 else 1,
        f"One huge channel outweighs all others in every patch. {harm}"
        + _alike(part)
        + _means(facts, ("healthy", "without the fault"), ("sick", "with it")),
    )  # fmt: skip


def _cs(facts: Facts, part: Facts) -> Told:
    first, n = part["blocks"][0], facts["n_blocks"]
    whole = f"{named(range(1, first)).capitalize()}, and block {first}’s attention"
    if first == 1:
        whole = "Block 1’s attention alone"
    as_there = _alike(part)
    both = part["alike"] and (
        part["alike"][1][0] >= part["alike"][0][0] and part["alike"][1][1] <= part["alike"][0][1]
    )
    return Told(
        f"**CS** scales channel {part['channel']} of {named(part['blocks'])} down to the mean "
        "norm of the others: the spike goes. No weight is trained.",
        "Which blocks stay exactly as they are?",
        (f"All {n} blocks: only the mask is mended", "None of them", whole),
        2,
        f"A block’s attention runs before its FFN, so the tile of block {first} stays, and all "
        f"before it; all that comes after changes. {_moved(part, 'the mask')}{as_there}"
        + ("" if both or not as_there else "In the paper in-in rises and in-out falls; not both do "
           "on this picture. ")
        + _means(facts, ("sick", "without CS"), ("cured", "with CS")),
    )  # fmt: skip


def _own(facts: Facts, part: Facts) -> Told:
    missing, taker = part["missing"], part["taker"]
    right = 0 if taker is None else 1
    rule = (
        "The hidden words for the rest of the picture take what no typed word fits"
        if part["rest"]
        else "Every pixel gets the best of the words there are"
    )
    where = f"stay without a word ({_percent(part['share'])} of them)" if taker is None else (
        f"mostly become **{taker}** ({_percent(part['share'])} of them)"
    )  # fmt: skip
    photos = (
        "The built-in model knows what it was trained on; for any photo, choose OpenAI ViT-B/16 as "
        "backbone. " if facts["built_in"] else ""
    )  # fmt: skip
    return Told(
        "Before you take a picture of your own: it answers with the words you type"
        f"{', or with none' if part['rest'] else ' and no others'}. Suppose "
        f"**{missing}** were not among {_words(facts)}.",
        f"What would the pixels of “{missing}” be called?",
        ("Nothing: they stay without a word", "Whichever other word fits least badly",
         f"Still “{missing}”: the model knows it"),
        right,
        f"They would {where}. {rule}: so name what is there, add synonyms with “;” (sofa; couch). "
        f"{photos}Now drop a picture of your own, type its words, and switch AMF and CS.",
    )  # fmt: skip


_TOLD: dict[str, Callable[[Facts, Facts], Told]] = {
    "clip": _clip, "tokens": _tokens, "amf": _amf, "fault": _fault, "cs": _cs, "own": _own,
}  # fmt: skip


def _agreeing(part: Facts) -> str:
    """How far global tokens look where the class token looks."""
    known = [one for one in part["agreement"] if one is not None]
    if not known:
        return ""
    return (
        " A tile’s lowest number says whether they look where the class token looks (0 elsewhere, "
        f"1 alike): here {min(known):.2f} to {max(known):.2f}."
    )


def _better(before: float, after: float) -> int:
    """0: better, 1: worse, 2: less than a point either way."""
    return 2 if abs(after - before) < NEAR else 0 if after > before else 1


def _moved(part: Facts, what: str) -> str:
    """What a switch did to this picture's mask."""
    scores = "" if part["before"] is None else (
        f"; mIoU goes from {_percent(part['before'])} to {_percent(part['after'])}"
    )  # fmt: skip
    return f"Here {_percent(part['changed'])} of {what} changes{scores}. "


def _alike(part: Facts) -> str:
    """How alike the last block's Values are before and after."""
    if not part["alike"]:
        return ""
    (inside, across), (inside_then, across_then) = part["alike"]
    return (
        f"Within things the Values were alike by {inside:.2f}, now {inside_then:.2f} (in\u2011in); "
        f"across things {across:.2f}, now {across_then:.2f} (in\u2011out). "
    ).replace("-", "−")


def _means(facts: Facts, *pairs: tuple[str, str]) -> str:
    """Mean scores over other scenes, where they were measured."""
    means = facts.get("means")
    if not means or any(means.get(key) is None for key, _ in pairs):
        return ""
    told = ", ".join(f"{_percent(means[key])} {state}" for key, state in pairs)
    return f" Over {means['scenes']} other scenes mIoU is {told} in the mean."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _words(facts: Facts) -> str:
    return facts["words"].replace(";", " or")
