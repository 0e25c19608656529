"""Everything that makes a result again, as one frozen value, and its way through a link.

Usage::

    settings = Settings(example="", seed=7, words="cat, grass", cs=False)
    settings = settings.changed(view_block=5)              # 0-based in Python
    link = "?" + settings.to_query()                       # "?seed=7&words=cat%2C+grass&cs=0&…"
    settings, notes = from_query(request.query_params)     # bad values dropped, each with a note
    settings.to_json()                                     # for settings.json; blocks from 1
    settings.lost_in_link()                                # sentences: what a link cannot carry

Only what differs from the defaults travels. A link is untrusted text: a value outside its range
or list is dropped (the default stays) and a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.numbering import block_indices, block_numbers
from gclip_core.registry import BACKBONES, BUILT_IN
from gclip_core.types import Blocks
from gclip_core.vocabulary import TEMPLATES

TABS = ("side", "compare", "truth", "attention", "channels", "why", "export", "learn")
SOURCES = ("scene", "example", "upload")
MAX_WORDS = 6000
MAX_QUERY = 20_000
MAX_BLOCKS = 64
MAX_CHANNEL = 8191
MAX_CHANNELS = 512


@dataclass(frozen=True)
class Kind:
    """How one kind of value is read from a link's text (ValueError: unusable) and written."""

    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    shown: Callable[[Any], Any] = lambda value: value


def _whole(low: int, high: int) -> Kind:
    def read(text: str) -> int:
        if not (text.isascii() and text.lstrip("-").isdigit() and len(text) <= 12):
            raise ValueError(f"a whole number from {low} to {high}")
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return Kind(read)


def _real(low: float, high: float) -> Kind:
    def read(text: str) -> float:
        try:
            value = float(text) if len(text) <= 24 else math.nan
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # also refuses nan
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return Kind(read, lambda value: f"{value:.6g}")


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    return text == "1"


def _choice(valid: Collection[str]) -> Kind:
    def read(text: str) -> str:
        if text not in valid:
            raise ValueError(f"one of {', '.join(valid)}")
        return text

    return Kind(read)


def _text(longest: int) -> Kind:
    def read(text: str) -> str:
        if len(text) > longest or "\x00" in text:
            raise ValueError(f"a text of at most {longest} characters")
        return text

    return Kind(read)


def _name(text: str) -> str:
    if len(text) > 60 or not all(c.isalnum() or c in "-_ ." for c in text):
        raise ValueError("a short name")
    return text


def _read_blocks(text: str) -> tuple[int, ...]:
    wanted = f"block numbers such as 6,7 from 1 to {MAX_BLOCKS}"
    try:
        blocks = block_indices(text[:400], MAX_BLOCKS)
    except GclipError as error:
        raise ValueError(wanted) from error
    if not blocks:
        raise ValueError(wanted)
    return blocks


def _write_blocks(blocks: tuple[int, ...]) -> str:
    return write_ranges(block_numbers(blocks))


def _read_auto_blocks(text: str) -> Blocks:
    return text if text in ("auto", "backbone") else _read_blocks(text)  # type: ignore[return-value]


def _write_auto_blocks(blocks: Blocks) -> str:
    return blocks if isinstance(blocks, str) else _write_blocks(blocks)


def _shown_blocks(blocks: Blocks) -> str | list[int]:
    return blocks if isinstance(blocks, str) else list(block_numbers(blocks))


def write_ranges(numbers: Collection[int]) -> str:
    """Write whole numbers shortly: ``(3, 4, 5, 9)`` becomes ``"3-5,9"``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def read_ranges(text: str, highest: int = MAX_CHANNEL, most: int = MAX_CHANNELS) -> tuple[int, ...]:
    """Read ``"3-5,9"`` or ``"3-5 9"`` into ``(3, 4, 5, 9)``.

    Raises:
        ValueError: not such a list, a number over ``highest``, or more than ``most`` numbers.
    """
    wanted = f"up to {most} numbers from 0 to {highest}, such as 3-5,9"
    found: set[int] = set()
    for part in text[:4000].replace(",", " ").split():
        first, dash, last = part.partition("-")
        ends = (first, last if dash else first)
        if not all(end.isascii() and end.isdigit() and len(end) <= 6 for end in ends):
            raise ValueError(wanted)
        low, high = int(ends[0]), int(ends[1])
        if not low <= high <= highest or high - low >= most:
            raise ValueError(wanted)
        found.update(range(low, high + 1))
    if len(found) > most:
        raise ValueError(wanted)
    return tuple(sorted(found))


def _read_pair(text: str) -> tuple[int, int] | None:
    parts = text.split(",")
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) <= 5 for p in parts):
        raise ValueError("row,column")
    return int(parts[0]), int(parts[1])


def _read_head(text: str) -> int | None:
    return None if text == "mean" else _whole(1, 64).read(text) - 1


BLOCKS = Kind(_read_blocks, _write_blocks, _shown_blocks)
AUTO_BLOCKS = Kind(_read_auto_blocks, _write_auto_blocks, _shown_blocks)
CHANNELS = Kind(read_ranges, write_ranges, list)
SWITCH = Kind(_switch, lambda on: "1" if on else "0")
PAIR = Kind(_read_pair, lambda pair: f"{pair[0]},{pair[1]}", lambda pair: pair and list(pair))
HEAD = Kind(
    _read_head,
    lambda head: "mean" if head is None else str(head + 1),
    lambda head: "mean" if head is None else head + 1,
)
BLOCK = Kind(
    lambda text: _whole(1, MAX_BLOCKS).read(text) - 1,
    lambda block: str(block + 1),
    lambda block: None if block is None else block + 1,
)


def _set(default: Any, key: str, kind: Kind, group: str) -> Any:
    return field(default=default, metadata={"key": key, "kind": kind, "group": group})


@dataclass(frozen=True)
class Settings:
    """Every reproducible setting of the page; hashable, equal by value.

    Block and head indices are 0-based here and counted from 1 in links and JSON; channel numbers
    are the row numbers of ``W2`` everywhere. ``window`` 0 is off and ``short_side`` 0 the
    backbone's own. ``things`` 0 lets the seed decide. ``patch`` and ``pixel`` are (row, column).
    ``channels`` are dragged channels, empty for each block's own abnormal one.
    """

    source: str = _set("scene", "source", _choice(SOURCES), "input")
    example: str = _set("", "example", Kind(_name), "input")
    seed: int = _set(1, "seed", _whole(0, 2**31 - 1), "input")
    things: int = _set(0, "things", _whole(0, 5), "input")
    style: str = _set("held-out", "style", Kind(_name), "input")
    scene_size: int = _set(288, "size", _whole(48, 1024), "input")
    words: str = _set("", "words", _text(MAX_WORDS), "input")

    backbone: str = _set(BUILT_IN, "backbone", _choice(tuple(BACKBONES)), "model")
    templates: str = _set("imagenet80", "templates", _choice(tuple(TEMPLATES)), "model")
    short_side: int = _set(0, "short", _whole(0, 2048), "model")
    window: int = _set(0, "window", _whole(0, 2048), "model")
    stride: int = _set(112, "stride", _whole(1, 2048), "model")
    logit_scale: float = _set(40.0, "scale", _real(0.01, 1000), "model")
    threshold: float = _set(0.0, "threshold", _real(0, 1), "model")

    method: str = _set("gclip", "method", _choice(tuple(METHODS)), "method")
    amf: bool = _set(True, "amf", SWITCH, "method")
    cs: bool = _set(True, "cs", SWITCH, "method")
    amf_blocks: Blocks = _set("backbone", "amf_blocks", AUTO_BLOCKS, "method")
    n_blocks: int = _set(2, "amf_n", _whole(1, 12), "method")
    heads: Literal["each", "mean"] = _set("each", "heads", _choice(("each", "mean")), "method")
    global_threshold: float = _set(5.0, "global", _real(1, 10_000), "method")
    cs_blocks: Blocks = _set("backbone", "cs_blocks", AUTO_BLOCKS, "method")
    cs_target: Literal["mean", "median"] = _set(
        "mean", "target", _choice(("mean", "median")), "method"
    )
    channel_threshold: float = _set(2.0, "abnormal", _real(1, 10_000), "method")
    channels: tuple[int, ...] = _set((), "channels", CHANNELS, "method")

    plant: bool = _set(False, "plant", SWITCH, "simulation")
    plant_channel: int = _set(77, "plant_channel", _whole(0, MAX_CHANNEL), "simulation")
    plant_gain: float = _set(100.0, "gain", _real(0, 1000), "simulation")
    plant_blocks: tuple[int, ...] = _set((6, 7, 8, 9, 10), "plant_blocks", BLOCKS, "simulation")

    tab: str = _set("side", "tab", _choice(TABS), "view")
    view_block: int | None = _set(None, "block", BLOCK, "view")
    view_head: int | None = _set(None, "head", HEAD, "view")
    opacity: float = _set(0.6, "opacity", _real(0, 1), "view")
    patch: tuple[int, int] | None = _set(None, "patch", PAIR, "view")
    pixel: tuple[int, int] | None = _set(None, "pixel", PAIR, "view")
    extras: bool = _set(False, "extras", SWITCH, "view")
    left: str = _set("clearclip", "left", Kind(_name), "view")
    right: str = _set("amf_cs", "right", Kind(_name), "view")

    def changed(self, **changes: Any) -> Settings:
        """A copy with some settings changed."""
        return replace(self, **changes)

    def planted_blocks(self, n_blocks: int) -> tuple[int, ...]:
        """The planted blocks a tower of ``n_blocks`` has; if none, that before its last."""
        return tuple(b for b in self.plant_blocks if b < n_blocks) or (max(n_blocks - 2, 0),)

    def to_query(self) -> str:
        """The query text of a link, without "?"; whatever equals its default stays out."""
        pairs = []
        for item in fields(self):
            value = getattr(self, item.name)
            if value == item.default or (item.name == "words" and len(value) > MAX_WORDS):
                continue
            pairs.append((item.metadata["key"], item.metadata["kind"].write(value)))
        return urlencode(pairs)

    def lost_in_link(self) -> tuple[str, ...]:
        """Sentences saying what :meth:`to_query` cannot carry; empty when it carries all."""
        lost = []
        if self.source == "upload":
            lost.append("A link cannot carry your image: whoever opens it adds the image again.")
        if len(self.words) > MAX_WORDS:
            lost.append(f"A link carries at most {MAX_WORDS} characters of words: yours stay out.")
        return tuple(lost)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """All settings by group, for settings.json; blocks and heads counted from 1."""
        groups: dict[str, dict[str, Any]] = {}
        for item in fields(self):
            shown = item.metadata["kind"].shown(getattr(self, item.name))
            groups.setdefault(item.metadata["group"], {})[item.name] = shown
        return groups


def from_query(
    query: str | Mapping[str, str],
    *,
    examples: Collection[str] | None = None,
    styles: Collection[str] | None = None,
) -> tuple[Settings, tuple[str, ...]]:
    """Read a link's query into settings and notes on what was dropped.

    ``examples`` and ``styles`` are the names that exist here; None takes any short name.
    Keys that are not ours are ignored without a note: hosts add their own.
    """
    if isinstance(query, str):
        if len(query) > MAX_QUERY:
            return Settings(), ("The link is too long to be one of ours; nothing was taken.",)
        query = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True, max_num_fields=None))
    found: dict[str, Any] = {}
    notes: list[str] = []
    for item in fields(Settings):
        key = item.metadata["key"]
        if key not in query:
            continue
        try:
            found[item.name] = item.metadata["kind"].read(str(query[key]))
        except ValueError as wanted:
            notes.append(f"The link's “{key}” was left out: {wanted} was expected.")
    for name, valid in (("example", examples), ("style", styles)):
        if valid is not None and found.get(name) and found[name] not in valid:
            del found[name]
            notes.append(f"The link names a {name} that is not here; it was left out.")
    if found.get("source") == "example" and not found.get("example"):
        del found["source"]
    if found.get("source") == "upload":
        notes.append("This link was made with an uploaded image; add that image again.")
    return Settings(**found), tuple(notes)
