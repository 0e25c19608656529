"""Share: files to download, and the same result in Python."""

import inspect
import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

from demo import backbones, limits
from demo.scene import Scene
from gclip_core import GclipError, formats, load_backbone
from gclip_core.methods import gclip
from gclip_core.pixels import palette
from gclip_core.pixels.refine import cut_out
from gclip_core.result import Segmentation
from gclip_core.segmenter import Segmenter


def python(scene: Scene) -> str:
    """A few lines that compute the same labels for a photo of up to WORKED_PIXELS; words that were
    shown on other photos must be shown again, as a comment says.

    They set the precision that this host uses, because ``auto`` depends on the machine.
    """
    s, example, segmenter = scene.settings, scene.photo.example, scene.segmenter
    photo = f"assets/photos/{example.name}.jpg" if example else "photo.jpg"
    precision = str(segmenter.backbone.dtype).removeprefix("torch.")
    own = backbones.weights_of(s.backbone)
    weights = own and own.name  # where it is on the server is nobody's business
    loading = arguments(load_backbone, repr(s.backbone), weights=weights, dtype=precision)
    sizes = s.segmenter_options() | {"max_patches": segmenter.max_patches}
    making = arguments(Segmenter, f"gclip.load_backbone({loading})", **sizes)
    method, table = f"METHODS[{s.method!r}]", "\nfrom gclip_core.relatives import METHODS"
    if s.method == "gclip":
        method, table = f"gclip.gclip({arguments(gclip, **s.gclip_options())})", ""
    marks = ", ".join(f"gclip.{mark}" for mark in scene.marks)
    marked = [f"marks=[{marks}]"] if marks else []
    options = arguments(Segmenter.segment, *marked, **s.mask_options())
    shown = ", ".join(f"segmenter.show({word.name!r}, (photo, marks))" for word in scene.shown)
    note = f"\n# Shown on other photos: pass also shown=[{shown}]" if shown else ""
    words = ", ".join("; ".join(synonyms) for synonyms in scene.read_words.classes)
    return f"""import gclip_core as gclip{table}

segmenter = gclip.Segmenter({making})
method = {method}
options = dict({options}){note}
result = segmenter.segment({photo!r}, {words!r}, method, **options)
print(dict(zip(result.vocabulary.names, result.areas())))"""


def arguments(function: Any, *first: str, **options: Any) -> str:
    """The arguments of a call as Python code: the first ones, and those that are no defaults."""
    defaults = {name: one.default for name, one in inspect.signature(function).parameters.items()}
    given = (f"{name}={value!r}" for name, value in options.items() if value != defaults[name])
    return ", ".join([*first, *given])


# --- files ---------------------------------------------------------------------------------------


def made(scene: Scene, file: str, label: int) -> tuple[str, bytes]:
    """The name and the content of a file to download.

    Raises GclipError if there is no such file, the photo is too narrow for a figure, or no pixel
    has the ``label`` of a cut-out.
    """
    scene = scene.with_words()
    match file:
        case "mask":
            return "mask.png", mask_png(scene.mask(), scene.colours)
        case "cutout" if isinstance(label, int):
            return "cut-out.png", cutout(scene, label)
        case "cutouts":
            return "cut-outs.zip", cutouts_zip(scene)
        case "coco":
            return "coco.json", json.dumps(scene.mask().to_coco("photo.jpg")).encode()
        case "png" | "pdf":
            return f"figure.{file}", figure(scene, file)
        case "grid":
            return "methods.png", figure(scene, file)
    raise GclipError("“file” is one of mask, cutout, cutouts, coco, png, pdf, grid.")


def mask_png(mask: Segmentation, colours: Sequence[str]) -> bytes:
    """An indexed PNG: class ``c`` is index ``c``, none is 255; a text chunk names the classes."""
    return palette.indexed(mask.labels.numpy(), colours, mask.vocabulary.names)


def cutout(scene: Scene, label: int) -> bytes:
    """The photo of one class, or with -1 of no class."""
    inside, buffer = scene.mask().labels.numpy() == label, io.BytesIO()
    if not inside.any():
        raise GclipError("This word has no pixel that could be cut out.")
    cut_out(scene.photo.picture, inside).save(buffer, "png", compress_level=4)
    return buffer.getvalue()


def cutouts_zip(scene: Scene) -> bytes:
    """A picture for each class that has pixels."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, cut in formats.cut_outs(scene.mask(), scene.photo.picture):
            with archive.open(name, "w") as file:
                cut.save(file, "png", compress_level=4)
    return buffer.getvalue()


def figure(scene: Scene, kind: str) -> bytes:
    """The figure of a result as "png" or "pdf", or the "grid" of all methods."""
    from demo import plots  # noqa: PLC0415 - see plots.py

    width, height = scene.photo.picture.size
    if height > limits.MAX_ASPECT * width:
        raise GclipError(
            f"A figure needs a photo at most {limits.MAX_ASPECT} times as high as wide, not "
            f"{width} × {height}. Cut it, or save the mask instead."
        )
    if kind == "grid":
        return plots.save(plots.of_methods(scene))
    return plots.save(plots.of_result(scene), kind)
