"""Export and share: a zip, a link, and the Python that makes the same labels again."""

import io
import json
import platform
import shlex
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import fields
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
from demo.controls import Answer, Controls, Tab, in_browser
from demo.drawing import card, render
from demo.host.files import saved_file
from demo.look import Look, Mask, Studio
from demo.settings import Settings
from demo.tabs import common
from evaluation.photos import star_photos
from gclip_core import images, palette
from gclip_core.methods import gclip
from gclip_core.numbering import block_numbers
from gclip_core.segmenter import Segmenter
from gclip_core.version import __version__

NO_COMMAND = "# The command line has no option for one of these settings: use the Python."
_WHOLE_LINK = "(q) => q.startsWith('?') ? location.origin + location.pathname + q : q"


def build(studio: Studio, controls: Controls) -> Tab:
    """The three ways to take a result along; all follow the settings while the tab is open."""
    gr.Markdown(wording.EXPORT_INTRO, elem_classes=["gclip-note"])
    files = gr.DownloadButton("Download everything as a zip", variant="primary", elem_id="download")
    copied: dict[str, Any] = {"interactive": False, "buttons": ["copy"]}
    same = "It opens this page with the same settings."
    link = gr.Textbox(label="Link to this view", info=same, elem_id="link", max_lines=4, **copied)
    lost = gr.Markdown("", elem_classes=["gclip-note"], elem_id="lost")
    with gr.Row():
        with gr.Column(min_width=280):
            make = gr.Button("Make a share card", elem_id="make-card")
            unseen = {"interactive": False, "visible": False}
            both = "A picture and an animation"
            cards = gr.File(label=both, file_count="multiple", elem_id="card-files", **unseen)
        title = "The share card: before and after"
        shown = gr.Image(label=title, show_label=False, buttons=[], elem_id="card", **unseen)
    code = {**copied, "max_lines": 30, "elem_classes": ["code"]}
    python = gr.Textbox(label="Copy as Python", elem_id="python", **code)
    beside = "On the command line, beside the picture from the zip"
    command = gr.Textbox(label=beside, elem_id="command", **code)

    def show(look: Look) -> Answer:
        settings = look.settings
        made = share_card(look) if settings.card else {}
        paths = [saved_file(data, name) for name, data in made.items()]
        title = f"**{look.chosen.title}**"
        notes = [
            f"The files contain the mask under {title}, with the page’s settings.",
            common.simulated(look),
        ]
        return {
            cards: gr.File(value=paths or None, visible=bool(paths)),
            shown: gr.Image(value=paths[-1] if paths else None, visible=bool(paths)),
            files: saved_file(archive(look), "gclip.zip"),
            link: "?" + settings.changed(tab="side").to_query(),
            lost: " ".join(notes),
            python: python_text(look),
            command: command_line(look) or NO_COMMAND,
        }

    link.change(**in_browser(_WHOLE_LINK, inputs=link, outputs=link))
    asked = make.click(**in_browser("() => '1'", outputs=controls["card"]))
    outputs = [files, link, lost, cards, shown, python, command]
    return Tab(outputs=outputs, show=show, changes=[asked], keep=False)


def share_card(look: Look) -> dict[str, bytes]:
    """The share card by file name: the mask as a PNG; before and after as a GIF."""
    image, after = look.picture.image, look.mask(look.chosen)
    before = look.mask(look.ablation(amf=False, cs=False))

    def side(one: Mask) -> card.Side:
        return card.Side(card_title(one), one.labels, [*map(wording.percent, one.areas)])

    first = side(before)
    if (before.labels == after.labels).all():
        first = card.Side("The picture", np.full_like(after.labels, -1), [""] * len(after.names))
    foot = f"Made with GCLIP’s page · {look.segmenter.backbone.title}"
    foot += " · Simulation" * look.settings.plant
    return {
        "gclip.png": card.png(image, side(after), after.names, foot),
        "gclip.gif": card.gif(image, first, side(after), after.names, foot),
    }


def card_title(one: Mask) -> str:
    """The method of a mask, its mIoU if there is a truth, and the share that has no class."""
    rest = f"background {wording.percent(one.shares[-1])}" if (one.labels < 0).any() else ""
    return " · ".join(filter(None, [one.title, wording.miou(one.miou), rest]))


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


def facts(look: Look) -> dict[str, Any]:
    """What was found, as plain numbers; blocks counted from 1."""
    mask, found = look.mask(look.chosen), look.segment(look.chosen).report
    backbone = look.segmenter.backbone
    return {
        "method": mask.title,
        "backbone": backbone.title,
        "weights": backbone.digest,
        "amf_blocks": list(block_numbers(found.fusion.blocks)),
        "amf_reason": found.fusion.reason,
        "cs_blocks": list(block_numbers(found.suppressed)),
        "cs_reason": found.cs_reason,
        "miou": mask.miou,
        **({"simulation": "an abnormal channel was planted"} if look.settings.plant else {}),
    }


def archive(look: Look) -> bytes:
    """A zip of the picture, the mask in several forms, its settings and the Python of it."""
    image, mask = look.picture.image, look.mask(look.chosen)
    name, content = look.once("file", lambda: _picture(look))
    overlay = render.overlay(image, mask.labels, mask.names, look.settings.opacity)
    files: dict[str, bytes | str] = {
        name: content,
        "mask.png": mask_png(mask.labels, mask.names),
        "overlay.png": render.saved(overlay),
        "settings.json": json.dumps(settings_json(look), indent=1, ensure_ascii=False),
        "again.py": python_text(look, name),
        "README.txt": README.format(picture=name, simulated=common.simulated(look)),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as packed:
        for file, data in files.items():
            packed.writestr(file, data, zipfile.ZIP_STORED if file == name else None)
    return buffer.getvalue()


def _picture(look: Look) -> tuple[str, bytes]:
    """The picture's file: the visitor's own where it opens to the same pixels, else a PNG."""
    image, path = look.picture.image, look.request.upload
    # The field may still have the picture from before: it counts only where it was chosen.
    if look.settings.source == "upload":
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


def settings_json(look: Look) -> dict[str, Any]:
    """Every setting by group (blocks and heads from 1), the classes, the versions, the link."""
    settings, mask = _named(look), look.mask(look.chosen)
    colours = palette.of_names(mask.names)
    classes = enumerate(zip(mask.names, colours, mask.areas, strict=True))
    none = 255 if len(mask.names) <= 255 else 65535
    return {
        "settings": settings.to_json(),
        "words": settings.words,
        "classes": [
            {"number": number, "name": name, "colour": colour, "share": share}
            for number, (name, colour, share) in classes
        ],
        "no_class": {"number": none, "colour": palette.NO_CLASS, "share": mask.shares[-1]},
        "result": facts(look),
        "link": "?" + settings.to_query(),
        "versions": {
            "gclip": __version__,
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in PACKAGES},
        },
    }


def _named(look: Look) -> Settings:
    """The settings with the backbone's own name, and a planted channel that it has."""
    backbone = look.segmenter.backbone
    settings = look.settings.changed(backbone=backbone.name)
    if not backbone.planted:
        return settings
    return settings.changed(plant_channel=backbone.planted[0].channel)


def python_text(look: Look, picture: str = "") -> str:
    """Python that makes exactly the page's labels, with gclip_core's public names.

    ``picture`` is a file beside the text. Blocks count from 0, as in every Python argument.
    """
    s, seg = _named(look), look.segmenter
    imports, image = "import gclip_core as gclip", f"{OWN_IMAGE!r}  # the image you uploaded"
    if picture:
        imports = f"from pathlib import Path\n\n{imports}"
        image = f"Path(__file__).with_name({picture!r})"
    elif s.source == "example":
        photo = star_photos().get(s.example) or next(iter(star_photos().values()))
        imports = f"{imports}\nfrom gclip_core import assets"
        image = f"assets.path('photos', {photo.path.name!r})"
    dtype = "" if seg.backbone.dtype == torch.float32 else ", dtype='bfloat16'"
    backbone = f"backbone = gclip.load_backbone({s.backbone!r}{dtype})"
    if s.plant:
        blocks = list(s.planted_blocks(seg.backbone.n_blocks))
        plant = f"{s.plant_channel}, gain={s.plant_gain!r}, blocks={blocks}"
        backbone += f"\nbackbone = gclip.plant_channel(backbone, {plant})  # blocks from 0"
    sides = {one.name: getattr(seg, one.name) for one in fields(seg) if one.name != "backbone"}
    weighted = _unusual(Segmenter.segment, rest=look.rest, rest_weight=s.rest_weight)
    arguments = ["image", "words", "method", f"threshold={s.threshold!r}", *weighted]
    return PYTHON.format(
        imports=imports,
        image=image,
        backbone=backbone,
        segmenter=", ".join(["backbone", *_unusual(Segmenter, **sides)]),
        method=_method(s),
        words=s.words,
        arguments=", ".join(arguments),
    )


def command_line(look: Look) -> str:
    """The same on the command line, beside the picture of the zip.

    Empty where the command line has no option for a setting, or makes fewer patches.
    """
    s, seg, size = _named(look), look.segmenter, look.picture.size
    usual = Settings(method=s.method, amf=s.amf, cs=s.cs)
    unknown = ("plant", "logit_scale", "rest_weight")
    same = all(getattr(s, name) == getattr(usual, name) for name in unknown)
    short, patch = seg.short_side or seg.backbone.short_side, seg.backbone.patch
    limits = (seg.max_tokens, Segmenter.max_tokens)
    page, alone = (images.target_size(size, short, patch, limit) for limit in limits)
    if not same or _method(s) != _method(usual) or page != alone:
        return ""
    picture, _ = look.once("file", lambda: _picture(look))
    words = ["python", "-m", "gclip_core.segment", picture, "--words", s.words]
    words += ["--rest", look.rest, "--backbone", s.backbone, "--method", s.method]
    for name in COMMAND_OPTIONS:
        if getattr(s, name) != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(s, name))]
    words += [f"--no-{switch}" for switch in ("amf", "cs") if not getattr(s, switch)]
    return shlex.join(words)


def _method(settings: Settings) -> str:
    if not variants.chosen(settings).switchable:
        return f"gclip.METHODS[{settings.method!r}]"
    given = _unusual(gclip, **variants.arguments(settings))
    return f"gclip.gclip({', '.join([f'amf={settings.amf}', f'cs={settings.cs}', *given])})"


def _unusual(function: Callable[..., Any], **options: Any) -> list[str]:
    """Those arguments of a call that are not its defaults, as Python."""
    usual = signature(function).parameters
    return [f"{k}={v!r}" for k, v in options.items() if v != usual[k].default]
