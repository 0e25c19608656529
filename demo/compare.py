"""Compare: every method's mask of this photo, with its score."""

from collections.abc import Iterator
from typing import Any

from demo.canvas import LEAST_SHARE, canvas_of, differing
from demo.drawing import classes, item, painted
from demo.scene import Scene
from gclip_core import BACKBONES, METHODS
from gclip_core.errors import ImageError
from gclip_core.methods import ABLATION, Method
from gclip_core.result import Segmentation, percent

INTRODUCTION = "Every method on this photo: select one to compare it with GCLIP."
UNSCORED = (
    "Without ground truth there are no scores. Shown instead: how many pixels differ from GCLIP’s, "
    "most first, and at the end masks of one word."
)
AVERAGING = (
    "SC-CLIP and SFP average patches whose similarity is above 0.4, a threshold chosen for CLIP. "
    "In this model, most patches are more similar than that, so nearly everything is averaged."
)
ONE_WORD = 0.95
"""A mask shows one word nearly everywhere if it covers more of the photo."""

Compared = dict[str, tuple[Segmentation, float | None]]
"""Mask and mIoU of every method by its name, the best first; without ground truth, all mIoU are
None."""


def every(scene: Scene) -> dict[str, Method]:
    """All methods; if CS changes a channel, GCLIP's four variants come first: neither, AMF, CS and
    both. Raises GclipError if all together cost too much."""
    first, others = {}, METHODS | {"gclip": scene.ours}
    if scene.report.suppressed.blocks:
        first = {name: scene.gclip(amf=amf, cs=cs) for name, (amf, cs) in ABLATION.items()}
        del others["gclip"]
    scene.check_affordable(len(first) + len(others))
    return first | others


def tried(scene: Scene, method: Method) -> Segmentation | ImageError:
    """The mask of a method, or why the photo has too few patches for it."""
    try:
        return scene.mask(method)
    except ImageError as error:
        return error


def steps(scene: Scene) -> Iterator[dict]:
    """Computes what ``compared`` needs; yields an empty message after each method."""
    for method in every(scene).values():
        tried(scene, method)
        yield {}


def compared(scene: Scene) -> Compared:
    """Every method that can be used on this photo, after GCLIP's variants, if there are any.
    Without ground truth, GCLIP comes first, then those that differ most from it, and at the end
    those that see one word nearly everywhere."""
    all_tried = {name: tried(scene, method) for name, method in every(scene).items()}
    masks = {name: mask for name, mask in all_tried.items() if isinstance(mask, Segmentation)}
    scores = {name: scene.miou(mask) for name, mask in masks.items()}

    def rank(name: str) -> float:
        if name in ABLATION and scene.report.suppressed.blocks:
            return -2
        if (score := scores[name]) is not None:
            return -score
        if max(masks[name].areas()) > ONE_WORD:
            return 1
        return -1 if name == "gclip" else -differs(scene, masks[name])

    return {name: (masks[name], scores[name]) for name in sorted(masks, key=rank)}


def differs(scene: Scene, mask: Segmentation) -> float:
    """The share of the pixels whose word differs from GCLIP's."""
    return differing(scene.mask(scene.ours), mask)


def methods(scene: Scene) -> dict[str, Any]:
    """Every method's mask as a small picture, with its row of the table: title, mIoU in per cent,
    what its attention compares, and paper; and what the scores and the model are."""
    items, masks = [], compared(scene)
    for name, (mask, miou) in masks.items():
        method, about = mask.method, f"Mask of {mask.method.title}"
        score = "–" if miou is None else f"{100 * miou:.1f}"
        picture = item(painted(scene, mask), titled(scene, mask, miou), about, "webp")
        row = [method.title, score, method.rule, method.citation or "for comparison"]
        items.append(picture | {"name": name, "isOurs": method == scene.ours, "row": row})
    scores = best(scene, masks)
    others = [tried(scene, method) for name, method in every(scene).items() if name not in masks]
    sentences = INTRODUCTION, caveat(scene), *map(str, others), "" if scores else UNSCORED
    return {
        "text": " ".join(filter(None, sentences)),
        "scores": scores,
        "items": items,
        "classes": legend(scene, masks),
        "columns": 4 if scene.report.suppressed.blocks else 5,
        "remark": AVERAGING if caveat(scene) else "",
    }


def best(scene: Scene, masks: Compared) -> str:
    """GCLIP's score and the best of the others; empty without ground truth."""
    scores = {mask.method.title: miou for mask, miou in masks.values()}
    ours, alone = scores.pop(scene.ours.title), scene.miou(scene.mask(scene.gclip(amf=False)))
    if ours is None:
        return ""
    other = max(scores, key=scores.__getitem__)
    return (
        f"mIoU on this photo: {scene.ours.title} {percent(ours)}, without AMF {percent(alone)}; "
        f"of the others, {other} scores highest: {percent(scores[other])}."
    )


def legend(scene: Scene, masks: Compared) -> list[dict[str, Any]]:
    """The words that a mask has, and the background, which has no colour."""
    shares = zip(*(mask.areas() for mask, _ in masks.values()), strict=True)
    pairs = zip(classes(scene), shares, strict=True)
    entries = [entry for entry, areas in pairs if max(areas) >= LEAST_SHARE]
    if any(mask.no_class_area() >= LEAST_SHARE for mask, _ in masks.values()):
        entries.append({"name": "background", "colour": ""})
    return entries


def large(scene: Scene) -> dict[str, Any] | None:
    """The selected mask next to GCLIP's, for a canvas; None if no mask is selected."""
    masks = {name: mask for name, (mask, _) in compared(scene).items()}
    other = masks.get(scene.settings.enlarged)
    if other is None:
        return None
    is_ours = other.method == scene.ours
    if is_ours:  # beside the first of the others
        other = next(mask for mask in masks.values() if mask.method != scene.ours)
    text = f"{scene.ours.title} and {other.method.title}"
    return canvas_of(scene, (scene.mask(scene.ours), other)) | {
        "side": int(not is_ours),
        "banner": {"text": text, "action": "Close", "settings": {"enlarged": ""}},
    }


def caveat(scene: Scene) -> str:
    """How the model differs from those of the papers; empty for a real CLIP."""
    if BACKBONES[scene.settings.backbone].pretrained:
        return ""
    return (
        "This small model was trained on masks, so plain CLIP already does well, and the order of "
        "methods is not the papers’."
    )


def titled(scene: Scene, mask: Segmentation, miou: float | None) -> str:
    """A method with its mIoU, or with the share of the pixels in which it differs from GCLIP."""
    title = mask.method.title
    if miou is not None:
        return f"{title}\n{percent(miou)}"
    if mask.method == scene.ours:
        return title
    return f"{title}\ndiffers {percent(differs(scene, mask))}"
