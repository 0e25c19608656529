"""Share: the link, files to download, and the same result in Python."""

import inspect
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from demo import backbones, compare
from demo.address import link
from demo.files import saved
from demo.scene import Scene
from evaluation.figure import draw, save
from gclip_core import load_backbone
from gclip_core.methods import gclip
from gclip_core.pixels import palette
from gclip_core.result import Segmentation
from gclip_core.segmenter import Segmenter


def note(scene: Scene) -> str:
    """What the link opens, and what it leaves out."""
    text = "The link opens these settings; it shows your photo only if you include it."
    if scene.photo.example:
        text = "The link opens this photo with these settings."
    if scene.settings.words and "words=" not in link(scene):
        text += " The words are too long for a link and are left out."
    return text


def python(scene: Scene) -> str:
    """Six lines that compute the same labels for a photo of up to WORKED_PIXELS.

    They set the precision that this host uses, because ``auto`` depends on the machine.
    """
    s, example = scene.settings, scene.photo.example
    photo = f"assets/photos/{example.name}.jpg" if example else "photo.jpg"
    options = unusual(Segmenter, **s.segmenter_options())
    precision = str(scene.segmenter.backbone.dtype).removeprefix("torch.")
    own = backbones.weights_of(s.backbone)
    weights = own and own.name  # where it is on the server is nobody's business
    loaded = arguments(unusual(load_backbone, weights=weights, dtype=precision), repr(s.backbone))
    segmenter = arguments(options, f"gclip.load_backbone({loaded})")
    if s.method == "gclip":
        method = f"gclip.gclip({arguments(unusual(gclip, **s.gclip_options()))})"
    else:
        method = f"gclip.METHODS[{s.method!r}]"
    options = arguments(unusual(Segmenter.segment, **s.mask_options()))
    words = ", ".join("; ".join(synonyms) for synonyms in scene.words.classes)
    return f"""```python
import gclip_core as gclip

segmenter = gclip.Segmenter({segmenter})
method = {method}
options = dict({options})
result = segmenter.segment({photo!r}, {words!r}, method, **options)
print(dict(zip(result.vocabulary.names, result.areas())))
```"""


def unusual(function: Any, **options: Any) -> dict[str, Any]:
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


def cutouts_zip(scene: Scene) -> bytes:
    """A picture for each class that has pixels (``palette.cut_outs``)."""
    mask, buffer = scene.mask(), io.BytesIO()
    names = mask.vocabulary.names
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, cut in palette.cut_outs(scene.photo.picture, mask.labels.numpy(), names):
            with archive.open(name, "w") as file:
                cut.save(file, "png", compress_level=4)
    return buffer.getvalue()


def figure(scene: Scene, kind: str) -> bytes:
    """Photo, masks, attention and norms side by side, for a paper or a slide."""
    after, others = scene.mask(), {}
    if scene.settings.method == "gclip":
        others = {scene.ideas[-1]: False}
    without = scene.gclip(**others)
    before = scene.mask(without) if without != after.method else None
    photo = scene.photo.picture
    return save(draw(scene.segmenter, photo, scene.encoded, after, before, foot=link(scene)), kind)


@dataclass(frozen=True)
class Download:
    """The text of a button, the name of the file that it gives, and what writes its content."""

    button: str
    file: str
    make: Callable[[Scene], bytes]


DOWNLOADS = {
    "mask": Download("Mask (indexed PNG)", "mask.png", lambda s: mask_png(s.mask(), s.colours)),
    "cutouts": Download("Cut-outs (zip)", "cut-outs.zip", cutouts_zip),
    "png": Download("Figure (PNG)", "figure.png", lambda scene: figure(scene, "png")),
    "pdf": Download("Figure (PDF)", "figure.pdf", lambda scene: figure(scene, "pdf")),
    "grid": Download("Save as one figure", "methods.png", compare.figure),
}


def download(scene: Scene, name: str) -> str:
    """The path of a file of DOWNLOADS."""
    chosen = DOWNLOADS[name]
    return saved(chosen.make(scene), chosen.file)
