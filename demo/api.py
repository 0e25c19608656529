"""The public API: ``segment``, ``suggest`` and ``about``. Plain data in and out, blocks from 1.

The guard judges values by the types of the methods here, before a request waits in the queue.
"""

import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Annotated, Any, Literal

import gradio as gr
from gradio.data_classes import FileData
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from demo.answer import Answer, check_words, compute, log, resolve
from demo.controls import HEAVY, LIGHT, show_errors
from demo.engine import Engine
from demo.host.files import path_of, saved_file
from demo.request import Request
from demo.settings import FIELDS, MAX_WORDS, Background, Refine, Share, describe, read
from demo.tabs import archive
from demo.variants import ABLATIONS
from gclip_core.methods import METHODS
from gclip_core.registry import BACKBONES
from gclip_core.version import __version__


def _checked(words: str) -> str:
    """Words as they came, which are not too many."""
    check_words(words)
    return words


_METHODS = tuple(dict.fromkeys(["gclip", *METHODS, *ABLATIONS]))
_Method = Literal[_METHODS]
_Backbone = Literal[("default", *BACKBONES)]
_Words = Annotated[str, Field(max_length=MAX_WORDS), AfterValidator(_checked)]
_Blocks = Annotated[str, Field(max_length=200)]
_Most = Annotated[int, Field(ge=1, le=20)]


class Endpoints:
    """What a program may call: the methods that ENDPOINTS names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def segment(
        self,
        image: FileData,
        words: _Words,
        method: _Method = "gclip",
        backbone: _Backbone = "default",
        amf_blocks: _Blocks = "backbone",
        cs_blocks: _Blocks = "backbone",
        threshold: Share = 0.0,
        background: Background = FIELDS["background"].default,
        refine: Refine = "none",
    ) -> tuple[FileData, dict[str, Any]]:
        """Segment a picture: an indexed PNG, and the share of every class with the reasons.

        words: classes with commas between them, synonyms with semicolons. method: one that /about
        lists. amf_blocks, cs_blocks: "auto", "backbone", or numbers from 1 such as "6 7".
        background: whether pixels that fit none of the words stay without a class.
        refine: "guided" or "pamr" let the edges of the mask follow the picture.
        Returns the PNG (a pixel is the number of its class, 255 is none) and {height, width,
        classes: [{number, name, share}], none: share, facts, unknown: [{word, reason, nearest}],
        notes: [sentence]}. An unknown word is used as it is: ``nearest`` is the nearest known one.
        """
        amf, cs = ABLATIONS.get(method, (True, True))
        settings = {
            "method": "gclip" if method in ABLATIONS else method,
            "amf": amf,
            "cs": cs,
            "words": words,
            "nearest": False,
            "backbone": backbone,
            "amf_blocks": amf_blocks,
            "cs_blocks": cs_blocks,
            "threshold": threshold,
            "background": background,
            "refine": refine,
        }
        question = resolve(self._engine, self._request(image, settings))
        answer = compute(self._engine, question)
        milliseconds = (time.perf_counter() - question.started) * 1000
        log("segment", answer.status, question.scene.was_encoded, milliseconds)
        mask = archive.mask_png(answer.mask.labels, answer.mask.names)
        return FileData(path=saved_file(mask, "mask.png")), _described(answer)

    def suggest(
        self, image: FileData, most: _Most = 5, backbone: _Backbone = "default"
    ) -> list[str]:
        """Words for what a picture shows, best first."""
        engine = self._engine
        scene = engine.scene(self._request(image, {"backbone": backbone}))
        with engine.turn(scene):
            return list(scene.clean.suggest(engine.encoded(scene), most))

    def about(self) -> dict[str, Any]:
        """What runs here: version, methods, backbones, and which of them need a download."""
        described = ("name", "title", "blocks", "patch", "licence")
        return {
            "version": __version__,
            "backbone": self._engine.default.name,
            "methods": list(_METHODS),
            "backbones": [
                {name: getattr(entry, name) for name in described}
                | {"download_mb": entry.download, "here": self._engine.has(entry)}
                for entry in BACKBONES.values()
            ],
        }

    def _request(self, image: Any, settings: dict[str, Any]) -> Request:
        """A request for an uploaded picture; what ``settings`` do not name is as on the page."""
        return Request(read({"source": "upload", **settings}), path_of(image))


def _described(answer: Answer) -> dict[str, Any]:
    """An answer as plain data."""
    mask, (height, width) = answer.mask, answer.question.scene.picture.size
    classes = enumerate(zip(mask.names, mask.class_shares, strict=True))
    return {
        "height": height,
        "width": width,
        "classes": [
            {"number": number, "name": name, "share": share} for number, (name, share) in classes
        ],
        "none": mask.rest_share,
        "facts": archive.facts(answer),
        "unknown": [
            {"word": phrase.phrase, "reason": phrase.reason, "nearest": phrase.nearest}
            for phrase in answer.status.unknown
        ],
        "notes": list(answer.status.notes),
    }


ENDPOINTS = ("segment", "suggest", "about")


def add(engine: Engine) -> None:
    """Register the public endpoints in the page that is being built."""
    endpoints = Endpoints(engine)
    for name in ENDPOINTS:
        options = LIGHT if name == "about" else HEAVY
        gr.api(show_errors(getattr(endpoints, name)), api_name=name, **options)


def checks() -> dict[str, Callable[[Any], str]]:
    """What judges the values of each endpoint before they wait in the queue."""
    return {name: partial(problem, name) for name in ENDPOINTS}


def problem(name: str, values: list[Any] | Mapping[str, Any]) -> str:
    """What is wrong with values for an endpoint, a list or a mapping by name; empty for nothing."""
    model = _model(name)
    names = list(model.model_fields)
    if isinstance(values, list):
        if len(values) != len(names):
            takes = f"{len(names)} values ({', '.join(names)})" if names else "no values"
            return f"/{name} takes {takes}, but {len(values)} came."
        values = dict(zip(names, values, strict=True))
    try:
        model.model_validate(values)
    except ValidationError as error:
        return _sentence(name, names, error.errors()[0])
    return ""


@cache
def _model(name: str) -> type[BaseModel]:
    """The values of an endpoint, as its signature has them."""
    _, *parameters = inspect.signature(getattr(Endpoints, name)).parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (
            parameter.annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in parameters
    }
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(name, __config__=config, **fields)


def _sentence(name: str, names: Sequence[str], error: Mapping[str, Any]) -> str:
    field = str(error["loc"][0])[:40]
    if error["type"] == "extra_forbidden":
        return f"/{name} takes {', '.join(names) or 'no values'}, but “{field}” came."
    if error["type"] == "missing":
        return f"/{name} needs “{field}”."
    if error["type"] == "value_error":
        return f"“{field}”: {error['ctx']['error']}"
    came = json.dumps(error["input"], default=str)[:60]
    schema = _model(name).model_json_schema()["properties"][field]
    expected = "an uploaded picture" if field == "image" else describe(schema)
    return f"“{field}” takes {expected}, but {came} came."
