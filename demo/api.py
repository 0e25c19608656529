"""The public endpoints ``segment``, ``suggest`` and ``about``: plain data in and out."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import gradio as gr
from gradio.data_classes import FileData
from pydantic import ConfigDict, Field, ValidationError, validate_call

from demo import backbones
from demo.answer import REFUSALS, sentence
from demo.files import saved
from demo.gate.sessions import HEAVY
from demo.scene import LOCK, Photo, Scene
from demo.settings import Settings, explain
from demo.share import mask_png
from gclip_core import BACKBONES, METHODS, GclipError, __version__
from gclip_core.methods import ABLATION
from gclip_core.pixels import palette
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.result import Segmentation

logger = logging.getLogger(__name__)


def add() -> None:
    """Registers the endpoints in the page that is being built."""
    for function in (segment, suggest, about):
        gr.api(
            _with_messages(function),
            api_name=function.__name__,
            concurrency_id=HEAVY,
            concurrency_limit=1,
        )


def segment(
    image: FileData,
    words: str,
    method: Literal[*METHODS, *ABLATION] = "gclip",
    backbone: Literal["default", *BACKBONES] = "default",
    amf_blocks: str = "backbone",
    cs_blocks: str = "backbone",
    threshold: float = 0.0,
    background: Literal["on", "off"] = "on",
    refine: Literal["none", *REFINEMENTS] = "none",
) -> tuple[FileData, dict[str, Any]]:
    """Segment an image: an indexed PNG, the share of each class, and what the method used.

    words: classes separated by commas, synonyms by semicolons. method: one that /about
    lists. amf_blocks, cs_blocks: "auto", "backbone", or numbers from 1 such as "6 7".
    background: "on" leaves pixels that fit none of the words without a class.
    refine: "guided" or "pamr" align the edges of the mask with the image.
    Returns the PNG (pixel values are class numbers, 255 is no class) and the JSON that the command
    line writes, with backbone, weights and miou. ``areas`` and ``no_class`` are shares of the
    image. An unknown word is used as it is: ``nearest`` is the nearest known one.
    """
    if not words.strip(" ,;\n\t"):
        raise GclipError("“words” is empty. Send at least one word.")
    amf, cs = ABLATION.get(method, (True, True))
    scene = scene_of(
        image,
        backbone,
        words=words,
        nearest=False,
        method="gclip" if method in ABLATION else method,
        amf=amf,
        cs=cs,
        amf_blocks=amf_blocks,
        cs_blocks=cs_blocks,
        threshold=threshold,
        background=background == "on",
        refine=refine,
    )
    mask = scene.mask()
    colours = palette.choose(len(mask.vocabulary), mask.labels.numpy(), scene.photo.picture)
    file = saved(mask_png(mask, colours), "mask.png")
    return FileData(path=file), mask.to_dict() | facts(scene, mask)


def facts(scene: Scene, mask: Segmentation) -> dict[str, Any]:
    """The model, the score of an example, and why CS is off where it is off in GCLIP."""
    of_cs = scene.report if scene.settings.method == "gclip" and scene.settings.cs else mask.report
    backbone = scene.segmenter.backbone
    return {
        "backbone": backbone.title,
        "weights": backbone.digest,
        "cs_reason": of_cs.suppression.reason,
        "miou": scene.miou(mask),
    }


def suggest(
    image: FileData,
    most: Annotated[int, Field(ge=1, le=20)] = 5,
    backbone: Literal["default", *BACKBONES] = "default",
) -> list[str]:
    """Suggest words for what an image shows, best first."""
    return list(scene_of(image, backbone).suggested(most))


def about() -> dict[str, Any]:
    """Describe this server: version, methods, backbones, and which of them need a download."""
    described = ("name", "title", "patch", "licence")
    return {
        "version": __version__,
        "backbone": backbones.HOST.backbone,
        "methods": list({**METHODS, **ABLATION}),
        "backbones": [
            {name: getattr(entry, name) for name in described}
            | {
                "blocks": entry.n_blocks,
                "download_mb": entry.download,
                "here": backbones.is_here(entry.name),
            }
            for entry in BACKBONES.values()
        ],
    }


def scene_of(image: FileData, backbone: str, **settings: Any) -> Scene:
    """The image with these settings."""
    chosen = backbones.HOST.backbone if backbone == "default" else backbone
    return Scene(Photo.of(image.path), Settings.read({"backbone": chosen} | settings))


def _with_messages(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with checked arguments, one line in the log, and errors as messages."""
    checked = validate_call(config=ConfigDict(strict=True, arbitrary_types_allowed=True))(function)

    @functools.wraps(function)
    def answer(*values: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            with LOCK:
                return checked(*values, **named)
        except ValidationError as error:
            wrong = explain(error, dict(enumerate(function.__annotations__)))
            raise gr.Error(wrong, print_exception=False) from error
        except REFUSALS as error:
            raise gr.Error(sentence(error), print_exception=False) from error
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            logger.info("answered api=%s ms=%.0f", function.__name__, milliseconds)

    return answer
