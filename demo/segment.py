"""The tab Segment, and the chips below the inputs."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.backbones import DAMAGED
from demo.drawing import (
    SHOWN_SIDE,
    attended,
    background_at,
    classes,
    item,
    levels,
    over,
    packed,
    url_of,
)
from demo.patches import ATTENDED_PATCHES, coarser, pooled, probabilities
from demo.photo import OPENING
from demo.scene import LEAST_SHARE, Scene, differing
from demo.settings import marks_of
from demo.space import NOT_LENT, REASONS
from gclip_core.numbering import block_numbers, in_words
from gclip_core.result import Segmentation, percent

HARDLY = 0.01
"""A smaller share of the pixels, or change of the mIoU, is hardly a change."""
CHOSEN = "Picked for a large effect."


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
    """The photo with masks, as `canvas.js` draws them: one for each state of the ideas, or two.

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
        "unsure": scene.unsure(mask),
        "mask": packed(labels[::step, ::step].astype(np.uint8)),
        "reasons": packed(levels(reasons)),
        "background": background_at(mask, scene.grid),
    }


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
            "settings": {"backbone": DAMAGED, "amf": False, "cs": True},
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


def quoted(words: Sequence[str]) -> str:
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return ", ".join(f"“{word}”" for word in words[:5]) + more


def matrices(scene: Scene) -> dict[str, Any]:
    """What each patch attends to in the last block, for each mask of the canvas.

    Row i is patch i. The columns are patches of a grid that may be coarser.
    """
    grid, methods = coarser(scene.grid, ATTENDED_PATCHES), [m.method for m in scene.masks()]
    matrices = [attended(method.matrix(scene.encoded), scene, grid)[1:] for method in methods]
    return {"grid": grid, "matrices": [*map(packed, matrices)]}


def attention(scene: Scene) -> dict[str, Any]:
    """The attention that each patch receives in the blocks that AMF fuses."""
    blocks, source = scene.report.fused.blocks, scene.gclip().encoding(scene.encoded)
    items = []
    for block in blocks:
        received = source.received(block).view(source.grid).numpy()
        picture = over(scene.photo.picture, received)
        items.append(item(picture, f"Received in block {block + 1}", "Attention on the photo"))
    width, height = scene.photo.picture.size
    return {"items": items, "columns": 1 if width > 1.2 * height else 2, "pressable": False}


def attention_text(scene: Scene) -> str:
    """What stands over the attention."""
    fused = scene.segmenter.report(scene.encoded, scene.method).fused.blocks
    if scene.settings.method != "gclip":
        blocks = in_words(block_numbers(fused))
        return f"{scene.method.title} adds the attention of {blocks} to the last block’s."
    if not fused:
        return "AMF is off: the last block uses only its own attention."
    last = scene.segmenter.backbone.n_blocks - 1
    blocks = in_words(block_numbers(sorted({*fused, last})))
    return f"AMF averages the attention of {blocks}, so patches look further."


def norms(scene: Scene) -> dict[str, str]:
    """The norms of one block's channels, and what they mean."""
    height = 2.5 if scene.report.outlier_blocks else 1.9
    return {"url": norms_url(scene, (2.7, height)), "text": norms_text(scene)}


def norms_url(scene: Scene, size: tuple[float, float]) -> str:
    """The norms before and, if the method has CS, after it, as a picture."""
    from demo import plots  # noqa: PLC0415 - see plots.py

    report, threshold = scene.report, scene.settings.channel_threshold
    before = report.norms_before.numpy()
    after = report.norms_after.numpy() if scene.method.suppression else before
    return url_of(plots.image(plots.of_norms(before, after, scene.block, threshold, size)))


def norms_text(scene: Scene) -> str:
    report, block = scene.report, scene.block
    if block in report.suppressed.blocks:
        verb = "scales" if scene.method.suppression else "would scale"
        return f"Block {block + 1}: CS {verb} channel {report.channels[block]}."
    if block in report.outlier_blocks:
        channel = report.channels[block]
        return f"Block {block + 1}: channel {channel} is an outlier, but CS skips it."
    return f"Block {block + 1}: no channel stands out, so CS is idle."


# --- under the inputs ----------------------------------------------------------------------------


def words(scene: Scene) -> dict[str, Any]:
    """The words of the masks as text, and whether they are the photo's own."""
    text = scene.settings.words
    return {"text": text, "isOwn": text == scene.own_words}


def embeddings(scene: Scene) -> dict[str, str]:
    """By marked word as it was typed, the embedding of what is marked, for other photos."""
    typed, words = marks_of(scene.settings.marks, *scene.photo.picture.size), {}
    for name in dict.fromkeys(mark.word for mark in typed if mark.word):
        marks = [replace(m, word=name if m.word == name else None) for m in typed]
        embedding = scene.segmenter.show(name, (scene.encoded, marks)).embedding
        words[name] = b64encode(embedding.numpy().astype(np.float16).tobytes()).decode()
    return words


def chips(scene: Scene) -> dict[str, Any]:
    """Chips to add a word, which the browser does, and to undo or redo a replacement."""
    items, nearest = [], [u.nearest for u in scene.prompts.unknown if u.nearest]
    if scene.replaced:
        text = ", ".join(f"“{word}”" for word in [*scene.replaced][:2])
        items.append(item(None, f"Use {text} as typed") | {"settings": {"nearest": False}})
    elif nearest:
        text = ", ".join(f"“{word}”" for word in nearest[:2])
        items.append(item(None, f"Use {text}") | {"settings": {"nearest": True}})
    items += [item(None, f"+ {word}") | {"word": word} for word in scene.plausible()[:4]]
    return {"items": items, "note": " ".join(word_notes(scene))}


def word_notes(scene: Scene) -> list[str]:
    """How the model reads the words, and which it does not know."""
    replaced = [f"“{nearest}” for “{word}”" for word, nearest in scene.replaced.items()]
    pairs = ", ".join(replaced[:4])
    more = f" and {len(replaced) - 4} more" if len(replaced) > 4 else ""
    text = "This model shows the nearest words that it knows"
    sentences = [f"{text}: {pairs}{more}."] if replaced else []
    if unknown := [u.phrase for u in scene.prompts.unknown if u.phrase not in scene.replaced]:
        sentences.append(f"This model does not know {quoted(unknown)}.")
    return [*scene.prompts.notes, *sentences]
