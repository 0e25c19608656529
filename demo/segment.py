"""The tab Segment: what is beside its canvas, and the chips below the inputs."""

from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from demo.canvas import listed, quoted
from demo.drawing import attended, item, norms_url, over, packed
from demo.patches import ATTENDED_PATCHES, coarser
from demo.scene import Scene
from demo.settings import marks_of
from gclip_core import GclipError
from gclip_core.numbering import block_numbers, in_words


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
        items.append(item(picture, f"Block {block + 1}", "Attention on the photo", "webp"))
    width, height = scene.photo.picture.size
    return {"items": items, "columns": 1 if width > 1.2 * height else 2, "pressable": False}


def attention_text(scene: Scene) -> str:
    """What stands over the attention."""
    fused = scene.method.last.fused(scene.encoded).blocks
    if scene.settings.method != "gclip":
        blocks = in_words(block_numbers(fused))
        return f"{scene.method.title} adds the attention of {blocks} to the last block’s."
    if not fused:
        return "AMF is off: the last block uses only its own attention."
    last = scene.segmenter.backbone.n_blocks - 1
    blocks = in_words(block_numbers(sorted({*fused, last})))
    return f"AMF averages the maps of {blocks}: patches look further."


def norms(scene: Scene) -> dict[str, str]:
    """The norms of one block's channels, and what they mean."""
    height = 2.5 if scene.report.outlier_blocks else 1.9
    return {"url": norms_url(scene, (2.7, height)), "text": norms_text(scene)}


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
    """By marked word as it was typed, the embedding of what is marked, for other photos; without
    words of which other marks leave nothing."""
    typed, words = marks_of(scene.settings.marks, *scene.photo.picture.size), {}
    for name in dict.fromkeys(mark.word for mark in typed if mark.word):
        marks = [replace(m, word=name if m.word == name else None) for m in typed]
        with suppress(GclipError):
            embedding = scene.segmenter.show(name, (scene.encoded, marks)).embedding
            words[name] = b64encode(embedding.numpy().astype(np.float16).tobytes()).decode()
    return words


def chips(scene: Scene) -> dict[str, Any]:
    """Chips to add a word, which the browser does, and to undo or redo a replacement."""
    items: list[dict[str, Any]] = []
    is_replaced = scene.settings.nearest
    unknown = [u for u in scene.prompts.unknown if u.nearest and u.phrase not in scene.marked]
    if unknown:
        words = quoted([one.phrase if is_replaced else one.nearest for one in unknown][:2])
        text = f"Use {words} as typed" if is_replaced else f"Use {words}"
        items.append({"caption": text, "settings": {"nearest": not is_replaced}})
    items += [{"caption": f"+ {word}", "word": word} for word in scene.plausible()[:4]]
    return {"items": items, "note": " ".join(word_notes(scene))}


def word_notes(scene: Scene) -> list[str]:
    """How the model reads the words, and which it does not know."""
    replaced = [f"“{nearest}” for “{word}”" for word, nearest in scene.replaced.items()]
    text = f"This model shows the nearest words that it knows: {listed(replaced, 4)}."
    sentences = [text] if replaced else []
    told = {*scene.replaced, *scene.marked}
    if unknown := [u.phrase for u in scene.prompts.unknown if u.phrase not in told]:
        them = "it" if len(unknown) == 1 else "each"
        sentences.append(f"This model does not know {quoted(unknown)}. Press {them} on the photo.")
    return [*scene.prompts.notes, *sentences]
