"""A visitor's settings: one frozen value, checked in one place, which can become a link."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from demo import limits
from gclip_core import BACKBONES, GclipError, Mark, Method, Shown, gclip
from gclip_core.amf import N_FUSED
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.cs import CHANNEL_THRESHOLD
from gclip_core.global_tokens import GLOBAL_THRESHOLD
from gclip_core.methods import ABLATION
from gclip_core.numbering import block_choice
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.relatives import METHODS
from gclip_core.words.background import BACKGROUND_WEIGHT
from gclip_core.words.text import TEMPLATES
from gclip_core.words.vocabulary import parse


def _text(read: Callable[[str], Any], max_length: int) -> Any:
    """A text that ``read`` can read."""

    def check(text: str) -> str:
        read(text)
        return text

    return Annotated[str, Field(max_length=max_length), AfterValidator(check)]


def _field(
    default: Any, title: str, group: str = "", *, ge: Any = None, le: Any = None, **shown: Any
) -> Any:
    """A setting with a control in the form: its label, its group, and what its choices say."""
    return Field(default, title=title, ge=ge, le=le, json_schema_extra={"group": group} | shown)


def marks_of(text: str, width: int = 1, height: int = 1) -> tuple[Mark, ...]:
    """Marks as links have them, "x,y,word" or "left,top,right,bottom,word", to a tenth of a pixel,
    separated by semicolons.

    Numbers are shares of the photo's sides; no word means none of the words.
    """
    marks = []
    for item in filter(None, text.split(";")):
        *numbers, word = item.split(",")
        try:
            shares = [float(number) for number in numbers]
        except ValueError:
            shares = []
        if len(shares) not in (2, 4) or not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"a mark is “x,y,word” with shares from 0 to 1, not “{item[:40]}”")
        x, y, *box = (
            round(share * side, 1) for share, side in zip(shares, (width, height) * 2, strict=False)
        )
        marks.append(Mark(x, y, word.strip() or None, *box))
    if len(marks) > limits.MAX_MARKS:
        raise ValueError(f"at most {limits.MAX_MARKS} marks; remove some")
    return tuple(marks)


def shown_of(text: str) -> tuple[Shown, ...]:
    """Words that were shown, "name,embedding;…", with base64 of float16 numbers."""
    words = []
    for item in filter(None, text.split(";")):
        name, _, code = item.partition(",")
        numbers = np.empty(0, np.float32)
        with suppress(ValueError):  # no base64, or half a number
            numbers = np.frombuffer(b64decode(code, validate=True), np.float16).astype(np.float32)
        if not (name and numbers.size and np.isfinite(numbers).all()):
            raise ValueError("the numbers of a word that was shown are damaged; show it again")
        words.append(Shown(name, torch.from_numpy(numbers)))
    return tuple(words)


def _check_words(text: str) -> None:
    if text.strip() and len(parse(text).phrases) > limits.MAX_PHRASES:
        raise ValueError(f"at most {limits.MAX_PHRASES} classes and synonyms; remove some")


_Blocks = _text(block_choice, 200)
WORDS_GROUP, IDEAS_GROUP = "Photo and words", "AMF and CS"
DEFAULT_BLOCKS = ("Default", "backbone"), ("Measured", "auto")


class Settings(BaseModel):
    """Every setting with its range and default, from which the form, links and the API follow.

    A setting that is an argument of the library has the same name. The text under a setting is its
    hint in the form. Blocks and heads are numbered from 1; head 0 is the mean of all.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    words: _text(_check_words, limits.MAX_CHARACTERS) = ""
    marks: _text(marks_of, limits.MAX_CHARACTERS) = ""
    """Places on the photo and what is there: ``marks_of``."""
    shown: _text(shown_of, limits.MAX_SHOWN) = ""
    """Words that were shown on other photos: ``shown_of``. They stay out of links."""
    nearest: bool = True
    """Whether the nearest known word replaces an unknown one."""
    background: bool = True
    amf: bool = True
    cs: bool = True
    backbone: Literal[*BACKBONES] = _field(
        BUILT_IN,
        "Backbone",
        labels={
            name: f"{entry.title} · {entry.download} MB" if entry.download else entry.title
            for name, entry in BACKBONES.items()
        },
    )
    method: Literal[*METHODS] = _field(
        "gclip",
        "Method",
        labels={name: method.title for name, method in METHODS.items()} | {"gclip": "GCLIP"},
    )
    """How the last block is computed; Compare shows all of them on this photo."""
    refine: Literal["none", *REFINEMENTS] = _field(
        "guided", "Mask edges", labels={name: entry.title for name, entry in REFINEMENTS.items()}
    )
    background_weight: float = _field(BACKGROUND_WEIGHT, "Background weight", ge=0, le=1)
    """With a lower weight, the typed words get more pixels."""
    threshold: float = _field(0.0, "Threshold", ge=0, le=1)
    """Pixels whose best score is lower get no class."""
    short_side: int = _field(0, "Size", WORDS_GROUP, ge=0, le=1344)
    """Shorter side in pixels; 0 uses the backbone’s default."""
    templates: Literal[*TEMPLATES] = _field("imagenet80", "Templates", WORDS_GROUP)
    """Sentences into which each word is inserted."""
    logit_scale: float = _field(40.0, "Logit scale", WORDS_GROUP, ge=1, le=200)
    """Factor of the cosines before the softmax."""
    amf_blocks: _Blocks = _field(
        "backbone",
        "Blocks that AMF fuses",
        IDEAS_GROUP,
        suggestions=[*DEFAULT_BLOCKS, *((text, text) for text in ("5 6", "6 7", "7 8", "6-9"))],
    )
    """Or block numbers, such as 6 7."""
    n_fused: int = _field(N_FUSED, "Number of fused blocks", IDEAS_GROUP, ge=1, le=64)
    """Not used if the blocks are given by number, as OpenAI ViT-B/16’s default is."""
    global_threshold: float = _field(
        GLOBAL_THRESHOLD, "Global token threshold", IDEAS_GROUP, ge=1, le=10_000
    )
    """A global token receives at least this multiple of an equal share of the attention."""
    cs_blocks: _Blocks = _field(
        "backbone",
        "Blocks that CS changes",
        IDEAS_GROUP,
        suggestions=[*DEFAULT_BLOCKS, ("7-11", "7-11")],
    )
    channel_threshold: float = _field(
        CHANNEL_THRESHOLD, "Outlier threshold", IDEAS_GROUP, ge=1, le=10_000
    )
    """A channel is an outlier above this multiple of the median norm."""
    block: int = Field(7, ge=1, le=64)
    head: int = Field(0, ge=0, le=64)
    enlarged: Literal["", *METHODS, *ABLATION] = ""
    """The method whose mask Compare shows large."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Settings by name; those that are not given have their defaults.

        Raises GclipError for an unknown name or a value out of range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise GclipError(explain(error, LABELS)) from error

    def segmenter_options(self) -> dict[str, Any]:
        """Arguments of ``gclip_core.Segmenter``."""
        same = self.model_dump(include={"templates", "logit_scale"})
        return same | {"short_side": self.short_side or None}

    def mask_options(self) -> dict[str, Any]:
        """Arguments of ``gclip_core.Segmenter.segment``."""
        return self.model_dump(include={"threshold", "background", "background_weight", "refine"})

    def gclip_options(self) -> dict[str, Any]:
        """Arguments of ``gclip_core.gclip``."""
        same = {"amf", "cs", "n_fused", "global_threshold", "channel_threshold"}
        return self.model_dump(include=same) | {
            "amf_blocks": block_choice(self.amf_blocks),
            "cs_blocks": block_choice(self.cs_blocks),
        }

    def gclip(self, **switches: bool) -> Method:
        """GCLIP with these settings, or with another ``amf`` or ``cs``."""
        return gclip(**self.gclip_options() | switches)


LABELS = {name: field.title or name.capitalize() for name, field in Settings.model_fields.items()}
"""The names of the settings on the page."""


def explain(error: ValidationError, names: Mapping[str | int, str]) -> str:
    """A message about the first invalid value; ``names`` are those that people see."""
    first = error.errors()[0]
    name = ".".join(names.get(part, str(part)) for part in first["loc"])[:40] or "Settings"
    if first["type"] == "value_error":
        return f"“{name}” cannot be used: {first.get('ctx', {}).get('error')}"
    if first["type"] == "extra_forbidden":
        return f"There is no setting “{name}”."
    return f"“{name}” cannot be used: {first['msg'].lower()}, not {first['input']!r:.60}."
