"""Compare: every method's mask of this photo, with its score."""

from typing import Any

from demo.drawing import classes, item, painted
from demo.scene import LEAST_SHARE, Scene
from demo.segment import canvas
from gclip_core import BACKBONES
from gclip_core.result import Segmentation, percent

COLUMNS = ("Method", "mIoU, %", "Attention compares", "Paper")


def table(scene: Scene) -> dict[str, Any]:
    """One row per method with the values of COLUMNS; scores only where there is ground truth."""
    rows = [
        {
            "isOurs": mask.method == scene.ours,
            "values": [
                mask.method.title,
                "–" if miou is None else f"{100 * miou:.1f}",
                mask.method.rule,
                mask.method.citation or "for comparison",
            ],
        }
        for mask, miou in scene.compared.values()
    ]
    has_scores = any(miou is not None for _, miou in scene.compared.values())
    note = (
        "SC-CLIP and SFP average patches whose similarity is above 0.4, a threshold chosen for "
        "CLIP. In this model, most patches are more similar than that, so nearly everything is "
        "averaged."
    )
    return {
        "columns": COLUMNS,
        "rows": rows,
        "hasScores": has_scores,
        "note": note if caveat(scene) else "",
    }


def mask_strip(scene: Scene) -> dict[str, Any]:
    """Every method's mask as a small picture."""
    items = []
    for name, (mask, miou) in scene.compared.items():
        about = f"Mask of {mask.method.title}"
        shown = item(painted(scene, mask), titled(scene, mask, miou), about, "jpeg")
        items.append(shown | {"name": name, "isOurs": mask.method == scene.ours})
    columns = 4 if scene.report.suppressed.blocks else 5
    return {"items": items, "classes": legend(scene), "columns": columns}


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
    return canvas(scene, (scene.mask(scene.ours), other)) | {
        "side": int(other is pressed),
        "banner": close,
    }


def note(scene: Scene) -> dict[str, str]:
    """What the scores and the model are; ``scores`` are GCLIP's and the best of the others."""
    text = f"Every method on this photo: select one to compare it with GCLIP. {caveat(scene)}"
    if not scene.scores(scene.mask(scene.ours)):
        text += " Without ground truth there are no scores. Shown instead: how many pixels differ "
        text += "from GCLIP’s, most first, and at the end masks of one word."
        return {"text": text, "scores": ""}
    scores = {mask.method.title: miou or 0.0 for mask, miou in scene.compared.values()}
    ours = percent(scores.pop(scene.ours.title))
    best = max(scores, key=scores.__getitem__)
    scored = f"mIoU on this photo: {scene.ours.title} {ours}; "
    return {
        "text": text,
        "scores": f"{scored}of the others, {best} scores highest: {percent(scores[best])}.",
    }


def caveat(scene: Scene) -> str:
    """How the model differs from those of the papers; empty for a real CLIP."""
    entry = BACKBONES[scene.settings.backbone]
    if entry.pretrained:
        return ""
    text = "This small model was trained on masks, so its order of methods is not the papers’."
    return f"{text} In this copy of it, one channel is damaged." if entry.defect else text


def titled(scene: Scene, mask: Segmentation, miou: float | None) -> str:
    """A method with its mIoU, or with the share of the pixels in which it differs from GCLIP."""
    title = mask.method.title
    if miou is not None:
        return f"{title}\n{percent(miou)}"
    if mask.method == scene.ours:
        return title
    return f"{title}\ndiffers {percent(scene.differs(mask))}"
