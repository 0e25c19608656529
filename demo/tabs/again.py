"""Python and a command that make the labels of an answer again."""

import shlex
from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from typing import Any

import torch

from demo import variants
from demo.request import Question
from demo.settings import Settings
from evaluation.photos import shipped_photos
from gclip_core import images
from gclip_core.backbone import Backbone
from gclip_core.methods import find_method, gclip
from gclip_core.segmenter import Segmenter

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


def named_settings(question: Question) -> Settings:
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
    settings, segmenter = named_settings(question), question.scene.segmenter
    imports, image = _image(settings, picture)
    segmenter_options = {
        field.name: getattr(segmenter, field.name)
        for field in fields(segmenter)
        if field.name != "backbone"
    }
    options = _unusual(Segmenter.segment, rest=question.rest, rest_weight=settings.rest_weight)
    if settings.refine != "none":
        options.append(f"refine={settings.refine!r}")
    arguments = ["image", "words", "method", f"threshold={settings.threshold!r}", *options]
    return PYTHON.format(
        imports=imports,
        image=image,
        backbone=_backbone(settings, segmenter.backbone),
        segmenter=", ".join(["backbone", *_unusual(Segmenter, **segmenter_options)]),
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
    photo = shipped_photos().get(settings.example) or next(iter(shipped_photos().values()))
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
    settings, segmenter = named_settings(question), question.scene.segmenter
    usual = Settings(method=settings.method, amf=settings.amf, cs=settings.cs)
    without = ("plant", "logit_scale", "rest_weight")
    same = all(getattr(settings, name) == getattr(usual, name) for name in without)
    short, patch = segmenter.short_side or segmenter.backbone.short_side, segmenter.backbone.patch
    limits, size = (segmenter.max_tokens, Segmenter.max_tokens), question.scene.picture.size
    page, alone = (images.target_size(size, short, patch, limit) for limit in limits)
    if not same or _method(settings) != _method(usual) or page != alone:
        return ""
    words = ["python", "-m", "gclip_core.segment", picture, "--words", question.text]
    words += ["--rest", question.rest, "--refine", settings.refine, "--backbone", settings.backbone]
    words += ["--method", settings.method]
    for name in COMMAND_OPTIONS:
        if getattr(settings, name) != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(settings, name))]
    words += [f"--no-{switch}" for switch in ("amf", "cs") if not getattr(settings, switch)]
    return shlex.join(words)


def _method(settings: Settings) -> str:
    if not find_method(settings.method).switchable:
        return f"gclip.METHODS[{settings.method!r}]"
    options = _unusual(gclip, **variants.arguments(settings))
    return f"gclip.gclip({', '.join([f'amf={settings.amf}', f'cs={settings.cs}', *options])})"


def _unusual(function: Callable[..., Any], **options: Any) -> list[str]:
    """Those arguments of a call that are not its defaults, as Python."""
    usual = signature(function).parameters
    return [f"{name}={value!r}" for name, value in options.items() if value != usual[name].default]
