"""A zip of an answer: the picture, the mask in several forms, the settings, Python."""

import io
import json
import platform
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from demo import wording
from demo.answer import Answer, compute, resolve
from demo.drawing import render
from demo.engine import Engine
from demo.host.blob_store import Blob, LazyBlob
from demo.request import Question
from demo.tabs import again
from gclip_core import images, palette
from gclip_core.numbering import block_numbers
from gclip_core.version import __version__

CLASSES = "Classes"
"""The text chunk of a mask that names its classes, as a JSON list."""
PACKAGES = ("torch", "open_clip_torch", "numpy", "pillow")
"""Those that decide the numbers."""
README = """\
{picture:<15}the picture, as it was segmented
mask.png       the mask: pixel value = class number in settings.json, 255 = none
               (over 255 classes: 16-bit grey, 65535 = none); it names its classes itself
overlay.png    the mask over the picture, with the words
settings.json  every setting, the classes with colour and area share, and the versions
again.py       Python that makes the same labels again, here and after `pip install` of gclip

{simulated}
"""


def zip_blob(engine: Engine, question: Question) -> LazyBlob:
    """The zip of a question's answer, made when a browser fetches it."""
    request = question.request

    def make() -> Blob:
        question = resolve(engine, request)
        with engine.turn(question.scene):
            return Blob(zipped(compute(engine, question)), "application/zip")

    return engine.blobs.lazy(("zip", *question.key, request), make, question.nbytes)


def zipped(answer: Answer) -> bytes:
    """A zip of the picture, the mask in several forms, its settings and the Python of it."""
    question, mask = answer.question, answer.mask
    image, opacity = question.scene.picture.image, question.settings.opacity
    name, content = picture_name(question), _picture(question)
    overlay = render.overlay(image, mask.labels, mask.names, opacity)
    simulated = wording.simulated(question.scene.planted)
    files: dict[str, bytes | str] = {
        name: content,
        "mask.png": mask_png(mask.labels, mask.names),
        "overlay.png": render.saved(overlay),
        "settings.json": json.dumps(settings_json(answer), indent=1, ensure_ascii=False),
        "again.py": again.python_text(question, name),
        "README.txt": README.format(picture=name, simulated=simulated),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for file, data in files.items():
            archive.writestr(file, data, zipfile.ZIP_STORED if file == name else None)
    return buffer.getvalue()


def picture_name(question: Question) -> str:
    """The name of the picture's file in the zip."""
    return f"picture.{_own_kind(question) or 'png'}"


def _picture(question: Question) -> bytes:
    """The picture's file: the visitor's own where it opens to the same pixels, else a PNG."""
    if _own_kind(question):
        return Path(question.request.upload).read_bytes()
    return render.saved(question.scene.picture.image, compress_level=1)


def _own_kind(question: Question) -> str:
    """The ending of the visitor's own file; empty where it does not open to the same pixels."""
    path = Path(question.request.upload)
    # The field may still have the picture from before: it counts only where it was chosen.
    if question.settings.source != "upload" or not path.is_file():
        return ""
    with Image.open(path, formats=images.FORMATS) as file:
        kind = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}.get(file.format or "", "")
        same_size = file.size == question.scene.picture.image.size
        is_own = file.mode == "RGB" and same_size and images.orientation(file) == 1
    return kind if is_own else ""


def mask_png(labels: NDArray[np.integer], names: Sequence[str]) -> bytes:
    """An indexed PNG of labels (H, W), -1 for none; a text chunk names the classes."""
    info = PngInfo()
    info.add_itxt(CLASSES, json.dumps(list(names), ensure_ascii=False))
    return render.saved(palette.indexed(labels, names), pnginfo=info)


def settings_json(answer: Answer) -> dict[str, Any]:
    """Every setting by group (blocks and heads from 1), the classes, the versions, the link."""
    settings, mask = again.named_settings(answer.question), answer.mask
    colours = palette.of_names(mask.names)
    classes = enumerate(zip(mask.names, colours, mask.class_shares, strict=True))
    none = 255 if len(mask.names) <= 255 else 65535
    return {
        "settings": settings.to_json(),
        "words": answer.question.text,
        "classes": [
            {"number": number, "name": name, "colour": colour, "share": share}
            for number, (name, colour, share) in classes
        ],
        "no_class": {"number": none, "colour": palette.NO_CLASS, "share": mask.rest_share},
        "result": facts(answer),
        "link": "?" + settings.to_query(),
        "versions": {
            "gclip": __version__,
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in PACKAGES},
        },
    }


def facts(answer: Answer) -> dict[str, Any]:
    """What was found, as plain numbers; blocks counted from 1."""
    report, backbone = answer.report, answer.question.scene.clean.backbone
    result = {
        "method": answer.mask.title,
        "backbone": backbone.title,
        "weights": backbone.digest,
        "amf_blocks": list(block_numbers(report.fusion.blocks)),
        "amf_reason": report.fusion.reason,
        "cs_blocks": list(block_numbers(report.suppressed)),
        "cs_reason": report.cs_reason,
        "miou": answer.mask.miou,
    }
    if answer.question.settings.plant:
        result["simulation"] = "an abnormal channel was planted"
    return result
