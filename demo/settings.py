"""A visitor's settings: one frozen value, checked in one place, which can become a link."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from demo.gate import numbers
from gclip_core import BACKBONES, METHODS, GclipError, Method, gclip
from gclip_core.amf import GLOBAL_THRESHOLD, N_FUSED
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.cs import CHANNEL_THRESHOLD
from gclip_core.methods import ABLATION
from gclip_core.numbering import block_choice
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.words.background import BACKGROUND_WEIGHT
from gclip_core.words.text import TEMPLATES
from gclip_core.words.vocabulary import parse


def _words(text: str) -> str:
    if text.strip() and len(parse(text).phrases) > numbers.MAX_PHRASES:
        raise ValueError(f"at most {numbers.MAX_PHRASES} classes and synonyms; remove some")
    return text


def _blocks(text: str) -> str:
    block_choice(text)
    return text


_Blocks = Annotated[str, Field(max_length=200), AfterValidator(_blocks)]

GCLIP_OPTIONS = {*inspect.signature(gclip).parameters}
"""Settings that are arguments of ``gclip_core.gclip``."""


class Settings(BaseModel):
    """Every setting with its range and default. The fields are the page's controls, in order.

    A setting that is an argument of the library has the same name.

    Blocks and heads are numbered from 1; head 0 is the mean of all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    words: Annotated[str, Field(max_length=numbers.MAX_CHARACTERS), AfterValidator(_words)] = ""
    nearest: bool = True
    """Whether the nearest known word replaces an unknown one."""
    background: bool = True
    background_weight: float = Field(BACKGROUND_WEIGHT, ge=0, le=1)
    amf: bool = True
    cs: bool = True
    backbone: Literal[*BACKBONES] = BUILT_IN
    method: Literal[*METHODS] = "gclip"
    refine: Literal["none", *REFINEMENTS] = "guided"
    threshold: float = Field(0.0, ge=0, le=1)
    short_side: int = Field(0, ge=0, le=1344, title="Size")
    """Of the photo, in pixels; 0 is the backbone's default."""
    templates: Literal[*TEMPLATES] = "imagenet80"
    logit_scale: float = Field(40.0, ge=1, le=200, title="Logit scale")
    amf_blocks: _Blocks = Field("backbone", title="Blocks that AMF fuses")
    n_fused: int = Field(N_FUSED, ge=1, le=64, title="Number of fused blocks")
    global_threshold: float = Field(
        GLOBAL_THRESHOLD, ge=1, le=10_000, title="Global token threshold"
    )
    """A global token receives at least this multiple of an equal share of the attention."""
    cs_blocks: _Blocks = Field("backbone", title="Blocks that CS changes")
    channel_threshold: float = Field(CHANNEL_THRESHOLD, ge=1, le=10_000, title="Outlier threshold")
    """A channel is an outlier from this multiple of the median norm upwards."""
    block: int = Field(7, ge=1, le=64)
    head: int = Field(0, ge=0, le=64)
    enlarged: Literal["", *METHODS, *ABLATION] = ""
    """The method whose mask Compare shows large."""

    @classmethod
    def read(cls, values: Mapping[str, Any] | Iterable[Any]) -> Self:
        """Settings by name, or all of them in the order of the fields, as the page sends them."""
        labels = {}
        if not isinstance(values, Mapping):
            labels = LABELS
            values = dict(zip(cls.model_fields, values, strict=True))  # the gate counts them
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise GclipError(explain(error, labels)) from error

    @classmethod
    def from_query(cls, query: Mapping[str, str], backbone: str = BUILT_IN) -> tuple[Self, str]:
        """The settings of a link, and a note on those that cannot be used.

        ``backbone`` is the host's default, for a link without a known backbone.
        """
        values, unused = {"backbone": backbone}, []
        for name, text in query.items():
            try:
                values |= cls.read({name: text}).model_dump(include={name})
            except GclipError:
                unused.append(name[:20])
        rest = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
        note = f"Ignored in this link: {', '.join(unused[:5])}{rest}." if unused else ""
        return cls(**values), note

    def to_query(self, **more: str) -> str:
        """The settings that differ from the defaults, as a query string; switches are 0 and 1."""
        changed = {k: v for k, v in self if v != type(self).model_fields[k].default}
        switches = {k: int(v) for k, v in changed.items() if isinstance(v, bool)}
        return urlencode(more | changed | switches)

    def with_values(self, **values: Any) -> Self:
        """These settings with other values; see ``read``."""
        return self.read(self.model_dump() | values)

    def segmenter_options(self) -> dict[str, Any]:
        """Arguments of ``gclip_core.Segmenter``."""
        same = self.model_dump(include={"templates", "logit_scale"})
        return same | {"short_side": self.short_side or None}

    def mask_options(self) -> dict[str, Any]:
        """Arguments of ``gclip_core.Segmenter.segment``."""
        return self.model_dump(include={"threshold", "background", "background_weight", "refine"})

    def gclip_options(self) -> dict[str, Any]:
        """Arguments of ``gclip_core.gclip``."""
        return self.model_dump(include=GCLIP_OPTIONS) | {
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
    name = ".".join(names.get(part, str(part)) for part in first["loc"])[:40]
    if first["type"] == "value_error":
        return f"“{name}” cannot be used: {first.get('ctx', {}).get('error')}"
    if first["type"] == "extra_forbidden":
        return f"There is no setting “{name}”."
    return f"“{name}” cannot be used: {first['msg'].lower()}, not {first['input']!r:.60}."
