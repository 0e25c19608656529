"""Share: files to download, and the same result in Python."""

import inspect
import io
import json
import zipfile
from collections.abc import Callable, Sequence
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
    s, example = scene.settings, scene.photo.example
    photo = f"assets/photos/{example.name}.jpg" if example else "photo.jpg"
    most = scene.segmenter.max_patches
    options = not_default(Segmenter, **s.segmenter_options(), max_patches=most)
    precision = str(scene.segmenter.backbone.dtype).removeprefix("torch.")
    own = backbones.weights_of(s.backbone)
    weights = own and own.name  # where it is on the server is nobody's business
    loading = not_default(load_backbone, weights=weights, dtype=precision)
    loaded = arguments(loading, repr(s.backbone))
    segmenter = arguments(options, f"gclip.load_backbone({loaded})")
    if s.method == "gclip":
        method = f"gclip.gclip({arguments(not_default(gclip, **s.gclip_options()))})"
    else:
        method = f"METHODS[{s.method!r}]"
    options = arguments(not_default(Segmenter.segment, **s.mask_options()))
    if scene.marks:
        marks = ", ".join(f"gclip.{mark}" for mark in scene.marks)
        options = ", ".join(filter(None, [options, f"marks=[{marks}]"]))
    shown = ", ".join(f"segmenter.show({word.name!r}, (photo, marks))" for word in scene.shown)
    note = f"\n# Shown on other photos: pass also shown=[{shown}]" if shown else ""
    words = ", ".join("; ".join(synonyms) for synonyms in scene.read_words.classes)
    table = "" if s.method == "gclip" else "\nfrom gclip_core.relatives import METHODS"
    return f"""import gclip_core as gclip{table}

segmenter = gclip.Segmenter({segmenter})
method = {method}
options = dict({options}){note}
result = segmenter.segment({photo!r}, {words!r}, method, **options)
print(dict(zip(result.vocabulary.names, result.areas())))"""


def not_default(function: Any, **options: Any) -> dict[str, Any]:
    """The arguments that differ from the function's defaults."""
    defaults = {k: p.default for k, p in inspect.signature(function).parameters.items()}
    return {name: value for name, value in options.items() if value != defaults[name]}


def arguments(options: dict[str, Any], *first: str) -> str:
    """Arguments as Python code."""
    return ", ".join([*first, *(f"{name}={value!r}" for name, value in options.items())])


# --- files ---------------------------------------------------------------------------------------


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

    if kind == "grid":
        return plots.save(plots.of_methods(scene))
    return plots.save(plots.of_result(scene), kind)


FILES: dict[str, tuple[str, Callable[[Scene, int], bytes]]] = {
    "mask": ("mask.png", lambda scene, _: mask_png(scene.mask(), scene.colours)),
    "cutout": ("cut-out.png", cutout),
    "cutouts": ("cut-outs.zip", lambda scene, _: cutouts_zip(scene)),
    "coco": ("coco.json", lambda scene, _: json.dumps(scene.mask().to_coco("photo.jpg")).encode()),
    "png": ("figure.png", lambda scene, _: figure(scene, "png")),
    "pdf": ("figure.pdf", lambda scene, _: figure(scene, "pdf")),
    "grid": ("methods.png", lambda scene, _: figure(scene, "grid")),
}
"""What can be downloaded: the name of each file, and what writes its content, given the scene and
the label of a cut-out."""


def made(scene: Scene, name: str, label: int) -> bytes:
    """The content of one of FILES.

    Raises GclipError if there is no such file, the photo is too narrow for a figure, or no pixel
    has the label.
    """
    if str(name) not in FILES or not isinstance(label, int):
        raise GclipError(f"“file” is one of {', '.join(FILES)}.")
    width, height = scene.photo.picture.size
    if name in ("png", "pdf", "grid") and height > limits.MAX_ASPECT * width:
        raise GclipError(
            f"A figure needs a photo at most {limits.MAX_ASPECT} times as high as wide, not "
            f"{width} × {height}. Cut it, or save the mask instead."
        )
    return FILES[name][1](scene.with_words(), label)
