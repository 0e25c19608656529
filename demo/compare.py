"""Compare: every method's mask of this photo, with its score."""

from typing import Any

from demo.files import item
from demo.plots import painted
from demo.scene import Scene, method_title
from demo.views import canvas, percent
from gclip_core import BACKBONES

COLUMNS = ("Method", "mIoU, %", "Patches look by", "Paper")
RULES = {
    "qk": "query · key",
    "qq": "query · query",
    "kk": "key · key",
    "vv": "value · value",
    "qq+kk": "query · query + key · key",
    "kk+gaussian": "key · key + nearness",
    "aligned qk": "query · key, aligned",
    "identity": "nothing: each patch alone",
    "proxyclip": "features of another network, DINO",
}
"""By the name of a method or of its attention."""


def table(scene: Scene) -> dict[str, Any]:
    """A row a method, with the values of COLUMNS."""
    rows = [
        (
            method_title(mask.method),
            "–" if miou is None else f"{100 * miou:.1f}",
            RULES.get(mask.method.name) or RULES.get(mask.method.attention, mask.method.attention),
            mask.method.citation or "for comparison",
        )
        for mask, miou in scene.compared.values()
    ]
    return {"headers": COLUMNS, "data": rows}


def mask_strip(scene: Scene) -> dict[str, Any]:
    """Every method's mask as a small picture."""
    items, names = [], list(scene.compared)
    for name, (mask, miou) in scene.compared.items():
        title = method_title(mask.method)
        caption = title if miou is None else f"{title} · {percent(miou)}"
        picture = painted(scene.photo.picture, mask)
        items.append(item(picture, caption, f"Mask of {title}", "jpeg") | {"method": name})
    selected = names.index(scene.settings.enlarged) if is_pressed(scene) else None
    return {"items": items, "selected": selected, "columns": 4 if scene.report.suppressed else 5}


def is_pressed(scene: Scene) -> bool:
    return scene.settings.enlarged in scene.compared


def large(scene: Scene) -> dict[str, Any] | None:
    """The mask that was pressed beside GCLIP's, for a canvas."""
    if not is_pressed(scene):
        return None
    ours, masks = scene.settings.gclip(), {name: m for name, (m, _) in scene.compared.items()}
    pressed = other = masks[scene.settings.enlarged]
    if pressed.method == ours:
        other = next(mask for mask in masks.values() if mask.method != ours)
    return canvas(scene, (scene.mask(ours), other)) | {"shown": int(other is pressed)}


def note(scene: Scene) -> str:
    """What the scores are."""
    text = "Every method’s mask of this photo. Press one to see it beside GCLIP’s."
    if not scene.scores(scene.mask()):
        return f"{text} There is no score: the true masks of this photo or its words are not known."
    text += " Scores are mIoU of these masks: one photo, "
    if BACKBONES[scene.settings.backbone].pretrained:
        return text + "where papers report the mean of many."
    return text + "and a small model that was taught with masks. No paper’s result is seen here."
