"""From a scene to what the page shows on Segment and under the inputs."""

import re
from typing import Any

import numpy as np
import torch.nn.functional as F
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from demo import plots
from demo.backbones import DAMAGED
from demo.files import SHOWN_SIDE, item, packed, photo_file
from demo.scene import Scene
from demo.space import NOT_LENT, REASONS
from gclip_core.numbering import block_numbers, in_words
from gclip_core.pixels import palette
from gclip_core.result import Segmentation

SIMULATION = "Simulation: one channel of this model is damaged on purpose."
ONE_PHOTO = "The paper reports gains on the mean of many photos."


# --- Segment -------------------------------------------------------------------------------------


def canvas(scene: Scene, pair: dict[str, Segmentation] | None = None) -> dict[str, Any]:
    """The photo with two masks, as `canvas.js` draws them."""
    idea = scene.idea if pair is None and scene.settings.method == "gclip" else ""
    pair = pair or scene.pair
    return {
        "of": same_patches(scene),
        "looks": same_methods(scene, pair),
        "photo": photo_file(scene.photo),
        "name": scene.photo.example.name if scene.photo.example else "photo",
        "classes": classes(scene.words.names),
        "views": [side(scene, title, mask) for title, mask in pair.items()],
        "view": scene.as_switched,
        "grid": scene.grid,
        "patch": scene.patch,
        "sentence": difference(scene, pair, idea),
        "notes": notes(scene),
        "banner": SIMULATION if scene.settings.backbone == DAMAGED else None,
    }


def same_patches(scene: Scene) -> str:
    """Names a photo with its patches: values of the same ones are drawn together."""
    photo, *tower = scene.tower_key
    return " ".join(map(str, (photo.digest, *tower)))


def same_methods(scene: Scene, pair: dict[str, Segmentation]) -> str:
    """Names a photo's patches and the methods of two masks; :func:`looks` has the same name."""
    return f"{same_patches(scene)} {[mask.method for mask in pair.values()]}"


def classes(names: tuple[str, ...]) -> list[dict[str, str]]:
    colours = palette.of_names(names)
    inks = map(palette.ink_on, colours)
    return [
        {"name": name, "colour": colour, "ink": ink}
        for name, colour, ink in zip(names, colours, inks, strict=True)
    ]


def side(scene: Scene, title: str, mask: Segmentation) -> dict[str, Any]:
    """One of the masks of a canvas."""
    labels = mask.labels.numpy()
    step = -(-max(labels.shape) // SHOWN_SIDE)
    reasons = pooled(scene.probabilities(mask), scene.encoded.grid, scene.grid)
    return {
        "title": title,
        "score": scene.miou(mask),
        "shares": [*mask.areas(), mask.no_class_area()],
        "unsure": scene.unsure(mask),
        "mask": packed(labels[::step, ::step].astype(np.uint8)),
        "reasons": packed(levels(reasons)),
    }


def difference(scene: Scene, pair: dict[str, Segmentation], idea: str = "") -> str:
    """One sentence on what differs between two masks: without and with an idea, or two methods."""
    (_, before), (title, after) = pair.items()
    subject = idea or title
    old, new = before.labels.numpy(), after.labels.numpy()
    share = float((old != new).mean())
    if share < 0.01:
        return f"{subject} hardly changes this mask."
    sentence = f"{subject} changes {percent(share)} of the pixels"
    scores = [scene.scores(mask) for mask in (before, after)]
    if None in scores:
        return f"{sentence}, {moved(old, new, scene.words.names)}. Judge by eye which is right."
    first, last = scores
    most = max(first.iou, key=lambda c: abs(last.iou[c] - first.iou[c]))
    start, end = f"{100 * first.iou[most]:.1f}", f"{100 * last.iou[most]:.1f}"
    if start == end:  # the pixels that change have no truth
        return f"{sentence}, {moved(old, new, scene.words.names)}."
    verb = "rises" if last.iou[most] > first.iou[most] else "falls"
    sentence += f"; the {scene.words.names[most]}’s IoU {verb} from {start} to {end} %."
    return f"{sentence} {ONE_PHOTO}" if idea and last.miou < first.miou else sentence


def moved(old: NDArray, new: NDArray, names: tuple[str, ...]) -> str:
    """What most of the pixels that changed were before, and are now."""
    differ = old != new
    pairs, counts = np.unique(np.stack([old[differ], new[differ]]), axis=1, return_counts=True)
    names = (*names, "background")
    return "most from {} to {}".format(*(f"“{names[c]}”" for c in pairs[:, counts.argmax()]))


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def notes(scene: Scene) -> list[str]:
    """What the words need, in sentences."""
    replaced = [u for u in scene.unknown if u.nearest and scene.settings.nearest]
    left = [u.phrase for u in scene.unknown if u not in replaced]
    sentences = [f"“{u.phrase}” is not known here: “{u.nearest}” is used." for u in replaced]
    if left:
        words = ", ".join(f"“{phrase}”" for phrase in left[:5])
        sentences.append(f"The model was never trained on {words}: do not trust that mask.")
    if reason := NOT_LENT.get(scene.encoded):
        sentences.append(REASONS[reason])
    return [*scene.typed.notes, *sentences]


def looks(scene: Scene) -> dict[str, Any]:
    """Where each patch looks in the last block, for both masks of the canvas: row i is patch i's.

    As a share of the row's maximum, of which the root makes small ones visible.
    """
    matrices = []
    for mask in scene.pair.values():
        matrix = scene.segmenter.last_attention(scene.encoded, mask.method)[1:, 1:]
        matrix = pooled(matrix.T, scene.encoded.grid, scene.grid).T
        matrix = pooled(matrix, scene.encoded.grid, scene.grid)
        shares = matrix.clamp(min=0) / matrix.amax(1, keepdim=True).clamp(min=1e-9)
        matrices.append(packed(levels(shares.sqrt())))
    return {"of": same_methods(scene, scene.pair), "matrices": matrices}


def levels(values: Tensor) -> NDArray[np.uint8]:
    """From 0 to 1 in 8 bits."""
    return (255 * values).round().byte().numpy()


def pooled(maps: Tensor, grid: tuple[int, int], to: tuple[int, int]) -> Tensor:
    """Maps (…, N) of a grid as means on a coarser one, (…, n)."""
    return F.adaptive_avg_pool2d(maps.unflatten(-1, grid), to).flatten(-2)


def attention(scene: Scene) -> dict[str, Any]:
    """What each patch receives in the blocks that AMF fuses; the last block's matrices."""
    blocks = scene.report.fusion.blocks
    received = scene.segmenter.received(scene.encoded, blocks)
    items = []
    for block, values in zip(blocks, received, strict=True):
        picture = plots.over(scene.photo.picture, values.unflatten(0, scene.encoded.grid).numpy())
        items.append(item(picture, f"Block {block + 1}", "Attention that each patch receives"))
    for word, on in (("without", False), ("with", True)):
        method = scene.settings.gclip(amf=on)
        matrix = scene.segmenter.last_attention(scene.encoded, method)[1:, 1:]
        matrix = F.adaptive_avg_pool2d(matrix[None], min(len(matrix), 480))[0]
        picture = plots.coloured(matrix.sqrt().numpy(), (240, 240), 0.3)
        items.append(item(picture, f"Last block {word} AMF", "Row: patch; column: where it looks"))
    return {"items": items, "columns": 2, "pressable": False}


def attention_text(scene: Scene) -> str:
    blocks = in_words(block_numbers(scene.report.fusion.blocks))
    return f"**Attention** · AMF averages the last block’s with {blocks}."


def norms(scene: Scene, size: tuple[float, float] = (2.7, 2.5)) -> Figure:
    """The norms of one block's channels before and, if it is on, after CS."""
    before, after = scene.report.norms_before.numpy(), scene.report.norms_after.numpy()
    shown = after if scene.method.suppression else before
    return plots.norms(before, shown, scene.block, scene.settings.channel_threshold, size)


def norms_text(scene: Scene) -> str:
    report, block = scene.report, scene.block
    title = f"**Weight norms** of block {block + 1} · "
    if block in report.suppressed:
        verb = "scaled" if scene.method.suppression else "to be scaled"
        return f"{title} channel {report.channels[block]} is {verb} by CS."
    if block in report.abnormal:
        return f"{title} channel {report.channels[block]} is an outlier, which CS leaves."
    return f"{title} no outlier channel."


# --- under the inputs ----------------------------------------------------------------------------


def chips(scene: Scene) -> dict[str, Any]:
    """Words to add; under a word that was replaced, the way back."""
    items = []
    replaced = [u for u in scene.unknown if u.nearest]
    if replaced and scene.settings.nearest:
        text = ", ".join(f"“{u.phrase}”" for u in replaced[:2])
        items.append(chip(f"Undo: keep {text}", nearest=False))
    elif replaced:
        text = ", ".join(f"“{u.nearest}”" for u in replaced[:2])
        items.append(chip(f"Use {text}", nearest=True))
    typed = {phrase.casefold() for phrase in (*scene.typed.phrases, *scene.words.phrases)}
    further = [word for word in scene.plausible() if word.casefold() not in typed]
    return {"items": [*items, *(chip(f"+ {word}", word) for word in further[:4])]}


def chip(text: str, word: str = "", **settings: Any) -> dict[str, Any]:
    """A small button: a press changes settings, and adds a word to the others."""
    return item(None, text) | {"word": word, "settings": settings}


def pressed(chips: list[dict[str, Any]], words: str) -> dict[str, Any]:
    """The settings that presses on these chips change; a word that is there is not added."""
    changed: dict[str, Any] = {}
    written = re.sub("#.*", "", words)  # behind a comment nothing is read
    classes = [word.strip() for word in written.split(",") if word.strip()]
    for chip in chips:
        changed |= chip["settings"]
        if chip["word"] and chip["word"] not in classes:
            classes.append(chip["word"])
            changed["words"] = ", ".join(classes)
    return changed


def idle(scene: Scene, idea: str) -> str:
    """Why a switch can do nothing; empty where it can."""
    if scene.settings.method != "gclip":
        return f"{idea} belongs to GCLIP, not to {scene.method.title}."
    if idea == "CS" and not scene.report.suppressed:
        has = "an outlier only in its last block" if scene.report.abnormal else "no outlier channel"
        return f"This model has {has}: CS changes nothing."
    return ""


def cs_link(scene: Scene) -> str:
    """The way to the model that is damaged on purpose, and back."""
    is_damaged = scene.settings.backbone == DAMAGED
    return "Back to the model as it is" if is_damaged else "See what CS repairs"


def cs_link_helps(scene: Scene) -> bool:
    return scene.settings.backbone == DAMAGED or not scene.report.suppressed
