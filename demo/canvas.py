"""A photo with masks, as `canvas.js` draws them, and what is said of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.backbones import DAMAGED
from demo.drawing import SHOWN_SIDE, background_at, classes, levels, packed
from demo.patches import pooled, probabilities
from demo.photo import OPENING
from demo.scene import Scene
from demo.space import NOT_LENT, REASONS
from gclip_core.result import Segmentation, percent

LEAST_SHARE = 0.0005
"""The least share of a photo that is not shown as 0.0 %."""
HARDLY = 0.01
"""A smaller share of the pixels, or change of the mIoU, is hardly a change."""
NOT_SURE = 0.6
"""A word is marked as not sure if its mean probability on its patches is lower."""
CHOSEN = "This photo was chosen for it."


def canvas(scene: Scene) -> dict[str, Any]:
    """The photo with the masks of the chosen method, its switches, and notes on each mask."""
    masks = scene.masks()
    return canvas_of(scene, masks, scene.ideas) | {
        "switches": switches(scene, masks),
        "notes": [" ".join(notes(scene, mask)) for mask in masks],
    }


def canvas_of(
    scene: Scene, masks: Sequence[Segmentation], ideas: Sequence[str] = ()
) -> dict[str, Any]:
    """The photo with masks: one for each state of the ideas, or two.

    Bit i of a mask's index is idea i.
    """
    return {
        "classes": classes(scene),
        "masks": [side(scene, mask) for mask in masks],
        "switches": [],
        "notes": [],
        "ideas": [idea.upper() for idea in ideas],
        "idea": max(0, len(ideas) - 1),
        "metric": score_name(scene, masks[-1]),
        "grid": scene.grid,
        "sentences": sentences(scene, masks, ideas),
        "banner": {},
    }


def side(scene: Scene, mask: Segmentation) -> dict[str, Any]:
    """One of the masks of a canvas."""
    labels = mask.labels.numpy()
    step = -(-max(labels.shape) // SHOWN_SIDE)
    reasons = pooled(probabilities(mask, scene.encoded.grid), scene.encoded.grid, scene.grid)
    return {
        "title": mask.method.title,
        "score": scene.miou(mask),
        "shares": [*mask.areas(), mask.no_class_area()],
        "unsure": unsure(scene, mask),
        "mask": packed(labels[::step, ::step].astype(np.uint8)),
        "reasons": packed(levels(reasons)),
        "background": background_at(mask, scene.grid),
    }


def unsure(scene: Scene, mask: Segmentation) -> tuple[bool, ...]:
    """For each class, whether it has pixels but fits them poorly, or the model knows none of its
    words."""
    shares = probabilities(mask, scene.encoded.grid)
    winner = shares.argmax(0)
    each = enumerate(zip(mask.areas(), scene.is_known, strict=True))
    # A class of a few pixels may win no patch: the mean is NaN then.
    return tuple(
        area >= LEAST_SHARE and not (known and shares[c][winner == c].mean().item() >= NOT_SURE)
        for c, (area, known) in each
    )


def score_name(scene: Scene, mask: Segmentation) -> str:
    """The name of a score: that of one word, or the mean over the words that the ground truth
    has."""
    scores, n = scene.scores(mask), len(scene.words)
    scored = [*scores.iou] if scores else []
    name = f"IoU of {scene.names[scored[0]]}" if len(scored) == 1 else "mIoU"
    some = f" of {len(scored)} of {n} words" if 1 < len(scored) < n else ""
    return f"{name}{some}"


def switches(scene: Scene, masks: Sequence[Segmentation]) -> list[dict[str, Any]]:
    """AMF and CS, whether each is idle, which means that it cannot change this mask, and what a
    press on it says: why it changes nothing or next to nothing, and where it does more."""
    if scene.settings.method != "gclip":
        text = f"AMF and CS are parts of GCLIP; {scene.method.title} has neither."
        why = {"text": text, "action": "Back to GCLIP", "settings": {"method": "gclip"}}
        return [{"name": name, "isIdle": True, "why": why} for name in ("AMF", "CS")]
    amf, cs = dict[str, Any](), dict[str, Any]()
    if (share := differing(*masks[-2:])) < HARDLY:
        amf = {
            "text": f"AMF hardly changes this mask ({percent(share)}).",
            "action": "See AMF at work",
            "settings": {"photo": OPENING},
            "opens": "swipe",
        }
    if "cs" not in scene.ideas:
        where = " before the last block" if scene.report.outlier_blocks else ""
        copy = "copy" if scene.segmenter.backbone.known else "model"
        cs = {
            "text": f"CS has nothing to repair: no outlier channel{where}.",
            "action": f"See CS on a damaged {copy}",
            "settings": {"backbone": DAMAGED, "cs": True},
            "opens": "swipe",
        }
    return [
        {"name": "AMF", "isIdle": False, "why": amf},
        {"name": "CS", "isIdle": bool(cs), "why": cs},
    ]


def sentences(scene: Scene, masks: Sequence[Segmentation], ideas: Sequence[str]) -> list[list[str]]:
    """For each idea and each mask, what the idea changes; or how two methods differ."""
    if not ideas:
        return [[difference(scene, *masks)] * 2]
    return [
        [
            difference(
                scene, masks[n & ~(1 << bit)], masks[n | 1 << bit], idea.upper(), bool(n >> bit & 1)
            )
            for n in range(len(masks))
        ]
        for bit, idea in enumerate(ideas)
    ]


def difference(
    scene: Scene, before: Segmentation, after: Segmentation, idea: str = "", is_on: bool = True
) -> str:
    """One sentence on what an idea changes, or would change, or on how two methods differ."""
    share, subject = differing(before, after), idea or after.method.title
    would, s = ("", "s") if is_on else ("would ", "")
    if share < HARDLY:
        verb = f"{would}hardly change{s} this mask" if idea else "hardly differs from GCLIP"
        return f"{subject} {verb} ({percent(share)})."
    verb = f"{would}change{s}" if idea else "differs from GCLIP in"
    how = ", " + moved(before.labels.numpy(), after.labels.numpy(), scene.names)
    first, last = scene.scores(before), scene.scores(after)
    if first and last:
        most = max(first.iou, key=lambda c: abs(last.iou[c] - first.iou[c]))
        start, end = f"{100 * first.iou[most]:.1f}", f"{100 * last.iou[most]:.1f}"
        goes = "rise" if last.iou[most] > first.iou[most] else "fall"
        if start != end:  # or there is no ground truth where pixels change
            how = f"; {scene.names[most]}’s overlap {would}{goes}{s} from {start} to {end} %"
    is_opening = scene.photo.name == OPENING and scene.settings.words == scene.own_words
    chosen = f" {CHOSEN}" if idea == "AMF" and is_opening else ""
    text = f"{subject} {verb} {percent(share)} of pixels{how}.{chosen}"
    return text.replace(" %", "\u00a0%")


def differing(before: Segmentation, after: Segmentation) -> float:
    """The share of the pixels whose word differs."""
    return float((before.labels != after.labels).double().mean())


def moved(old: NDArray, new: NDArray, names: tuple[str, ...]) -> str:
    """The most frequent change of label in words."""
    differ = old != new
    pairs, counts = np.unique(np.stack([old[differ], new[differ]]), axis=1, return_counts=True)
    names = (*names, "background")
    before, after = (names[c] for c in pairs[:, counts.argmax()])
    return f"mostly from “{before}” to “{after}”"


def notes(scene: Scene, mask: Segmentation) -> list[str]:
    """Notes on masks of unknown words, and on where the photo was computed."""
    every = zip(scene.names, scene.is_known, mask.areas(), strict=True)
    seen = [name for name, is_known, area in every if not is_known and area >= LEAST_SHARE]
    sentences = [f"Do not trust the mask of {quoted(seen)}."] if seen else []
    if reason := NOT_LENT.get(scene.encoded):
        sentences.append(REASONS[reason])
    return sentences


def listed(texts: Sequence[str], most: int) -> str:
    """The first texts, and how many there are more."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def quoted(words: Sequence[str]) -> str:
    return listed([f"“{word}”" for word in words], 5)
