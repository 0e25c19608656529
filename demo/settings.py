"""Every setting of the page, each declared once: default, range, link key, sentence and control.

Usage::

    settings = Settings(example="dog", words="dog, grass", cs=False)
    settings = settings.changed(view_block=5)              # 0-based in Python
    link = "?" + settings.to_query()                       # "?example=dog&words=dog%2C+grass&…"
    settings, notes = from_query(request.query_params)     # bad values dropped, each with a note
    settings.to_json()                                     # for settings.json; blocks from 1

Only what differs from the defaults travels. A link is untrusted text, and so is what a browser
sends of a control: pydantic reads both, a value outside its range or list is refused in words.
A setting is added in one line of :class:`Settings`, its explanation in EXPLAINED; its control is
made by :meth:`demo.controls.Controls.make` where the page wants it, else a hidden one.
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
from gclip_core.registry import BACKBONES
from gclip_core.vocabulary import TEMPLATES

MAX_WORDS = 4000
MAX_CLASSES = 200
MAX_BLOCKS = 64
MAX_CHANNEL = 8191
MAX_CHANNELS = 512


@dataclass(frozen=True)
class Written:
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
    wanted = f"up to {MAX_CHANNELS} numbers from 0 to {MAX_CHANNEL}, such as 3-5,9"
    found: set[int] = set()
    for part in text[:4000].replace(",", " ").split():
        written = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        low, high = (int(written[1]), int(written[2] or written[1])) if written else (1, 0)
        if not low <= high <= MAX_CHANNEL or high - low >= MAX_CHANNELS:
            raise ValueError(wanted)
        found.update(range(low, high + 1))
    if len(found) > MAX_CHANNELS:
        raise ValueError(wanted)
    return tuple(sorted(found))


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
    wanted = f"block numbers such as 6,7 from 1 to {MAX_BLOCKS}"
    try:
        blocks = block_indices(value.strip()[:400], MAX_BLOCKS)
    except GclipError as error:
        raise ValueError(wanted) from error
    if not blocks:
        raise ValueError(wanted)
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


def _shown_blocks(blocks: Any) -> Any:
    return blocks if isinstance(blocks, str) else list(block_numbers(blocks))


def _written_blocks(blocks: Any) -> str:
    return blocks if isinstance(blocks, str) else write_ranges(block_numbers(blocks))


def _counted(absent: str | None) -> tuple[BeforeValidator, PlainSerializer, Written]:
    """How an index that may be None is read and written: from 1, None as ``absent``."""

    def shown(index: int | None) -> int | str | None:
        return absent if index is None else index + 1

    return (
        BeforeValidator(_from_one),
        PlainSerializer(shown),
        Written(lambda index: str(shown(index) or "")),
    )


LISTED = (PlainSerializer(_shown_blocks), Written(_written_blocks))
"""How blocks are written, in JSON and in links."""
Switch = Annotated[bool, BeforeValidator(_switch)]
Background = Literal["automatic", "on", "off"]
Share = Annotated[float, Field(ge=0, le=1)]
Times = Annotated[float, Field(ge=1, le=10_000)]
Index = Annotated[int, Field(ge=0, lt=MAX_BLOCKS)]
Indices = Annotated[tuple[Index, ...], Field(min_length=1, max_length=MAX_BLOCKS)]
Named = Literal["auto", "backbone"]
AutoBlocks = Annotated[Named | Indices, BeforeValidator(_auto_blocks), *LISTED]
SomeBlocks = Annotated[Indices, BeforeValidator(_blocks), *LISTED]
Channel = Annotated[int, Field(ge=0, le=MAX_CHANNEL)]
Several = Annotated[tuple[Channel, ...], Field(max_length=MAX_CHANNELS)]
Channels = Annotated[Several, BeforeValidator(_channels), Written(write_ranges)]
Block = Annotated[Index | None, *_counted(None)]
Head = Annotated[Index | None, *_counted("mean")]
Side = Annotated[int, Field(ge=0, le=99_999)]
Pair = Annotated[
    tuple[Side, Side] | None,
    BeforeValidator(_pair),
    Written(lambda pair: ",".join(map(str, pair or ()))),
]
NO_NULL = r"^[^\x00]*$"
Name = Annotated[str, Field(pattern=r"^[\w .-]{0,60}$")]
Text = Annotated[str, Field(max_length=MAX_WORDS, pattern=NO_NULL)]

EXPLAINED = {
    "words": "Commas separate classes, semicolons synonyms",
    "templates": "Sentences that each word is put into before it is encoded: 80, 7 or 1.",
    "short_side": "Shorter side of the encoded picture in pixels. 0: the backbone’s own.",
    "window": "Encode overlapping windows of so many pixels: finer, slower. 0: one pass.",
    "stride": "Pixels from one window to the next. Fewer overlap more and cost more.",
    "logit_scale": "Factor of the cosines before the softmax: scores get sharper.",
    "threshold": "A pixel whose best score is lower gets no label.",
    "background": "What fits none of the words gets no label. Automatic: on for one word and for "
    "suggested words, else off. Less weight leaves more pixels to your words.",
    "rest_weight": "Less leaves more pixels to your words.",
    "method": "Any but GCLIP leaves AMF and CS unused.",
    "amf": "Attention Map Fusion",
    "cs": "Channel Suppression",
    "amf_blocks": "Their attention goes into the last block. Counted from 1; type others, such as "
    "5 6 7.",
    "n_fused": "How many blocks AMF takes when they are chosen on the picture.",
    "heads": "each: head by head. mean: the mean of all heads goes into every head.",
    "global_threshold": "A patch is a global token if it gets so many times an equal share of "
    "attention.",
    "cs_blocks": "Where channels are suppressed: “7-11” counted from 1, “auto” or “backbone”.",
    "cs_target": "The mean or the median norm of the other channels.",
    "channel_threshold": "A channel is abnormal if its norm is so many times the median.",
    "channels": "Counted from 0, such as 100-120, 64; then Enter. Empty: the abnormal one of each "
    "block.",
}
"""The sentence at a setting's control."""
ASIDE = ", ".join(method.title for method in METHODS.values() if not method.shown)
"""Methods that Compare shows when asked to."""


def _set(
    default: Any, group: str, control: str = "hidden", label: str = "", key: str = "", **bounds: Any
) -> Any:
    """A setting: its default, group in JSON, Gradio control, label, link key if not its name."""
    extra = {"group": group, "control": control, "label": label, "key": key}
    return Field(default, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Every reproducible setting of the page; frozen, hashable, equal by value.

    Block and head indices are 0-based here and counted from 1 in links and JSON; channel numbers
    are the row numbers of ``W2`` everywhere. ``window`` 0 is off, ``short_side`` 0 the backbone's
    own. ``example`` "" is the first one, ``backbone`` "default" the one this page started with.
    ``patch`` and ``pixel`` are (row, column). ``channels`` are dragged channels, empty for each
    block's own abnormal one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: Literal["example", "upload"] = _set("example", "input")
    example: Name = _set("", "input")
    words: Text = _set("", "input", "Textbox", "Words to look for")

    backbone: Literal[("default", *BACKBONES)] = _set("default", "model", label="Backbone")
    templates: Literal[tuple(TEMPLATES)] = _set("imagenet80", "model", "Dropdown", "Text templates")
    short_side: int = _set(0, "model", "Number", "Size", "short", ge=0, le=2048)
    window: int = _set(0, "model", "Number", "Windows", ge=0, le=2048)
    stride: int = _set(112, "model", "Number", "Window stride", ge=1, le=2048)
    logit_scale: float = _set(40.0, "model", "Number", "Logit scale", "scale", ge=0.01, le=1000)
    threshold: Share = _set(0.0, "model", "Slider", "Least score")

    background: Background = _set("automatic", "model", "Radio", "Background")
    rest_weight: Share = _set(REST_WEIGHT, "model", "Slider", "Weight of the background", "weight")

    method: Literal[tuple(METHODS)] = _set("gclip", "method", "Dropdown", "Method")
    amf: Switch = _set(True, "method", "Checkbox", "AMF")
    cs: Switch = _set(True, "method", "Checkbox", "CS")
    amf_blocks: AutoBlocks = _set("backbone", "method", "Dropdown", "AMF’s blocks")
    n_fused: int = _set(2, "method", "Slider", "Blocks of “auto”", "amf_n", ge=1, le=12)
    heads: Literal["each", "mean"] = _set("each", "method", "Radio", "Heads of AMF")
    global_threshold: Times = _set(5.0, "method", "Number", "Global token from", "global")
    cs_blocks: AutoBlocks = _set("backbone", "method", "Textbox", "CS’s blocks")
    cs_target: Literal["mean", "median"] = _set(
        "mean", "method", "Radio", "Norm after CS", "target"
    )
    channel_threshold: Times = _set(2.0, "method", "Number", "Abnormal channel from", "abnormal")
    channels: Channels = _set((), "method", "Textbox", "CS’s channels")

    plant: Switch = _set(
        False, "simulation", "Checkbox", "Plant an abnormal channel (a simulation)"
    )
    plant_channel: Channel = _set(77, "simulation", "Number", "Channel (from 0)")
    plant_gain: float = _set(
        200.0, "simulation", "Slider", "Gain (× weights)", "gain", ge=0, le=1000
    )
    plant_blocks: SomeBlocks = _set((6, 7, 8, 9, 10), "simulation", "Textbox", "Blocks (from 1)")

    tab: Name = _set("side", "view")
    view_block: Block = _set(None, "view", key="block")
    view_head: Head = _set(None, "view", "Dropdown", "Head", "head")
    opacity: Share = _set(0.45, "view")
    patch: Pair = _set(None, "view")
    machine: Switch = _set(False, "view")
    card: Switch = _set(False, "view")
    pixel: Pair = _set(None, "view")
    extras: Switch = _set(False, "view", "Checkbox", f"Also show {ASIDE}")
    left: Name = _set("clearclip", "view", "Dropdown", "From")
    right: Name = _set("gclip", "view", "Dropdown", "To")

    @property
    def max_tokens(self) -> int:
        """Patches at most: of a strip of a picture fewer, unless its size is chosen."""
        return 2304 if self.short_side or self.window else 1200

    @property
    def nbytes(self) -> int:
        """Bytes in memory, at the most: 4 a character, 32 a channel."""
        return 2048 + 4 * len(self.words) + 32 * len(self.channels)

    def changed(self, **changes: Any) -> Settings:
        """A copy with some settings changed."""
        return Settings(**{**self.__dict__, **changes})

    @property
    def rest(self) -> str:
        """The argument ``rest`` of :meth:`Segmenter.segment`."""
        return {"automatic": "auto", "on": "background", "off": "none"}[self.background]

    def planted_blocks(self, n_blocks: int) -> tuple[int, ...]:
        """The planted blocks a tower of ``n_blocks`` has; if none, that before its last."""
        return tuple(b for b in self.plant_blocks if b < n_blocks) or (max(n_blocks - 2, 0),)

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
        for name, shown in self.model_dump(mode="json").items():
            groups.setdefault(declared(name)["group"], {})[name] = shown
        return groups


FIELDS = Settings.model_fields
_SCHEMA = Settings.model_json_schema()["properties"]


def declared(name: str) -> dict[str, Any]:
    """A setting's declaration besides its default and type: group, control, label, key."""
    return FIELDS[name].json_schema_extra  # type: ignore[return-value]


def key_of(name: str) -> str:
    """A setting's key in links."""
    return declared(name)["key"] or name


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
        if isinstance(item, Written):
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
    found = {name: value for name, value in raw.items() if value is not None}
    try:
        return Settings(**found)
    except ValidationError as error:
        name, expected = next(iter(_expected(error).items()))
        label = declared(name)["label"] or key_of(name)
        came = str(found[name])[:40]
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
    found = {name: str(query[key_of(name)]) for name in FIELDS if key_of(name) in query}
    notes: list[str] = []
    wrong: dict[str, str] = {}
    try:
        Settings(**found)
    except ValidationError as error:
        wrong = _expected(error)
    for name, valid in here.items():
        if found.get(name) and found[name] not in valid:
            wrong.setdefault(name, "the name of one that is here")
    for name, expected in wrong.items():
        notes.append(f"The link’s “{key_of(name)}” was left out: it takes {expected}.")
        del found[name]
    if found.get("source") == "upload":
        notes.append("This link’s photo stayed with its owner. Drop that photo, or any other.")
    return Settings(**found), tuple(notes)


def _expected(error: ValidationError) -> dict[str, str]:
    """What each wrong setting should be, in words."""
    found: dict[str, str] = {}
    for one in error.errors():
        name = str(one["loc"][0])
        own = str(one["ctx"]["error"]) if one["type"] == "value_error" else ""
        found[name] = own or found.get(name) or in_words(_SCHEMA[name])
    return found


def in_words(schema: Mapping[str, Any]) -> str:
    """What a value of this JSON schema is, in words."""
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    kind, low = schema.get("type", ""), schema.get("minimum")
    if kind in ("integer", "number") and low is not None:
        top = schema.get("maximum", schema.get("exclusiveMaximum", 0) - 1)
        return f"a {'whole ' if kind == 'integer' else ''}number from {low:.10g} to {top:.10g}"
    most = f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""
    most += ", without null characters" * (schema.get("pattern") == NO_NULL)
    return {"string": f"a text{most}", "boolean": "0 or 1"}.get(kind, "another kind of value")
