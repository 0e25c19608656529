"""Every setting of the page, each declared once: type, range, default and link key.

Usage::

    settings = Settings(example="dog", words="dog, grass", cs=False)
    settings = settings.changed(view_block=5)              # 0-based in Python
    link = "?" + settings.to_query()                       # "?example=dog&words=dog%2C+grass&…"
    settings, notes = from_query(request.query_params)     # bad values dropped, each with a note
    settings.to_json()                                     # for settings.json; blocks from 1

Only what differs from the defaults travels. A link is untrusted text, and so is what a browser
sends of a control: pydantic reads both, a value outside its range or list is refused in words.
A setting is declared here as a field of :class:`Settings`; what else a new one needs is listed in
CONTRIBUTING.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from gclip_core.errors import GclipError
from gclip_core.masks import REST_WEIGHT
from gclip_core.methods import METHODS
from gclip_core.numbering import block_indices, block_numbers
from gclip_core.refine import REFINEMENTS
from gclip_core.registry import BACKBONES
from gclip_core.vocabulary import TEMPLATES

MAX_WORDS = 4000
MAX_CLASSES = 200
MAX_BLOCKS = 64
MAX_CHANNEL = 8191
MAX_CHANNELS = 512


@dataclass(frozen=True)
class TextForm:
    """How a setting that is no plain number, switch or word is written in links and fields."""

    as_text: Callable[[Any], str]


def write_ranges(numbers: Collection[int]) -> str:
    """Write whole numbers shortly: ``(3, 4, 5, 9)`` becomes ``"3-5,9"``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def read_ranges(text: str) -> tuple[int, ...]:
    """Read ``"3-5,9"`` or ``"3-5 9"`` into ``(3, 4, 5, 9)``.

    Raises:
        ValueError: not such a list, a number over MAX_CHANNEL, or more than MAX_CHANNELS numbers.
    """
    expected = f"up to {MAX_CHANNELS} numbers from 0 to {MAX_CHANNEL}, such as 3-5,9"
    numbers: set[int] = set()
    for part in text[:4000].replace(",", " ").split():
        written = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        low, high = (int(written[1]), int(written[2] or written[1])) if written else (1, 0)
        if not low <= high <= MAX_CHANNEL or high - low >= MAX_CHANNELS:
            raise ValueError(expected)
        numbers.update(range(low, high + 1))
    if len(numbers) > MAX_CHANNELS:
        raise ValueError(expected)
    return tuple(sorted(numbers))


# --- readers of texts; other values are validated by pydantic ----------------------------------


def _switch(value: Any) -> Any:
    if isinstance(value, str) and value not in ("0", "1"):
        raise ValueError("0 or 1")
    return value


def _channels(value: Any) -> Any:
    return read_ranges(value) if isinstance(value, str) else value


def _blocks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    expected = f"block numbers such as 6,7 from 1 to {MAX_BLOCKS}"
    try:
        blocks = block_indices(value.strip()[:400], MAX_BLOCKS)
    except GclipError as error:
        raise ValueError(expected) from error
    if not blocks:
        raise ValueError(expected)
    return blocks


def _auto_blocks(value: Any) -> Any:
    text = value.strip() if isinstance(value, str) else ""
    return text if text in ("auto", "backbone") else _blocks(value)


def _from_one(value: Any) -> Any:
    if value in ("", "mean"):
        return None
    if not isinstance(value, str):
        return value
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_BLOCKS):
        raise ValueError(f"a whole number from 1 to {MAX_BLOCKS}")
    return int(value) - 1


def _pair(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = value.split(",")
    if value and not (len(parts) == 2 and all(p.isascii() and p.isdigit() for p in parts)):
        raise ValueError("row,column")
    return parts if value else None


def _counted_blocks(blocks: Any) -> Any:
    return blocks if isinstance(blocks, str) else list(block_numbers(blocks))


def _written_blocks(blocks: Any) -> str:
    return blocks if isinstance(blocks, str) else write_ranges(block_numbers(blocks))


def _counted(absent: str | None) -> tuple[BeforeValidator, PlainSerializer, TextForm]:
    """How an index that may be None is read and written: from 1, None as ``absent``."""

    def written(index: int | None) -> int | str | None:
        return absent if index is None else index + 1

    return (
        BeforeValidator(_from_one),
        PlainSerializer(written),
        TextForm(lambda index: str(written(index) or "")),
    )


LISTED = (PlainSerializer(_counted_blocks), TextForm(_written_blocks))
"""How blocks are written, in JSON and in links."""
Switch = Annotated[bool, BeforeValidator(_switch)]
Background = Literal["automatic", "on", "off"]
Refine = Literal[tuple(REFINEMENTS)]
Share = Annotated[float, Field(ge=0, le=1)]
Times = Annotated[float, Field(ge=1, le=10_000)]
Index = Annotated[int, Field(ge=0, lt=MAX_BLOCKS)]
Indices = Annotated[tuple[Index, ...], Field(min_length=1, max_length=MAX_BLOCKS)]
BlockRule = Literal["auto", "backbone"]
AutoBlocks = Annotated[BlockRule | Indices, BeforeValidator(_auto_blocks), *LISTED]
SomeBlocks = Annotated[Indices, BeforeValidator(_blocks), *LISTED]
Channel = Annotated[int, Field(ge=0, le=MAX_CHANNEL)]
Several = Annotated[tuple[Channel, ...], Field(max_length=MAX_CHANNELS)]
Channels = Annotated[Several, BeforeValidator(_channels), TextForm(write_ranges)]
Block = Annotated[Index | None, *_counted(None)]
Head = Annotated[Index | None, *_counted("mean")]
Coordinate = Annotated[int, Field(ge=0, le=99_999)]
Pair = Annotated[
    tuple[Coordinate, Coordinate] | None,
    BeforeValidator(_pair),
    TextForm(lambda pair: ",".join(map(str, pair or ()))),
]
NO_NULL = r"^[^\x00]*$"
Name = Annotated[str, Field(pattern=r"^[\w .-]{0,60}$")]
Text = Annotated[str, Field(max_length=MAX_WORDS, pattern=NO_NULL)]

ASIDE = ", ".join(method.title for method in METHODS.values() if not method.shown)
"""Methods that Compare shows when asked to."""


def _setting(default: Any, *, group: str, label: str = "", key: str = "", **bounds: Any) -> Any:
    """A setting: its default, its group in settings.json, its label, its link key if another."""
    extra = {"group": group, "label": label, "key": key}
    return Field(default, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Every reproducible setting of the page; frozen, hashable, equal by value.

    Block and head indices are 0-based here and counted from 1 in links and JSON; channel numbers
    are the row numbers of ``W2`` everywhere. ``window`` 0 is off, ``short_side`` 0 the backbone's
    own. ``example`` "" is the first one, ``backbone`` "default" the one this page started with.
    ``nearest``: the nearest known words take the place of unknown ones. ``patch`` and ``pixel`` are
    (row, column). ``channels`` are dragged channels, empty for each block's own abnormal one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: Literal["example", "upload"] = _setting("example", group="input")
    example: Name = _setting("", group="input")
    words: Text = _setting("", group="input", label="Words to look for")
    nearest: Switch = _setting(True, group="input")

    backbone: Literal[("default", *BACKBONES)] = _setting(
        "default", group="model", label="Backbone"
    )
    templates: Literal[tuple(TEMPLATES)] = _setting(
        "imagenet80", group="model", label="Text templates"
    )
    short_side: int = _setting(0, group="model", label="Size", key="short", ge=0, le=2048)
    window: int = _setting(0, group="model", label="Windows", ge=0, le=2048)
    stride: int = _setting(112, group="model", label="Window stride", ge=1, le=2048)
    logit_scale: float = _setting(
        40.0, group="model", label="Logit scale", key="scale", ge=0.01, le=1000
    )
    threshold: Share = _setting(0.0, group="model", label="Least score")

    background: Background = _setting("automatic", group="model", label="Background")
    rest_weight: Share = _setting(
        REST_WEIGHT, group="model", label="Weight of the background", key="weight"
    )

    refine: Refine = _setting("guided", group="model", label="Edges follow the photo", key="edges")

    method: Literal[tuple(METHODS)] = _setting("gclip", group="method", label="Method")
    amf: Switch = _setting(True, group="method", label="AMF")
    cs: Switch = _setting(True, group="method", label="CS")
    amf_blocks: AutoBlocks = _setting("backbone", group="method", label="AMF’s blocks")
    n_fused: int = _setting(
        2, group="method", label="Number of blocks for “auto”", key="amf_n", ge=1, le=12
    )
    heads: Literal["each", "mean"] = _setting("each", group="method", label="Heads of AMF")
    global_threshold: Times = _setting(
        5.0, group="method", label="Threshold of global tokens", key="global"
    )
    cs_blocks: AutoBlocks = _setting("backbone", group="method", label="CS’s blocks")
    cs_target: Literal["mean", "median"] = _setting(
        "mean", group="method", label="Norm that CS scales to", key="target"
    )
    channel_threshold: Times = _setting(
        2.0, group="method", label="Threshold of abnormal channels", key="abnormal"
    )
    channels: Channels = _setting((), group="method", label="CS’s channels")

    plant: Switch = _setting(
        False, group="simulation", label="Plant an abnormal channel (a simulation)"
    )
    plant_channel: Channel = _setting(77, group="simulation", label="Channel (from 0)")
    plant_gain: float = _setting(
        300.0, group="simulation", label="Gain (× weights)", key="gain", ge=0, le=1000
    )
    plant_blocks: SomeBlocks = _setting(
        (6, 7, 8, 9, 10), group="simulation", label="Blocks (from 1)"
    )

    tab: Name = _setting("side", group="view")
    view_block: Block = _setting(None, group="view", key="block")
    view_head: Head = _setting(None, group="view", label="Head", key="head")
    opacity: Share = _setting(0.45, group="view")
    patch: Pair = _setting(None, group="view")
    machine: Switch = _setting(False, group="view")
    pixel: Pair = _setting(None, group="view")
    extras: Switch = _setting(False, group="view", label=f"Also show {ASIDE}")
    left: Name = _setting("clearclip", group="view", label="Compare with")
    right: Name = _setting("gclip", group="view", label="Beside it")

    @property
    def nbytes(self) -> int:
        """Bytes in memory, at the most: 4 a character, 32 a channel."""
        return 2048 + 4 * len(self.words) + 32 * len(self.channels)

    def changed(self, **changes: Any) -> Settings:
        """A copy with some settings changed."""
        return Settings(**{**self.__dict__, **changes})

    @property
    def rest(self) -> str:
        """The argument ``rest`` of :meth:`gclip_core.segmenter.Segmenter.segment`."""
        return {"automatic": "auto", "on": "background", "off": "none"}[self.background]

    def planted_blocks(self, n_blocks: int) -> tuple[int, ...]:
        """The planted blocks a tower of ``n_blocks`` has; if none, that before its last."""
        return tuple(b for b in self.plant_blocks if b < n_blocks) or (max(n_blocks - 2, 0),)

    def block_in_view(self, n_blocks: int, blocks: Collection[int]) -> int:
        """The block (0-based) of ``n_blocks`` that is shown: the chosen one, else the first of
        ``blocks``.

        Of none it is the first of the simulation's, so that the block stays the same when the
        simulation is switched off.
        """
        if self.view_block is not None:
            return min(self.view_block, n_blocks - 1)
        return min(blocks or self.planted_blocks(n_blocks))

    def to_query(self) -> str:
        """The query text of a link, without "?"; whatever equals its default stays out."""
        changed = {
            key_of(name): as_text(name, value)
            for name, value in self.__dict__.items()
            if value != FIELDS[name].default
        }
        return urlencode(changed)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """All settings by group, for settings.json; blocks and heads counted from 1."""
        groups: dict[str, dict[str, Any]] = {}
        for name, value in self.model_dump(mode="json").items():
            groups.setdefault(declaration(name)["group"], {})[name] = value
        return groups


FIELDS = Settings.model_fields
_SCHEMA = Settings.model_json_schema()["properties"]


def declaration(name: str) -> dict[str, Any]:
    """A setting's declaration besides its default and type: group, label, key."""
    return FIELDS[name].json_schema_extra  # type: ignore[return-value]


def key_of(name: str) -> str:
    """A setting's key in links."""
    return declaration(name)["key"] or name


def limits(name: str) -> tuple[float | None, float | None]:
    """Least and greatest value of a number."""
    schema = _SCHEMA[name]
    return schema.get("minimum"), schema.get("maximum", schema.get("exclusiveMaximum"))


def choices(name: str) -> list[str]:
    """The values of a setting that is one of a list."""
    return list(_SCHEMA[name].get("enum", ()))


def as_control(name: str, value: Any) -> Any:
    """A setting as its control's value: text where it is no plain number, switch or word."""
    for item in FIELDS[name].metadata:
        if isinstance(item, TextForm):
            return item.as_text(value)
    return value


def as_text(name: str, value: Any) -> str:
    """A setting as a link writes it."""
    value = as_control(name, value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read(raw: Mapping[str, Any]) -> Settings:
    """Settings of what a browser or program sent, by name; None keeps the default.

    Raises:
        GclipError: the first value that is no such setting, in words.
    """
    values = {name: value for name, value in raw.items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        name, expected = next(iter(_expected(error).items()))
        label = declaration(name)["label"] or key_of(name)
        came = str(values[name])[:40]
        raise GclipError(f"“{label}” takes {expected}, but “{came}” came.") from error


def from_query(
    query: str | Mapping[str, str], **here: Collection[str]
) -> tuple[Settings, tuple[str, ...]]:
    """Read a link's query into settings and notes on what was dropped.

    ``here`` names, by setting, the examples and tabs that exist; without it any short name
    is valid. Keys that are not ours are ignored without a note: hosts add their own.
    """
    if isinstance(query, str):
        query = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))
    texts = {name: str(query[key_of(name)]) for name in FIELDS if key_of(name) in query}
    notes: list[str] = []
    wrong: dict[str, str] = {}
    try:
        Settings(**texts)
    except ValidationError as error:
        wrong = _expected(error)
    for name, valid in here.items():
        if texts.get(name) and texts[name] not in valid:
            wrong.setdefault(name, "the name of one that is here")
    for name, expected in wrong.items():
        notes.append(f"The link’s “{key_of(name)}” was left out: it takes {expected}.")
        del texts[name]
    if texts.get("source") == "upload":
        notes.append("This link’s photo stayed with its owner. Choose that photo, or any other.")
    return Settings(**texts), tuple(notes)


def _expected(error: ValidationError) -> dict[str, str]:
    """What each wrong setting should be, in words."""
    expected: dict[str, str] = {}
    for problem in error.errors():
        name = str(problem["loc"][0])
        if problem["type"] == "value_error":
            expected[name] = str(problem["ctx"]["error"])
        else:
            expected.setdefault(name, describe(_SCHEMA[name]))
    return expected


def describe(schema: Mapping[str, Any]) -> str:
    """What a value of this JSON schema is, in words."""
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    kind, low = schema.get("type", ""), schema.get("minimum")
    if kind in ("integer", "number") and low is not None:
        number = "whole number" if kind == "integer" else "number"
        top = schema.get("maximum")
        if "exclusiveMaximum" in schema:
            top = schema["exclusiveMaximum"] - 1
        if top is None:
            return f"a {number} of at least {low:.10g}"
        return f"a {number} from {low:.10g} to {top:.10g}"
    if kind == "boolean":
        return "0 or 1"
    if kind != "string":
        return "another kind of value"
    text = "a text"
    if "maxLength" in schema:
        text += f" of at most {schema['maxLength']} characters"
    if schema.get("pattern") == NO_NULL:
        text += ", without null characters"
    return text
