"""The lesson: a list of steps, each with a guess before its reveal; its text is ``lesson.toml``.

A step is told from facts: :func:`measure` takes them from what a visitor sees now, and
``python -m demo.learn.bake`` wrote those of the pictures shown while no model is there. What a step
sets, the page then has; what it claims was measured in that state.
"""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.learn import facts as measured
from demo.look import Look
from gclip_core import assets
from gclip_core.numbering import named
from gclip_core.types import FusionReason

NEAR = 0.01
Facts = Mapping[str, Any]
PLAIN = {"method": "gclip", "amf": False, "cs": False, "plant": False, "view_block": None}
"""ClearCLIP without a fault: where most steps begin."""

_BOOK = tomllib.loads(Path(__file__).with_name("lesson.toml").read_text("utf-8"))
_STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in _BOOK["steps"]}
_MEASURED: dict[str, str] = _BOOK["measured"]
COVER: dict[str, Any] = _BOOK["cover"]
COUNT = len(_STEPS)


@dataclass(frozen=True)
class Turn:
    """What a step is called, how it sets the page before and after its guess, where to look.

    ``figures`` are its baked pictures: a name and a caption each.
    """

    name: str
    title: str
    sets: Mapping[str, Any]
    then: Mapping[str, Any]
    parts: Sequence[str]
    figures: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Told:
    """What a step says: text, question, options, the right one's index, and what is revealed.

    ``**words**`` are strong.
    """

    text: str
    question: str
    options: Sequence[str]
    right: int
    reveal: str


def turns(own: bool) -> tuple[Turn, ...]:
    """The steps; ``own``: the model has an abnormal channel itself, so that none is planted."""
    never = {"plant": False} if own else {}
    return tuple(
        Turn(
            name,
            step["title"],
            {**PLAIN, **step.get("sets", {}), **never},
            {**PLAIN, **step.get("then", {}), **never},
            step["parts"],
            step["figures"],
        )
        for name, step in _STEPS.items()
    )


def measure(look: Look, turn: Turn) -> dict[str, Any]:
    """The facts of a step on what a visitor sees, as the page stands once it is told."""
    told = look.changed(**{**turn.then, "view_block": look.settings.view_block})
    facts, baked = measured.see(told, turn.name), read_facts()
    same = baked is not None and baked["weights"] == look.bare.backbone.digest
    return facts | {"means": baked["means"] if baked and same else None}


def turns_of(look: Look) -> tuple[Turn, ...]:
    """The steps for a look's model."""
    return turns(measured.has_own_fault(look.bare.backbone, look.settings.channel_threshold))


def tell(name: str, facts: Facts) -> Told:
    """What the step of that name says of these facts."""
    step, part = _STEPS[name], facts[name]
    found = {
        **facts, **part, "words": facts["words"].replace(";", " or"),
        "where": named(part.get("blocks", ())), "moved": _moved(part), "alike": _alike(part),
        "means": _means(facts, step.get("means", ())),
    }  # fmt: skip

    def say(sentence: str, **more: Any) -> str:
        return step["says"][sentence].format_map(found | more)

    right, own = _OWN[name](facts, part, say)
    found |= own
    text, question, reveal = (step[key].format_map(found) for key in ("text", "question", "reveal"))
    return Told(text, question, [one.format_map(found) for one in step["options"]], right, reveal)


def read_facts(folder: Path | None = None) -> dict[str, Any] | None:
    """What was baked; None where nothing was."""
    try:
        path = (folder or assets.path("learn")) / "facts.json"
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


# --- which option of a step is right, and what it alone says -------------------------------------

Say = Callable[..., str]
Own = tuple[int, dict[str, str]]


def _clip(facts: Facts, part: Facts, say: Say) -> Own:
    if part["before"] is None:
        return 2 if part["changed"] < 0.02 else 0, {}
    return _better(part["before"], part["after"]), {}


def _tokens(facts: Facts, part: Facts, say: Say) -> Own:
    at = part["strongest"] - 1
    count, score = part["counts"][at], part["scores"][at]
    blocks = [i + 1 for i, n in enumerate(part["counts"]) if n]
    has = "has" if len(blocks) == 1 else "have"
    known = [one for one in part["agreement"] if one is not None]
    return 1, {
        "found": say("some" if count else "none", where=named(blocks), has=has, count=count,
                     score=score),
        "agreeing": say("agreeing", least=min(known), most=max(known)) if known else "",
    }  # fmt: skip


def _amf(facts: Facts, part: Facts, say: Say) -> Own:
    means = facts.get("means") or {}
    before, after = means.get("clearclip", part["before"]), means.get("amf", part["after"])
    known = before is not None and after is not None
    return sum(part["changed"] >= bound for bound in (0.05, 0.2)), {
        "which": say("middle" if part["reason"] == FusionReason.MIDDLE else "run"),
        "weight": f"1/{1 + len(part['blocks'])}",
        "ending": say(("better", "worse", "alike")[_better(before, after)]) if known else "",
    }


def _fault(facts: Facts, part: Facts, say: Say) -> Own:
    return 2 if part["changed"] < 0.02 else 1, {"why": say("own" if part["own"] else "planted")}


def _cs(facts: Facts, part: Facts, say: Say) -> Own:
    first, alike = part["blocks"][0], part["alike"]
    earlier = named(range(1, first)).capitalize()
    both = alike and alike[1][0] >= alike[0][0] and alike[1][1] <= alike[0][1]
    return 2, {
        "first": str(first),
        "whole": say("attention" if first == 1 else "whole", earlier=earlier, first=first),
        "unlike": say("unlike") if alike and not both else "",
    }


def _own(facts: Facts, part: Facts, say: Say) -> Own:
    taken = part["taker"] is not None
    return int(taken), {
        "none": say("or_none" if part["rest"] else "no_others"),
        "become": say("become" if taken else "stay", share=_percent(part["share"])),
        "rule": say("rest" if part["rest"] else "best"),
        "photos": say("photos") if facts["built_in"] else "",
    }


_OWN: dict[str, Callable[[Facts, Facts, Say], Own]] = {
    "clip": _clip, "tokens": _tokens, "amf": _amf, "fault": _fault, "cs": _cs, "own": _own,
}  # fmt: skip


def _better(before: float, after: float) -> int:
    """0: better, 1: worse, 2: less than a point either way."""
    return 2 if abs(after - before) < NEAR else 0 if after > before else 1


# --- what was measured, as several steps say it --------------------------------------------------


def _moved(part: Facts) -> str:
    """What a switch did to this picture's mask."""
    if "changed" not in part:
        return ""
    said = _MEASURED["moved"].format(changed=_percent(part["changed"]))
    if part["before"] is not None:
        before, after = _percent(part["before"]), _percent(part["after"])
        said += _MEASURED["scores"].format(before=before, after=after)
    return f"{said}."


def _alike(part: Facts) -> str:
    """How alike the last block's Values are before and after."""
    if not part.get("alike"):
        return ""
    (inside, across), (inside_then, across_then) = part["alike"]
    return _MEASURED["alike"].format(
        inside=inside, inside_then=inside_then, across=across, across_then=across_then
    ).replace("-", "−")  # fmt: skip


def _means(facts: Facts, states: Sequence[tuple[str, str]]) -> str:
    """Mean scores over other scenes, where they were measured."""
    means = facts.get("means")
    if not (means and states) or any(means.get(key) is None for key, _ in states):
        return ""
    told = ", ".join(f"{_percent(means[key])} {state}" for key, state in states)
    return _MEASURED["means"].format(scenes=means["scenes"], told=told)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
