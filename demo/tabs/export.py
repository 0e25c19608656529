"""Export and share: a zip, a link, and the Python that makes the same labels again."""

import io
import json
import platform
import shlex
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from gradio.events import Dependency
from numpy.typing import ArrayLike, NDArray
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from demo import variants, wording
from demo.controls import QUIET, Answer, Controls, Tab
from demo.drawing import card, render
from demo.host.files import saved_file
from demo.look import Look, Mask, Studio
from demo.settings import Settings
from demo.source import CLASSES
from evaluation.photos import star_photos
from gclip_core import images, palette
from gclip_core.load import Dtype
from gclip_core.methods import gclip
from gclip_core.numbering import block_numbers
from gclip_core.segmenter import Segmenter
from gclip_core.types import class_shares
from gclip_core.version import __version__

_WHOLE_LINK = "(q) => q.startsWith('?') ? location.origin + location.pathname + q : q"


@dataclass(frozen=True, eq=False)
class ExportView:
    """The chosen mask to take along; ``facts`` are plain numbers, blocks counted from 1."""

    mask: Mask
    facts: dict[str, Any]
    python: str
    command: str
    zip: Callable[[], bytes]


def build(studio: Studio, controls: Controls) -> Tab:
    """The three ways to take a result along; all follow the settings while the tab is open."""
    gr.Markdown(wording.EXPORT_INTRO, elem_classes=["gclip-note"])
    files = gr.DownloadButton(wording.DOWNLOAD, variant="primary", elem_id="download")
    link = gr.Textbox(
        label=wording.LINK, info=wording.LINK_INFO, interactive=False, buttons=["copy"],
        elem_id="link", max_lines=4,
    )  # fmt: skip
    lost = gr.Markdown("", elem_classes=["gclip-note"], elem_id="lost")
    asked = controls.hidden("card")
    with gr.Row():
        with gr.Column(min_width=280):
            make = gr.Button(wording.CARD, elem_id="make-card")
            cards = gr.File(
                label=wording.CARD_FILES, file_count="multiple", interactive=False, visible=False,
                elem_id="card-files",
            )  # fmt: skip
        shown = gr.Image(
            label=wording.CARD_SHOWN, interactive=False, visible=False, type="filepath",
            buttons=[], elem_id="card",
        )  # fmt: skip
    python = gr.Code(
        label=wording.PYTHON,
        language="python",
        interactive=False,
        elem_id="python",
        wrap_lines=True,
    )
    command = gr.Code(
        label=wording.COMMAND,
        interactive=False,
        elem_id="command",
        wrap_lines=True,
    )

    def show(look: Look) -> Answer:
        view, settings = see(look), look.settings
        made = share_card(look) if settings.card else {}
        paths = [saved_file(data, name) for name, data in made.items()]
        return {
            cards: gr.File(value=paths or None, visible=bool(paths)),
            shown: gr.Image(value=paths[-1] if paths else None, visible=bool(paths)),
            files: saved_file(view.zip(), "gclip.zip"),
            link: "?" + settings.changed(tab="side").to_query(),
            lost: " ".join(
                [wording.taken(look.chosen.title)]
                + [wording.SIMULATION] * settings.plant
                + [wording.NO_IMAGE_IN_LINK] * (settings.source == "upload")
            ),
            python: view.python,
            command: view.command or wording.NO_COMMAND,
        }

    def wire() -> list[Dependency]:
        link.change(fn=None, js=_WHOLE_LINK, inputs=link, outputs=link, **QUIET)
        return [make.click(fn=None, js="() => '1'", outputs=asked, **QUIET)]

    outputs = [files, link, lost, cards, shown, python, command]
    return Tab(outputs=outputs, show=show, wire=wire, keep=False)


def share_card(look: Look) -> dict[str, bytes]:
    """The share card by file name: the mask as a PNG; before and after as a GIF."""
    image, after = look.picture.image, look.mask(look.chosen)
    before = look.mask(variants.ablation(look.settings, amf=False, cs=False))
    plain = (before.labels == after.labels).all()  # then before is the picture itself
    sides = [
        card.Side(
            wording.titled(one.title, one.miou),
            one.labels,
            [wording.percent(share) for share in one.areas],
        )
        for one in (before, after)
    ]
    if plain:
        nothing = np.full_like(after.labels, -1)
        sides[0] = card.Side(wording.PICTURE, nothing, ["" for _ in after.names])
    foot = wording.card_foot(look.segmenter.backbone.title, look.settings.plant)
    return {
        "gclip.png": card.png(image, sides[1], after.names, foot),
        "gclip.gif": card.gif(image, *sides, after.names, foot),
    }


PACKAGES = ("torch", "open_clip_torch", "numpy", "pillow")
OWN_IMAGE = "your-image.png"
COMMAND_OPTIONS = ("threshold", "short-side", "window", "stride", "templates")
"""Settings that are options of the command line under the same name."""
README = """\
{picture:<15}the picture, as it was segmented
mask.png       the mask: pixel value = class number in settings.json, 255 = none
               (over 255 classes: 16-bit grey, 65535 = none); it names its classes itself
overlay.png    the mask over the picture, with the words
settings.json  every setting, the classes with colour and area share, and the versions
again.py       Python that makes the same labels again, here and after `pip install` of gclip
"""
SIMULATION = (
    "\nA simulation: an abnormal channel was planted; these are not the model's own weights.\n"
)


def see(look: Look) -> ExportView:
    """The chosen mask, what was found on the way, and what is taken along."""
    image, backbone = look.picture.image, look.segmenter.backbone
    settings = look.settings.changed(backbone=backbone.name)
    for plant in backbone.planted:  # a channel over the tower's width was brought inside
        settings = settings.changed(plant_channel=plant.channel)
    mask, found = look.mask(look.chosen), look.segment(look.chosen).found
    dtype: Dtype = "float32" if backbone.dtype == torch.float32 else "bfloat16"
    facts = {
        "method": mask.title,
        "backbone": backbone.title,
        "weights": backbone.digest,
        "amf_blocks": list(block_numbers(found.fusion.blocks)),
        "amf_reason": found.fusion.reason,
        "cs_blocks": list(block_numbers(found.suppressed)),
        "cs_reason": found.cs_reason,
        "miou": mask.miou,
    }
    if settings.plant:
        facts["simulation"] = "an abnormal channel was planted"
    n = backbone.n_blocks

    picture = _picture(look)

    def pack() -> bytes:
        again = python_text(settings, n, dtype, picture[0])
        return bundle(image, picture, mask.labels, mask.names, settings, again, facts)

    python = python_text(settings, n, dtype)
    command = command_line(settings, picture[0]) if _fits(look) else ""
    return ExportView(mask, facts, python, command, pack)


def _fits(look: Look) -> bool:
    """Whether the picture has as many patches as without the page's own limit."""
    image, seg = look.picture.image, look.segmenter
    size, patch = (image.height, image.width), seg.backbone.patch
    short = seg.short_side or seg.backbone.short_side
    limits = (seg.max_tokens, Segmenter.max_tokens)
    page, usual = (images.target_size(size, short, patch, limit) for limit in limits)
    return page == usual


def bundle(
    image: Image.Image,
    picture: tuple[str, bytes],
    labels: ArrayLike,
    names: Sequence[str],
    settings: Settings,
    again: str,
    facts: dict[str, Any] | None = None,
) -> bytes:
    """A zip of the picture, the mask in several forms, its settings and the Python of it.

    ``picture`` is a file's name and content; ``labels`` (H, W) at the image's own size, -1 for no
    class; ``facts`` are added to settings.json under "result".
    """
    array = np.asarray(labels)
    files: dict[str, bytes | str] = {
        picture[0]: picture[1],
        "mask.png": mask_png(array, names),
        "overlay.png": render.saved(render.overlay(image, array, names, settings.opacity)),
        "settings.json": _json(settings_json(array, names, settings, facts)),
        "again.py": again,
        "README.txt": README.format(picture=picture[0]) + (SIMULATION if settings.plant else ""),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for name, content in files.items():
            packed = zipfile.ZIP_STORED if name == picture[0] else None
            archive.writestr(name, content, packed)
    return buffer.getvalue()


def _picture(look: Look) -> tuple[str, bytes]:
    """The picture's file: the visitor's own where it opens to the same pixels, else a PNG."""
    image, path = look.picture.image, look.request.upload
    # The field may still hold the picture from before: it counts only where it was chosen.
    if look.settings.source == "upload":
        with Image.open(path) as file:
            kind = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}.get(file.format or "")
            turned = file.getexif().get(ExifTags.Base.Orientation, 1) != 1
            if kind and file.mode == "RGB" and file.size == image.size and not turned:
                return f"picture.{kind}", Path(path).read_bytes()
    return "picture.png", render.saved(image, compress_level=1)


def mask_png(labels: NDArray[np.integer], names: Sequence[str]) -> bytes:
    """An indexed PNG of labels (H, W); it names its classes itself."""
    return render.saved(palette.indexed(labels, names), pnginfo=_class_names(names))


def _class_names(names: Sequence[str]) -> PngInfo:
    """What the mask says of its values, so that whoever reads it needs not ask."""
    info = PngInfo()
    info.add_itxt(CLASSES, json.dumps(list(names), ensure_ascii=False))
    return info


def settings_json(
    labels: NDArray[np.integer],
    names: Sequence[str],
    settings: Settings,
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Every setting by group (blocks and heads from 1), the classes, the versions, the link."""
    *found, rest = class_shares(torch.from_numpy(labels), len(names))
    return {
        "settings": settings.to_json(),
        "words": settings.words,
        "classes": [
            {"number": number, "name": name, "colour": colour, "share": share}
            for number, (name, colour, share) in enumerate(
                zip(names, palette.of_names(names), found, strict=True)
            )
        ],
        "no_class": {
            "number": 255 if len(names) <= 255 else 65535,
            "colour": palette.NO_CLASS,
            "share": rest,
        },
        "result": facts or {},
        "link": "?" + settings.to_query(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of this project, Python and the packages that decide the numbers."""
    found = {"gclip": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def python_text(
    settings: Settings,
    n_blocks: int,
    dtype: Dtype = "float32",
    picture: str = "",
) -> str:
    """Python that makes exactly the page's labels, with gclip_core's public names.

    ``settings`` name a backbone, not "default"; ``n_blocks`` and ``dtype`` the
    backbone's, ``picture`` a file beside the text.
    Blocks count from 0, as in every Python argument.
    """
    s = settings
    weighted = _unusual(Segmenter.segment, rest=s.rest, rest_weight=s.rest_weight)
    more = "".join(f", {one}" for one in weighted)
    helper, image = "", f"{OWN_IMAGE!r}  # the image you uploaded"
    if s.source == "example":
        photo = star_photos().get(s.example) or next(iter(star_photos().values()))
        helper = "from gclip_core import assets"
        image = f"assets.path('photos', {photo.path.name!r})"
    lines = ["import gclip_core as gclip", *([helper] if helper else [])]
    if picture:
        lines = ["from pathlib import Path", "", "import gclip_core as gclip"]
        image = f"Path(__file__).with_name({picture!r})"
    lines += ["", f"image = {image}"]
    chosen = "" if dtype == "float32" else f", dtype={dtype!r}"
    lines.append(f"backbone = gclip.load_backbone({settings.backbone!r}{chosen})")
    if settings.plant:
        blocks = list(settings.planted_blocks(n_blocks))
        arguments = f"{settings.plant_channel}, gain={settings.plant_gain!r}, blocks={blocks}"
        lines.append(f"backbone = gclip.plant_channel(backbone, {arguments})  # a simulation")
    lines += [
        f"segmenter = gclip.Segmenter(backbone{_segmenter(settings)})",
        f"method = {_method(settings)}",
        f"words = {settings.words!r}",
        f"result = segmenter.segment(image, words, method, threshold={s.threshold!r}{more})",
        "",
        "labels = result.labels  # (H, W), -1 for no class",
        "for name, share in zip(result.vocabulary.names, result.areas()):",
        '    print(f"{name}: {share:.1%}")',
        "",
    ]
    return "\n".join(lines)


def command_line(settings: Settings, picture: str) -> str:
    """The same on the command line, beside a picture of that name.

    Empty where the command line has no option for a setting.
    """
    usual = Settings(method=settings.method, amf=settings.amf, cs=settings.cs)
    unknown = ("plant", "logit_scale", "rest_weight")
    if _method(settings) != _method(usual) or any(
        getattr(settings, name) != getattr(usual, name) for name in unknown
    ):
        return ""
    options = {
        "--words": settings.words,
        "--rest": settings.rest,
        "--backbone": settings.backbone,
        "--method": settings.method,
        **{f"--{name}": getattr(settings, name.replace("-", "_")) for name in COMMAND_OPTIONS
           if getattr(settings, name.replace("-", "_")) != getattr(usual, name.replace("-", "_"))},
    }  # fmt: skip
    words = ["python", "-m", "gclip_core.segment", picture]
    words += [part for name, value in options.items() for part in (name, str(value))]
    for switch in ("amf", "cs"):
        words += [f"--no-{switch}"] * (not getattr(settings, switch))
    return shlex.join(words)


def _segmenter(settings: Settings) -> str:
    s = settings
    given = _unusual(
        Segmenter, short_side=s.short_side or None, window=s.window or None, stride=s.stride,
        templates=s.templates, logit_scale=s.logit_scale, max_tokens=s.max_tokens,
    )  # fmt: skip
    return "".join(f", {one}" for one in given)


def _method(settings: Settings) -> str:
    if settings.method != "gclip":
        return f"gclip.METHODS[{settings.method!r}]"
    options = {name: getattr(settings, name) for name in variants.OF_METHOD}
    channels = options.pop("channels") or None
    given = _unusual(gclip, **options, cs_channels=channels)
    return f"gclip.gclip({', '.join([f'amf={settings.amf}', f'cs={settings.cs}', *given])})"


def _unusual(function: Callable[..., Any], **options: Any) -> list[str]:
    """Those arguments of a call that are not its defaults, as Python."""
    usual = signature(function).parameters
    return [f"{k}={v!r}" for k, v in options.items() if v != usual[k].default]


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
