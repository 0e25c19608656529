"""The public endpoints ``segment``, ``suggest`` and ``about``: plain data in and out."""

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal

import gradio as gr
from gradio.data_classes import FileData
from pydantic import ConfigDict, Field, ValidationError, validate_call

from demo import backbones
from demo.computing import in_turn
from demo.errors import sentence
from demo.scene import Scene
from demo.settings import explain
from demo.share import mask_png
from demo.store import STORE
from demo.turns import address_of
from gclip_core import BACKBONES, GclipError, __version__
from gclip_core.methods import ABLATION
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.relatives import METHODS

logger = logging.getLogger(__name__)


def endpoint(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """A function as an endpoint: with checked arguments, one line in the log, and errors as
    messages."""
    checked = validate_call(config=ConfigDict(strict=True, arbitrary_types_allowed=True))(function)

    @wraps(function)  # Gradio documents an endpoint by its signature
    async def answer(request: gr.Request, *values: Any) -> Any:
        started = time.perf_counter()
        try:
            named = dict(zip(signature(function).parameters, (request, *values), strict=True))
            return await checked(**named)  # errors name them
        except ValidationError as error:
            raise gr.Error(explain(error, {}), print_exception=False) from error
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            logger.info("answered api=%s ms=%.0f", function.__name__, milliseconds)

    return answer


async def segment(
    request: gr.Request,
    image: FileData,
    words: str,
    method: Literal[*METHODS, *ABLATION] = "gclip",
    backbone: Literal["default", *BACKBONES] = "default",
    amf_blocks: str = "backbone",
    cs_blocks: str = "backbone",
    threshold: float = 0.0,
    background: Literal["on", "off"] = "on",
    refine: Literal["none", *REFINEMENTS] = "none",
    marks: str = "",
) -> tuple[FileData, dict[str, Any]]:
    """Segment an image: an indexed PNG, the share of each class, and what the method used.

    words: classes separated by commas, synonyms by semicolons. method: one that /about
    lists. amf_blocks, cs_blocks: "auto", "backbone", or numbers from 1 such as "6 7".
    background: "on" leaves pixels that fit none of the words without a class.
    refine: "guided" or "pamr" align the edges of the mask with the image.
    marks: places and what is there, such as "0.5,0.4,dog;0.1,0.9," (left, top, word, with shares
    of the image's sides; no word: none of the words).
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
        marks=marks,
    )

    def answer() -> tuple[FileData, dict[str, Any]]:
        mask, address = scene.mask(), address_of(request)
        file = STORE.path(STORE.add(mask_png(mask, scene.colours), address, "mask.png"))
        # Why CS is off where it is off in GCLIP.
        report = scene.report if scene.settings.method == "gclip" and cs else mask.report
        return FileData(path=str(file)), mask.to_dict() | {
            "backbone": scene.segmenter.backbone.title,
            "weights": scene.segmenter.backbone.digest,
            "cs_reason": report.suppressed.reason,
            "miou": scene.miou(mask),
        }

    return await in_turn(request, answer, scene.embedding_steps())


async def suggest(
    request: gr.Request,
    image: FileData,
    most: Annotated[int, Field(ge=1, le=20)] = 5,
    backbone: Literal["default", *BACKBONES] = "default",
) -> list[str]:
    """Suggest words for what an image shows, best first."""
    return [*await in_turn(request, partial(scene_of(image, backbone).suggested, most))]


async def about(_: gr.Request) -> dict[str, Any]:
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
    return Scene.of(Path(image.path).parent.name, {"backbone": chosen} | settings)
