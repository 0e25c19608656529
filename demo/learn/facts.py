"""Learn: the facts a step of the lesson is told from, measured on what the visitor sees."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from demo import variants
from demo.look import Look, Mask, changed_share
from gclip_core.backbone import Backbone
from gclip_core.methods import METHODS
from gclip_core.numbering import block_numbers
from gclip_core.registry import BUILT_IN
from gclip_core.types import Method

Facts = dict[str, Any]


def has_own_fault(backbone: Backbone, threshold: float) -> bool:
    """Whether a block before the last has an abnormal channel of its own."""
    return any(ratio >= threshold for ratio in backbone.ratios[:-1])


def see(look: Look, name: str) -> Facts:
    """The facts of the step of that name, and those all steps need; ``look`` is as once told."""
    backbone = look.bare.backbone
    return {
        "backbone": backbone.title,
        "built_in": backbone.name == BUILT_IN,
        "n_blocks": backbone.n_blocks,
        "words": ", ".join(look.segment(look.chosen).vocabulary.names),
        name: _MEASURES[name](look),
    }


def _clip(look: Look) -> Facts:
    plain = _method(look)
    return _change(look.mask(METHODS["clip"], planted=False), look.mask(plain, planted=False))


def _tokens(look: Look) -> Facts:
    seen = look.globality
    return {
        "scores": list(seen.scores),
        "counts": [len(tokens) for tokens in seen.tokens],
        "agreement": [None if math.isnan(one) else one for one in seen.agreement],
        "threshold": seen.threshold,
        "strongest": int(np.argmax(seen.scores[:-1])) + 1,
        "patches": look.grid[0] * look.grid[1],
    }


def _amf(look: Look) -> Facts:
    fused = _method(look, amf=True)
    found = look.findings(fused)
    return {
        "blocks": list(block_numbers(found.fusion.blocks)),
        "reason": found.fusion.reason,
        **_change(look.mask(_method(look), planted=False), look.mask(fused, planted=False)),
    }


def _fault(look: Look) -> Facts:
    """The model's own abnormal channel, or the one that is planted next; its harm once planted."""
    found, settings, plain = look.findings(_method(look)), look.settings, _method(look)
    backbone = look.segmenter.backbone
    own = has_own_fault(look.bare.backbone, settings.channel_threshold)
    channel = min(settings.plant_channel, backbone.width - 1)
    if own:
        where = [b for b in found.abnormal if b < backbone.n_blocks - 1]
        worst = max(where, key=lambda b: found.ratios[b])
        change = _change(look.mask(_method(look, cs=True)), look.mask(plain))
        states = [(_method(look, cs=True), True), (plain, True)]
    else:
        where = list(settings.planted_blocks(backbone.n_blocks))
        worst = where[0]
        change = _change(look.mask(plain, planted=False), look.mask(plain))
        states = [(plain, False), (plain, True)]
    return {
        "own": own,
        "channel": found.channels[worst] if own else channel,
        "gain": settings.plant_gain,
        "blocks": list(block_numbers(where)),
        "ratio": found.ratios[worst],
        "alike": _alike(look, states),
        **change,
    }


def _cs(look: Look) -> Facts:
    off, on = _method(look), _method(look, cs=True)
    found = look.findings(on)
    where = found.suppressed or (look.segmenter.backbone.n_blocks - 2,)
    return {
        "channel": found.channels[where[0]],
        "blocks": list(block_numbers(where)),
        "alike": _alike(look, [(off, True), (on, True)]),
        **_change(look.mask(off), look.mask(on)),
    }


def without_largest(look: Look) -> Look | None:
    """The same without the word of its largest thing, that on which it stands left out.

    None where there is but one word.
    """
    full, classes = look.mask(_method(look), planted=False), _classes(look)
    if len(classes) < 2:
        return None
    order = np.argsort([-area for area in full.areas])
    missing = int(order[1] if len(order) > 2 and look.truth is not None else order[0])
    kept = (synonyms for i, synonyms in enumerate(classes) if i != missing)
    return look.changed(words=", ".join("; ".join(synonyms) for synonyms in kept))


def _own(look: Look) -> Facts:
    """What becomes of the largest thing without its word."""
    left, full = without_largest(look), look.mask(_method(look), planted=False)
    if left is None:
        return {"missing": full.names[0], "taker": None, "share": 1.0, "rest": False}
    names = left.mask(_method(look), planted=False).names
    missing = next(i for i, name in enumerate(full.names) if name not in names)
    labels = left.mask(_method(look), planted=False).labels
    inside = labels[full.labels == missing]
    counts = np.bincount(inside.astype(int) + 1, minlength=len(names) + 1)
    best = int(counts.argmax())
    return {
        "missing": full.names[missing],
        "taker": None if best == 0 else names[best - 1],
        "share": float(counts[best] / max(counts.sum(), 1)),
        "rest": bool((labels < 0).any()),
    }


_MEASURES: dict[str, Callable[[Look], Facts]] = {
    "clip": _clip, "tokens": _tokens, "amf": _amf, "fault": _fault, "cs": _cs, "own": _own,
}  # fmt: skip


def _classes(look: Look) -> tuple[tuple[str, ...], ...]:
    return look.segment(look.chosen).vocabulary.classes


def _method(look: Look, amf: bool = False, cs: bool = False) -> Method:
    return variants.ablation(look.settings, amf, cs)


def _change(before: Mask, after: Mask) -> Facts:
    return {
        "before": before.miou,
        "after": after.miou,
        "changed": changed_share(before.labels, after.labels),
    }


def _alike(look: Look, states: list[tuple[Method, bool]]) -> list[list[float]] | None:
    """In-in and in-out per state; None where there are no such pairs."""
    rows = [list(look.alike(method, planted)) for method, planted in states]
    return None if np.isnan(rows).any() else rows
