"""Compare: every method's mask of this photo, with its score."""

import re
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from demo.drawing import classes, painted
from demo.files import item
from demo.scene import LEAST_SHARE, Scene
from demo.segment import canvas
from demo.terms import explained
from evaluation.figure import save, styled
from gclip_core import BACKBONES
from gclip_core.result import Segmentation, percent

COLUMNS = ("Method", "mIoU, %", "Attention compares", "Paper")
COLUMNS_OF_FIGURE = 4


def rows(scene: Scene) -> list[tuple[str, ...]]:
    """One row per method, with the values of COLUMNS."""
    return [
        (
            mask.method.title,
            "–" if miou is None else f"{100 * miou:.1f}",
            mask.method.rule,
            mask.method.citation or "for comparison",
        )
        for mask, miou in scene.compared.values()
    ]


def table(scene: Scene) -> str:
    """The rows as Markdown, with GCLIP's in bold; no text of a visitor is in it."""
    ours = scene.gclip().title
    lines = [COLUMNS, ("---",) * len(COLUMNS)]
    lines += [tuple(f"**{v}**" for v in row) if row[0] == ours else row for row in rows(scene)]
    if all(miou is None for _, miou in scene.compared.values()):
        lines = [(name, *others) for name, _, *others in lines]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    if caveat(scene):
        text = (
            "SC-CLIP and SFP average patches whose similarity is above 0.4, a threshold chosen "
            f"for CLIP. In this model, most patches are that similar.\n\n{text}"
        )
    return re.sub(r"arXiv:([\d.]+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def mask_strip(scene: Scene) -> dict[str, Any]:
    """Every method's mask as a small picture."""
    items, names = [], list(scene.compared)
    for name, (mask, miou) in scene.compared.items():
        picture, about = painted(scene, mask), f"Mask of {mask.method.title}"
        shown = item(picture, titled(scene, mask, miou), about, "jpeg")
        again = "" if name == scene.settings.enlarged else name
        shown |= {"settings": {"enlarged": again}, "isOurs": mask.method == scene.gclip()}
        items.append(shown)
    selected = names.index(scene.settings.enlarged) if is_pressed(scene) else None
    return {
        "items": items,
        "classes": legend(scene),
        "selected": selected,
        "columns": 4 if scene.report.suppression.blocks else 5,
    }


def legend(scene: Scene) -> list[dict[str, Any]]:
    """The words that a mask has, and the background, which has no colour."""
    masks = [mask for mask, _ in scene.compared.values()]
    shares = zip(*(mask.areas() for mask in masks), strict=True)
    pairs = zip(classes(scene), shares, strict=True)
    shown = [entry for entry, areas in pairs if max(areas) >= LEAST_SHARE]
    if any(mask.no_class_area() >= LEAST_SHARE for mask in masks):
        shown.append({"name": "background", "colour": ""})
    return shown


def is_pressed(scene: Scene) -> bool:
    return scene.settings.enlarged in scene.compared


def large(scene: Scene) -> dict[str, Any] | None:
    """The selected mask next to GCLIP's, for a canvas."""
    if not is_pressed(scene):
        return None
    ours, masks = scene.gclip(), {name: m for name, (m, _) in scene.compared.items()}
    pressed = other = masks[scene.settings.enlarged]
    if pressed.method == ours:
        other = next(mask for mask in masks.values() if mask.method != ours)
    text = f"{ours.title} and {other.method.title}"
    close = {"text": text, "action": "Close", "settings": {"enlarged": ""}}
    shown = {"shown": int(other is pressed), "banner": close}
    return canvas(scene, (scene.mask(ours), other)) | shown


def note(scene: Scene) -> str:
    """What the scores and the model are."""
    text = f"Every method on this photo: select one to compare it with GCLIP. {caveat(scene)} "
    if scene.scores(scene.mask()):
        scores = {mask.method.title: miou or 0.0 for mask, miou in scene.compared.values()}
        ours = scene.gclip().title
        first = percent(scores.pop(ours))
        best = max(scores, key=scores.__getitem__)
        text += (
            f"Scores are the <dfn>mIoU</dfn> on this photo: {ours} **{first}**, "
            f"the best other {percent(scores[best])} ({best})."
        )
    else:
        text += "There is no ground truth for these words: instead of scores, the pixels that "
        text += "differ from GCLIP’s."
    return explained(text)


def caveat(scene: Scene) -> str:
    """How the model differs from those of the papers; empty for a real CLIP."""
    entry = BACKBONES[scene.settings.backbone]
    if entry.pretrained:
        return ""
    text = "This small model was trained on masks, so these are not the papers’ results."
    return f"{text} In this copy of it, one channel is damaged." if entry.defect else text


def figure(scene: Scene) -> bytes:
    """All masks with their names and scores as one PNG, for a paper or a slide."""
    columns, rows = COLUMNS_OF_FIGURE, -(-(1 + len(scene.compared)) // COLUMNS_OF_FIGURE)
    width, height = scene.photo.picture.size
    size = 9, rows * (9 / columns * height / width + 0.3) + 0.3
    with styled():  # also takes words with $ as they are
        drawn = Figure(figsize=size, dpi=200, layout="constrained")
        places = drawn.subplots(rows, columns, squeeze=False).flat
        photo = next(places)
        photo.imshow(scene.photo.picture)
        photo.set_title("Photo", fontsize=8)
        for place, (mask, miou) in zip(places, scene.compared.values(), strict=False):
            place.imshow(painted(scene, mask, 720))
            weight = "bold" if mask.method == scene.gclip() else "normal"
            title = titled(scene, mask, miou).replace("\n", " · ")
            place.set_title(title, fontsize=8, fontweight=weight)
        for place in drawn.axes:
            place.set_axis_off()
        handles = [
            Patch(facecolor=entry["colour"] or "none", edgecolor="grey", label=entry["name"])
            for entry in legend(scene)
        ]
        drawn.legend(
            handles=handles, loc="outside upper center", ncols=8, fontsize=8, frameon=False
        )
        drawn.supxlabel(caveat(scene), fontsize=7)
        return save(drawn, "png")


def titled(scene: Scene, mask: Segmentation, miou: float | None) -> str:
    """A method with its mIoU, or with the share of the pixels in which it differs from GCLIP."""
    title = mask.method.title
    if miou is not None:
        return f"{title}\n{percent(miou)}"
    if mask.method == scene.gclip():
        return title
    return f"{title}\ndiffers {percent(scene.differs(mask))}"
