"""Compare: every method's mask of this photo, with its score."""

from typing import Any

from demo.drawing import classes, item, painted
from demo.scene import LEAST_SHARE, Scene
from demo.segment import canvas_of
from gclip_core import BACKBONES
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


def methods(scene: Scene) -> dict[str, Any]:
    """Every method's mask as a small picture, with its row of the table: title, mIoU in per cent,
    what its attention compares, and paper; and what the scores and the model are."""
    items = []
    for name, (mask, miou) in scene.compared.items():
        method, about = mask.method, f"Mask of {mask.method.title}"
        score = "–" if miou is None else f"{100 * miou:.1f}"
        shown = item(painted(scene, mask), titled(scene, mask, miou), about, "jpeg")
        row = [method.title, score, method.rule, method.citation or "for comparison"]
        items.append(shown | {"name": name, "isOurs": method == scene.ours, "row": row})
    scores = best(scene)
    return {
        "text": " ".join([INTRODUCTION, caveat(scene), *([] if scores else [UNSCORED])]),
        "scores": scores,
        "items": items,
        "classes": legend(scene),
        "columns": 4 if scene.report.suppressed.blocks else 5,
        "remark": AVERAGING if caveat(scene) else "",
    }


def best(scene: Scene) -> str:
    """GCLIP's score and the best of the others; empty without ground truth."""
    if not scene.scores(scene.mask(scene.ours)):
        return ""
    scores = {mask.method.title: miou or 0.0 for mask, miou in scene.compared.values()}
    alone = scene.miou(scene.mask(scene.gclip(amf=False))) or 0.0
    ours = f"{scene.ours.title} {percent(scores.pop(scene.ours.title))}"
    other = max(scores, key=scores.__getitem__)
    highest = f"{other} scores highest: {percent(scores[other])}"
    return f"mIoU on this photo: {ours}, without AMF {percent(alone)}; of the others, {highest}."


def legend(scene: Scene) -> list[dict[str, Any]]:
    """The words that a mask has, and the background, which has no colour."""
    masks = [mask for mask, _ in scene.compared.values()]
    shares = zip(*(mask.areas() for mask in masks), strict=True)
    pairs = zip(classes(scene), shares, strict=True)
    shown = [entry for entry, areas in pairs if max(areas) >= LEAST_SHARE]
    if any(mask.no_class_area() >= LEAST_SHARE for mask in masks):
        shown.append({"name": "background", "colour": ""})
    return shown


def large(scene: Scene) -> dict[str, Any] | None:
    """The selected mask next to GCLIP's, for a canvas; None if no mask is selected."""
    masks = {name: mask for name, (mask, _) in scene.compared.items()}
    if scene.settings.enlarged not in masks:
        return None
    pressed = other = masks[scene.settings.enlarged]
    if pressed.method == scene.ours:
        other = next(mask for mask in masks.values() if mask.method != scene.ours)
    text = f"{scene.ours.title} and {other.method.title}"
    close = {"text": text, "action": "Close", "settings": {"enlarged": ""}}
    return canvas_of(scene, (scene.mask(scene.ours), other)) | {
        "side": int(other is pressed),
        "banner": close,
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
    return f"{title}\ndiffers {percent(scene.differs(mask))}"
