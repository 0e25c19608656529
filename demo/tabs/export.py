"""Export and share: a zip, a link, and the Python that makes the same labels again."""

import io
import json
import platform
import shlex
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import metadata
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from demo import variants, wording
from demo.answer import Answer
from demo.controls import Controls, Tab, in_browser
from demo.drawing import card, render
from demo.engine import Engine, Mask
from demo.host.files import saved_file
from demo.request import Question
from demo.settings import Settings
from demo.tabs import common
from evaluation.photos import star_photos
from gclip_core import images, palette
from gclip_core.backbone import Backbone
from gclip_core.methods import find_method, gclip
from gclip_core.numbering import block_numbers
from gclip_core.segmenter import Segmenter
from gclip_core.version import __version__

NO_COMMAND = "# The command line has no option for one of these settings: use the Python."
_WHOLE_LINK = "(q) => q.startsWith('?') ? location.origin + location.pathname + q : q"


@dataclass(frozen=True, eq=False)
class Value:
    """A zip, share cards by file name, a link, Python and a command (empty where there is none)."""

    title: str
    archive: bytes
    cards: Mapping[str, bytes]
    link: str
    python: str
    command: str
    simulated: str


def build(engine: Engine, controls: Controls) -> Tab:
    """The three ways to take a result along; all follow the settings while the tab is open."""
    gr.Markdown(wording.EXPORT_INTRO, elem_classes=["gclip-note"])
    files = gr.DownloadButton("Download everything as a zip", variant="primary", elem_id="download")
    copied: dict[str, Any] = {"interactive": False, "buttons": ["copy"]}
    same = "It opens this page with the same settings."
    link = gr.Textbox(label="Link to this view", info=same, elem_id="link", max_lines=4, **copied)
    notes = gr.Markdown("", elem_classes=["gclip-note"], elem_id="lost")
    with gr.Row():
        with gr.Column(min_width=280):
            make = gr.Button("Make a share card", elem_id="make-card")
            unseen = {"interactive": False, "visible": False}
            both = "A picture and an animation"
            cards = gr.File(label=both, file_count="multiple", elem_id="card-files", **unseen)
        title = "The share card: before and after"
        card_shown = gr.Image(label=title, show_label=False, buttons=[], elem_id="card", **unseen)
    code = {**copied, "max_lines": 30, "elem_classes": ["code"]}
    python = gr.Textbox(label="Copy as Python", elem_id="python", **code)
    beside = "On the command line, beside the picture from the zip"
    command = gr.Textbox(label=beside, elem_id="command", **code)

    link.change(**in_browser(_WHOLE_LINK, inputs=link, outputs=link))
    asked = make.click(**in_browser("() => '1'", outputs=controls["card"]))
    parts = {
        "files": files,
        "link": link,
        "notes": notes,
        "cards": cards,
        "card": card_shown,
        "python": python,
        "command": command,
    }
    return Tab(parts, [asked])


def compute(engine: Engine, answer: Answer) -> Value:
    """The files of the result as bytes, and the texts that make it again."""
    question, settings = answer.question, answer.question.settings
    picture = picture_file(question)
    return Value(
        title=answer.mask.title,
        archive=archive(answer, picture),
        cards=share_card(engine, answer) if settings.card else {},
        link="?" + settings.changed(tab="side").to_query(),
        python=python_text(question),
        command=command_line(question, picture[0]),
        simulated=common.simulated(question),
    )


def view(value: Value) -> dict[str, Any]:
    """Files that a visitor may fetch, and texts to copy."""
    paths = [saved_file(data, name) for name, data in value.cards.items()]
    notes = [
        f"The files contain the mask under **{value.title}**, with the page’s settings.",
        value.simulated,
    ]
    return {
        "cards": gr.File(value=paths or None, visible=bool(paths)),
        "card": gr.Image(value=paths[-1] if paths else None, visible=bool(paths)),
        "files": saved_file(value.archive, "gclip.zip"),
        "link": value.link,
        "notes": " ".join(notes),
        "python": value.python,
        "command": value.command or NO_COMMAND,
    }


def share_card(engine: Engine, answer: Answer) -> dict[str, bytes]:
    """The share card by file name: the mask as a PNG; before and after as a GIF."""
    question, after = answer.question, answer.mask
    image = question.scene.picture.image
    before = engine.segment(question, question.switched[False, False])

    def side(of: Mask) -> card.Side:
        return card.Side(card_title(of), of.labels, [*map(wording.percent, of.class_shares)])

    first = side(before)
    if (before.labels == after.labels).all():
        first = card.Side("The picture", np.full_like(after.labels, -1), [""] * len(after.names))
    foot = f"Made with GCLIP’s page · {question.scene.clean.backbone.title}"
    if question.settings.plant:
        foot += " · Simulation"
    return {
        "gclip.png": card.png(image, side(after), after.names, foot),
        "gclip.gif": card.gif(image, first, side(after), after.names, foot),
    }


def card_title(mask: Mask) -> str:
    """The method of a mask, its mIoU if there is a truth, and the share that has no class."""
    title = [mask.title, wording.miou(mask.miou)]
    if (mask.labels < 0).any():
        title.append(f"background {wording.percent(mask.rest_share)}")
    return " · ".join(filter(None, title))


CLASSES = "Classes"
"""The text chunk of a mask that names its classes, as a JSON list."""
PACKAGES = ("torch", "open_clip_torch", "numpy", "pillow")
"""Those that decide the numbers."""
OWN_IMAGE = "your-image.png"
COMMAND_OPTIONS = ("threshold", "short_side", "window", "stride", "templates")
"""Settings that are options of the command line under the same name."""
PYTHON = """\
{imports}

image = {image}
{backbone}
segmenter = gclip.Segmenter({segmenter})
method = {method}
words = {words!r}
result = segmenter.segment({arguments})

labels = result.labels  # (H, W), -1 for no class
for name, share in zip(result.vocabulary.names, result.areas()):
    print(f"{{name}}: {{share:.1%}}")
"""
README = """\
{picture:<15}the picture, as it was segmented
mask.png       the mask: pixel value = class number in settings.json, 255 = none
               (over 255 classes: 16-bit grey, 65535 = none); it names its classes itself
overlay.png    the mask over the picture, with the words
settings.json  every setting, the classes with colour and area share, and the versions
again.py       Python that makes the same labels again, here and after `pip install` of gclip

{simulated}
"""


def facts(answer: Answer) -> dict[str, Any]:
    """What was found, as plain numbers; blocks counted from 1."""
    report, backbone = answer.report, answer.question.scene.clean.backbone
    facts = {
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
        facts["simulation"] = "an abnormal channel was planted"
    return facts


def archive(answer: Answer, picture: tuple[str, bytes]) -> bytes:
    """A zip of the picture, the mask in several forms, its settings and the Python of it."""
    question, mask, (name, content) = answer.question, answer.mask, picture
    image, opacity = question.scene.picture.image, question.settings.opacity
    overlay = render.overlay(image, mask.labels, mask.names, opacity)
    files: dict[str, bytes | str] = {
        name: content,
        "mask.png": mask_png(mask.labels, mask.names),
        "overlay.png": render.saved(overlay),
        "settings.json": json.dumps(settings_json(answer), indent=1, ensure_ascii=False),
        "again.py": python_text(question, name),
        "README.txt": README.format(picture=name, simulated=common.simulated(question)),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as packed:
        for file, data in files.items():
            packed.writestr(file, data, zipfile.ZIP_STORED if file == name else None)
    return buffer.getvalue()


def picture_file(question: Question) -> tuple[str, bytes]:
    """The picture's file: the visitor's own where it opens to the same pixels, else a PNG."""
    image, path = question.scene.picture.image, question.request.upload
    # The field may still have the picture from before: it counts only where it was chosen.
    if question.settings.source == "upload":
        with Image.open(path, formats=images.FORMATS) as file:
            kind = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}.get(file.format or "")
            upright = images.orientation(file) == 1
            if kind and file.mode == "RGB" and file.size == image.size and upright:
                return f"picture.{kind}", Path(path).read_bytes()
    return "picture.png", render.saved(image, compress_level=1)


def mask_png(labels: NDArray[np.integer], names: Sequence[str]) -> bytes:
    """An indexed PNG of labels (H, W), -1 for none; a text chunk names the classes."""
    info = PngInfo()
    info.add_itxt(CLASSES, json.dumps(list(names), ensure_ascii=False))
    return render.saved(palette.indexed(labels, names), pnginfo=info)


def settings_json(answer: Answer) -> dict[str, Any]:
    """Every setting by group (blocks and heads from 1), the classes, the versions, the link."""
    settings, mask = _named(answer.question), answer.mask
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


def _named(question: Question) -> Settings:
    """The settings with the backbone's own name, and a planted channel that it has."""
    backbone = question.scene.segmenter.backbone
    settings = question.settings.changed(backbone=backbone.name)
    if not backbone.planted:
        return settings
    return settings.changed(plant_channel=backbone.planted[0].channel)


def python_text(question: Question, picture: str = "") -> str:
    """Python that makes exactly the page's labels, with gclip_core's public names.

    ``picture`` is a file beside the text. Blocks count from 0, as in every Python argument.
    """
    settings, segmenter = _named(question), question.scene.segmenter
    imports, image = _image(settings, picture)
    sides = {
        side.name: getattr(segmenter, side.name)
        for side in fields(segmenter)
        if side.name != "backbone"
    }
    rest = _unusual(Segmenter.segment, rest=question.rest, rest_weight=settings.rest_weight)
    if question.refine != "none":
        rest.append(f"refine={question.refine!r}")
    arguments = ["image", "words", "method", f"threshold={settings.threshold!r}", *rest]
    return PYTHON.format(
        imports=imports,
        image=image,
        backbone=_backbone(settings, segmenter.backbone),
        segmenter=", ".join(["backbone", *_unusual(Segmenter, **sides)]),
        method=_method(settings),
        words=question.text,
        arguments=", ".join(arguments),
    )


def _image(settings: Settings, picture: str) -> tuple[str, str]:
    """The imports and the expression of the image."""
    imports = "import gclip_core as gclip"
    if picture:
        return f"from pathlib import Path\n\n{imports}", f"Path(__file__).with_name({picture!r})"
    if settings.source == "upload":
        return imports, f"{OWN_IMAGE!r}  # the image you uploaded"
    photo = star_photos().get(settings.example) or next(iter(star_photos().values()))
    place = f"assets.path('photos', {photo.path.name!r})"
    return f"{imports}\nfrom gclip_core import assets", place


def _backbone(settings: Settings, backbone: Backbone) -> str:
    """The lines that load the backbone, and plant a channel in it."""
    dtype = "" if backbone.dtype == torch.float32 else ", dtype='bfloat16'"
    lines = f"backbone = gclip.load_backbone({settings.backbone!r}{dtype})"
    if not settings.plant:
        return lines
    blocks = list(settings.planted_blocks(backbone.n_blocks))
    plant = f"{settings.plant_channel}, gain={settings.plant_gain!r}, blocks={blocks}"
    return f"{lines}\nbackbone = gclip.plant_channel(backbone, {plant})  # blocks from 0"


def command_line(question: Question, picture: str) -> str:
    """The same on the command line, beside the ``picture`` of the zip.

    Empty where the command line has no option for a setting, or makes fewer patches.
    """
    settings, segmenter = _named(question), question.scene.segmenter
    usual = Settings(method=settings.method, amf=settings.amf, cs=settings.cs)
    without = ("plant", "logit_scale", "rest_weight")
    same = all(getattr(settings, name) == getattr(usual, name) for name in without)
    short, patch = segmenter.short_side or segmenter.backbone.short_side, segmenter.backbone.patch
    limits, size = (segmenter.max_tokens, Segmenter.max_tokens), question.scene.picture.size
    page, alone = (images.target_size(size, short, patch, limit) for limit in limits)
    if not same or _method(settings) != _method(usual) or page != alone:
        return ""
    words = ["python", "-m", "gclip_core.segment", picture, "--words", question.text]
    words += ["--rest", question.rest, "--refine", question.refine, "--backbone", settings.backbone]
    words += ["--method", settings.method]
    for name in COMMAND_OPTIONS:
        if getattr(settings, name) != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(settings, name))]
    words += [f"--no-{switch}" for switch in ("amf", "cs") if not getattr(settings, switch)]
    return shlex.join(words)


def _method(settings: Settings) -> str:
    if not find_method(settings.method).switchable:
        return f"gclip.METHODS[{settings.method!r}]"
    given = _unusual(gclip, **variants.arguments(settings))
    return f"gclip.gclip({', '.join([f'amf={settings.amf}', f'cs={settings.cs}', *given])})"


def _unusual(function: Callable[..., Any], **options: Any) -> list[str]:
    """Those arguments of a call that are not its defaults, as Python."""
    usual = signature(function).parameters
    return [f"{k}={v!r}" for k, v in options.items() if v != usual[k].default]
