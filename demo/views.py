"""From a scene to the value of a component; each function is one output of the page.

Pictures and large tables of numbers travel as files, which a browser fetches by address when it
needs them; the address is a digest of the content.
"""

import gzip
import inspect
import io
import itertools
import json
import math
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
import torch.nn.functional as F
from gradio.utils import get_upload_folder
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from demo import limits, plots
from demo.backbones import DAMAGED
from demo.scene import Scene, method_title
from demo.space import WITHOUT_GPU
from gclip_core import palette
from gclip_core.methods import gclip
from gclip_core.numbering import block_numbers, in_words
from gclip_core.result import Segmentation
from gclip_core.segmenter import Segmenter

SIMULATION = "Simulation: one channel of this model is damaged on purpose."
ONE_PHOTO = "The paper reports gains on the mean of many photos."
SHOWN_SIDE = 1280
"""Pixels; a larger photo or mask is scaled down for the browser."""


# --- files that a browser fetches ----------------------------------------------------------------


def saved(data: bytes, name: str) -> str:
    """The path of a file that Gradio serves; its folder is named by the content's digest."""
    path = Path(get_upload_folder(), sha256(data).hexdigest(), name)
    try:
        os.utime(path)  # the oldest files are deleted first
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name("unfinished")  # a browser may read the file at any time
        unfinished.write_bytes(data)
        unfinished.rename(path)
    return str(path)


def served(image: Image.Image, kind: str = "png") -> dict[str, Any]:
    """A picture by address."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=88)
    return gr.FileData(path=saved(buffer.getvalue(), f"picture.{kind}")).model_dump()


def packed(numbers: NDArray[np.uint8]) -> dict[str, Any]:
    """Numbers by address, as gzip: a browser may add noise to pixels that a script reads."""
    path = saved(gzip.compress(np.ascontiguousarray(numbers), 6, mtime=0), "numbers.gz")
    return {"shape": list(numbers.shape), "file": gr.FileData(path=path).model_dump()}


def photo_file(scene: Scene) -> dict[str, Any]:
    """The photo as it was segmented; the visitor's own file where a browser shows the same."""
    with Image.open(scene.photo.path) as file:
        if file.format == "JPEG" and max(file.size) <= 2 * SHOWN_SIDE:
            return gr.FileData(path=scene.photo.path).model_dump()
    shown = scene.picture.copy()
    shown.thumbnail((2 * SHOWN_SIDE, 2 * SHOWN_SIDE))
    return served(shown, "jpeg")


# --- Segment -------------------------------------------------------------------------------------


def canvas(scene: Scene, pair: dict[str, Segmentation] | None = None) -> dict[str, Any]:
    """The photo with two masks, as `canvas.js` draws them."""
    pair = pair or scene.pair
    names, grid = scene.words.names, scene.encoded.grid
    grid = pooled(torch.empty(1, math.prod(grid)), grid)[1]
    return {
        "of": same_photo(scene),
        "photo": photo_file(scene),
        "name": scene.photo.example.name if scene.photo.example else "photo",
        "classes": classes(names),
        "views": [side(scene, title, mask) for title, mask in pair.items()],
        "view": scene.as_switched,
        "grid": grid,
        "patch": patch_in_view(scene, grid),
        "sentence": difference(scene, pair),
        "notes": notes(scene),
        "banner": SIMULATION if scene.settings.backbone == DAMAGED else None,
    }


def patch_in_view(scene: Scene, grid: tuple[int, int]) -> int | None:
    """The patch of a grid that was chosen, from 0; None for none. A link may name any number."""
    patch = scene.settings.patch
    return patch - 1 if 0 < patch <= math.prod(grid) else None


def same_photo(scene: Scene) -> str:
    """What values must have in common to be drawn together."""
    s = scene.settings
    return f"{scene.photo.digest} {s.backbone} {s.size} {s.window} {s.stride}"


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
    return {
        "title": title,
        "score": scene.miou(mask),
        "shares": [*mask.areas(), mask.no_class_area()],
        "unsure": scene.unsure(mask),
        "mask": packed(labels[::step, ::step].astype(np.uint8)),
        "reasons": packed(levels(pooled(scene.probabilities(mask), scene.encoded.grid)[0])),
    }


def difference(scene: Scene, pair: dict[str, Segmentation]) -> str:
    """One sentence on what differs between two masks."""
    (_, before), (title, after) = pair.items()
    subject = title.removeprefix("With ")
    old, new = before.labels.numpy(), after.labels.numpy()
    share = float((old != new).mean())
    if share < 0.01:
        return f"{subject} hardly changes this mask."
    sentence = f"{subject} changes {percent(share)} of the pixels"
    scores = [scene.scores(mask) for mask in (before, after)]
    if None in scores:
        return f"{sentence}, {moved(old, new, scene.words.names)}."
    gains = {c: scores[1].iou[c] - iou for c, iou in scores[0].iou.items()}
    most = max(gains, key=lambda c: abs(gains[c]))
    verb = "rises" if gains[most] > 0 else "falls"
    first, last = (100 * score.iou[most] for score in scores)
    sentence += f"; the {scene.words.names[most]}’s IoU {verb} from {first:.1f} to {last:.1f} %."
    return sentence if scores[1].miou >= scores[0].miou else f"{sentence} {ONE_PHOTO}"


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
        sentences.append(f"The model was never trained on {words}: do not trust this mask.")
    if scene.encoded in WITHOUT_GPU:
        sentences.append("No GPU was free for this photo: the CPU computed it.")
    return [*scene.typed.notes, *sentences]


def looks(scene: Scene) -> dict[str, Any]:
    """Where each patch looks in the last block, for both masks of the canvas: row i is patch i's.

    As a share of the row's maximum, of which the root makes small ones visible.
    """
    matrices = []
    for mask in scene.pair.values():
        matrix = scene.segmenter.last_attention(scene.encoded, mask.method)[1:, 1:]
        matrix = pooled(matrix.T, scene.encoded.grid)[0].T
        matrix, grid = pooled(matrix, scene.encoded.grid)
        shares = matrix.clamp(min=0) / matrix.amax(1, keepdim=True).clamp(min=1e-9)
        matrices.append(packed(levels(shares.sqrt())))
    return gr.update(looks={"of": same_photo(scene), "grid": grid, "matrices": matrices})


def levels(values: Tensor) -> NDArray[np.uint8]:
    """From 0 to 1 in 8 bits."""
    return (255 * values).round().byte().numpy()


def pooled(
    maps: Tensor, grid: tuple[int, int], most: int = limits.ATTENTION_PATCHES
) -> tuple[Tensor, tuple[int, int]]:
    """Maps (…, N) halved until they have at most ``most`` patches, and their grid."""
    while grid[0] * grid[1] > most:
        half = (max(1, grid[0] // 2), max(1, grid[1] // 2))
        maps, grid = F.adaptive_avg_pool2d(maps.unflatten(-1, grid), half).flatten(-2), half
    return maps, grid


def attention(scene: Scene) -> dict[str, Any]:
    """What each patch receives in the blocks that AMF fuses; the last block's matrices."""
    blocks = scene.report.fusion.blocks
    received = scene.segmenter.received(scene.encoded, blocks)
    items = []
    for block, values in zip(blocks, received, strict=True):
        picture = plots.over(scene.picture, values.unflatten(0, scene.encoded.grid).numpy())
        items.append(item(picture, f"Block {block + 1}", "Attention that each patch receives"))
    for word, on in (("without", False), ("with", True)):
        method = scene.settings.gclip(amf=on)
        matrix = scene.segmenter.last_attention(scene.encoded, method)[1:, 1:]
        picture = plots.coloured(pooled_matrix(matrix).sqrt().numpy(), (240, 240), 0.3)
        items.append(item(picture, f"Last block {word} AMF", "Row: patch; column: where it looks"))
    return {"items": items, "columns": 2, "pressable": False}


def pooled_matrix(matrix: Tensor, most: int = 480) -> Tensor:
    """A matrix of attention, halved until it has at most ``most`` rows."""
    while len(matrix) > most:
        matrix = F.avg_pool2d(matrix[None], 2)[0]
    return matrix


def item(
    image: Image.Image | None, caption: str, alt: str = "", kind: str = "png"
) -> dict[str, Any]:
    """A picture of a strip, or a chip without one."""
    return {"image": image and served(image, kind), "alt": alt or caption, "caption": caption}


def attention_text(scene: Scene) -> str:
    blocks = in_words(block_numbers(scene.report.fusion.blocks))
    return f"**Attention** · AMF averages the last block’s with {blocks}."


def norms(scene: Scene, size: tuple[float, float] = (2.7, 2.5)) -> Figure:
    """The norms of one block's channels before and, if it is on, after CS."""
    before, after = scene.report.norms_before.numpy(), scene.report.norms_after.numpy()
    shown = after if scene.settings.cs else before
    return plots.norms(before, shown, scene.block, scene.settings.outlier, size)


def norms_text(scene: Scene) -> str:
    report, block = scene.report, scene.block
    title = f"**Weight norms** of block {block + 1} · "
    if block not in report.abnormal:
        return title + "no outlier channel."
    verb = "scaled" if scene.settings.cs else "to be scaled"
    return f"{title} channel {report.channels[block]} is {verb} by CS."


# --- under the inputs ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Chip:
    """A small button under the words. A press changes settings, and adds a word to the others."""

    text: str
    settings: dict[str, Any] = field(default_factory=dict)
    word: str = ""


def chips(scene: Scene) -> list[Chip]:
    """Words to add; under a word that was replaced, the way back."""
    made = []
    replaced = [u for u in scene.unknown if u.nearest]
    if replaced and scene.settings.nearest:
        text = ", ".join(f"“{u.phrase}”" for u in replaced[:2])
        made.append(Chip(f"Undo: keep {text}", {"nearest": False}))
    elif replaced:
        text = ", ".join(f"“{u.nearest}”" for u in replaced[:2])
        made.append(Chip(f"Use {text}", {"nearest": True}))
    typed = {phrase.casefold() for phrase in (*scene.typed.phrases, *scene.words.phrases)}
    further = [word for word in scene.plausible() if word.casefold() not in typed]
    return made + [Chip(f"+ {word}", word=word) for word in further[:4]]


def pressed(chip: dict[str, Any], words: str) -> dict[str, Any]:
    """The settings that a press on a chip of :func:`chip_strip` changes."""
    added = {"words": f"{words.rstrip(' ,')}, {chip['word']}"} if chip["word"] else {}
    return chip["settings"] | added


def chip_strip(scene: Scene) -> dict[str, Any]:
    made = chips(scene)
    items = [item(None, c.text) | {"settings": c.settings, "word": c.word} for c in made]
    return {"items": items, "selected": None}


def idle(scene: Scene, idea: str) -> str:
    """Why a switch can do nothing; empty where it can."""
    if scene.settings.method != "gclip":
        return f"{idea} belongs to GCLIP, not to {scene.method.title}."
    if idea == "CS" and not scene.report.abnormal:
        return "This model has no outlier channel: CS changes nothing."
    return ""


def switch(scene: Scene, idea: str) -> dict[str, Any]:
    """Dimmed where it can do nothing."""
    return gr.update(interactive=not idle(scene, idea))


def fetch_group(name: str) -> dict[str, Any]:
    """The offer to fetch a backbone; hidden without a name."""
    return gr.update(visible=bool(name))


def cs_link(scene: Scene) -> dict[str, Any]:
    """The way to the model that is damaged on purpose, and back."""
    if scene.settings.backbone == DAMAGED:
        return gr.update(value="Back to the model as it is", visible=True)
    return gr.update(value="See what CS repairs", visible=not scene.report.abnormal)


# --- Compare -------------------------------------------------------------------------------------

COLUMNS = ["Method", "mIoU, %", "Patches look by", "Paper"]
RULES = {
    "qk": "query · key",
    "qq": "query · query",
    "kk": "key · key",
    "vv": "value · value",
    "qq+kk": "query · query + key · key",
    "kk+gaussian": "key · key + nearness",
    "aligned qk": "query · key, aligned",
    "identity": "nothing: each patch alone",
}


def table(scene: Scene) -> dict[str, Any]:
    """A row a method."""
    rows = []
    for title, mask, miou in scene.compared:
        score = "–" if miou is None else f"{100 * miou:.1f}"
        attention = mask.method.attention
        rule = RULES.get(attention, attention)
        rows.append([title, score, rule, mask.method.citation or "for comparison"])
    return {"headers": COLUMNS, "data": rows}


def mask_strip(scene: Scene) -> dict[str, Any]:
    """Every method's mask as a small picture."""
    items = []
    for title, mask, miou in scene.compared:
        caption = title if miou is None else f"{title} · {percent(miou)}"
        items.append(item(painted(scene, mask), caption, f"Mask of {title}", "jpeg"))
    row = scene.settings.row - 1
    columns = 4 if scene.report.abnormal else 5
    return {"items": items, "selected": row if row >= 0 else None, "columns": columns}


def large(scene: Scene) -> dict[str, Any]:
    """The mask that was pressed beside GCLIP's, for the canvas of Compare."""
    row, masks = scene.settings.row - 1, [mask for _, mask, _ in scene.compared]
    if row not in range(len(masks)):
        return gr.update(visible=False)
    ours, other = scene.settings.gclip(), masks[row]
    if other.method == ours:
        other = next(mask for mask in masks if mask.method != ours)
    pair = {method_title(ours): scene.mask(ours), method_title(other.method): other}
    value = canvas(scene, pair) | {"view": int(other is masks[row]), "notes": [], "patch": None}
    return gr.update(value=value, visible=True)


def painted(scene: Scene, mask: Segmentation, width: int = 320) -> Image.Image:
    """A small picture of a mask on the photo, which is darker where there is no class."""
    size = plots.small(scene.picture.size, width)
    labels, colours = mask.labels.numpy(), palette.table(mask.vocabulary.names)
    colours[-1] = 0
    y, x = (np.arange(n) * side // n for n, side in zip(size[::-1], labels.shape, strict=True))
    layer = Image.fromarray(colours[labels[np.ix_(y, x)]])
    return Image.blend(scene.picture.resize(size), layer, 0.5)


def compare_note(scene: Scene) -> str:
    """What the scores are."""
    text = "Every method’s mask of this photo. Press one to see it beside GCLIP’s."
    if scene.scores(scene.mask()):
        text += " Scores are mIoU, of these masks."
    return text


# --- Share ---------------------------------------------------------------------------------------


def link(scene: Scene) -> str:
    """The query string of what is shown; a photo of one's own stays at home."""
    example = scene.photo.example
    named = {"example": example.name} if example else {}
    named |= {"backbone": scene.settings.backbone}  # other hosts open with another one
    query = scene.settings.to_query(**named)
    if len(query) > limits.MAX_LINK:
        query = scene.settings.with_values(words="").to_query(**named)
    return f"?{query}"


def link_note(scene: Scene) -> str:
    """What the link opens, and what it leaves out."""
    note = "Opens these settings. Your photo is not part of the link: it stays with you."
    if scene.photo.example:
        note = "Opens this photo with these settings."
    if scene.settings.words and "words=" not in link(scene):
        note += " The words are too long for a link: they are left out."
    return note


def python(scene: Scene) -> str:
    """Six lines that make the same labels of a photo of up to WORKED_PIXELS."""
    s, example = scene.settings, scene.photo.example
    photo = f"assets/photos/{example.name}.jpg" if example else "photo.jpg"
    sizes = {"short_side": s.size or None, "window": s.window or None, "stride": s.stride}
    sizes = unusual(Segmenter, **sizes, templates=s.templates, logit_scale=s.scale)
    if s.method == "gclip":
        method = f"gclip.gclip({arguments(unusual(gclip, **s.gclip_options()))})"
    else:
        method = f"gclip.METHODS[{s.method!r}]"
    options = {"background": s.background, "background_weight": s.weight, "refine": s.edges}
    options = unusual(Segmenter.segment, threshold=s.threshold, **options)
    words = ", ".join("; ".join(synonyms) for synonyms in scene.words.classes)
    return f"""```python
import gclip_core as gclip

segmenter = gclip.Segmenter({arguments(sizes, f"gclip.load_backbone({s.backbone!r})")})
method = {method}
options = dict({arguments(options)})
result = segmenter.segment({photo!r}, {words!r}, method, **options)
print(dict(zip(result.vocabulary.names, result.areas())))
```"""


def unusual(function: Any, **options: Any) -> dict[str, Any]:
    """Those arguments that are not the function's defaults."""
    defaults = {k: p.default for k, p in inspect.signature(function).parameters.items()}
    return {name: value for name, value in options.items() if value != defaults[name]}


def arguments(options: dict[str, Any], *first: str) -> str:
    """Arguments as Python."""
    return ", ".join([*first, *(f"{name}={value!r}" for name, value in options.items())])


def mask_png(mask: Segmentation) -> bytes:
    """An indexed PNG: class ``c`` is index ``c``, none is 255; a text chunk names the classes."""
    info, buffer = PngInfo(), io.BytesIO()
    info.add_itxt("Classes", json.dumps(list(mask.vocabulary.names), ensure_ascii=False))
    image = palette.indexed(mask.labels.numpy(), mask.vocabulary.names)
    image.save(buffer, "png", pnginfo=info)
    return buffer.getvalue()


def cutouts(scene: Scene) -> Iterator[tuple[str, Image.Image]]:
    """The photo of every class that has pixels, clear elsewhere, with its name."""
    mask = scene.mask()
    for index, name in enumerate(mask.vocabulary.names):
        inside = mask.labels.numpy() == index
        if inside.any():
            cut = scene.picture.copy()
            cut.putalpha(Image.fromarray(np.uint8(255 * inside)))
            yield name, cut


def cutouts_zip(scene: Scene) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, cut) in enumerate(cutouts(scene), start=1):
            safe = "".join(letter if letter.isalnum() else "-" for letter in name)[:40]
            with archive.open(f"{number}-{safe}.png", "w") as file:
                cut.save(file, "png", compress_level=4)
    return buffer.getvalue()


def shared(scene: Scene) -> dict[str, Any]:
    """The mask and the first cut-outs, small: what the files have in them."""
    items = [item(painted(scene, scene.mask()), "Mask", kind="jpeg")]
    for name, cut in itertools.islice(cutouts(scene), 7):
        cut.thumbnail((320, 320))
        items.append(item(cut, name, f"Cut-out of {name}"))
    return {"items": items, "columns": 4, "pressable": False}


def figure_file(scene: Scene, kind: str) -> bytes:
    """Photo, masks, attention and norms side by side, for a paper or a slide."""
    from evaluation import figure  # noqa: PLC0415 - it takes half a second, and few need it

    before, after = scene.pair.values()
    if scene.as_switched == 0:
        before, after = None, before
    drawn = figure.draw(
        scene.segmenter, scene.picture, scene.encoded, after, before, foot=link(scene)
    )
    return figure.save(drawn, kind)


DOWNLOADS = {
    "mask": ("Mask (indexed PNG)", "mask.png", lambda scene: mask_png(scene.mask())),
    "cutouts": ("Cut-outs (zip)", "cut-outs.zip", cutouts_zip),
    "png": ("Figure (PNG)", "figure.png", lambda scene: figure_file(scene, "png")),
    "pdf": ("Figure (PDF)", "figure.pdf", lambda scene: figure_file(scene, "pdf")),
}
"""By name: the text of the button, the file's name, and what makes it."""


def download(scene: Scene, name: str) -> str:
    """The path of a file of DOWNLOADS."""
    _, file, make = DOWNLOADS[name]
    return saved(make(scene), file)
