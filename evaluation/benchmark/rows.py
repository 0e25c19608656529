"""The rows of a table: methods, the ablation of AMF and CS, or a sweep of one setting."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from evaluation.errors import EvaluationError
from gclip_core.methods import METHODS, find_method
from gclip_core.numbering import block_numbers
from gclip_core.types import Method

MakeGclip = Callable[..., Method]
""":func:`gclip_core.methods.gclip` with the settings of this run already filled in."""


PARTS = ("methods", "ablation", "sweep")


@dataclass(frozen=True)
class Row:
    """One row: its label, its method, and the table it belongs to, one of ``PARTS``."""

    label: str
    method: Method
    part: str = "methods"


def computation(method: Method) -> Method:
    """The method without its name and descriptions: equal methods are computed once."""
    return dataclasses.replace(
        method, name="", title="", summary="", authors="", year=None, paper="", shown=False
    )


def method_rows(names: Iterable[str], make: MakeGclip) -> tuple[Row, ...]:
    """A row for each METHODS entry; GCLIP's has this run's settings."""
    own = make()
    methods = [own if name == own.name else find_method(name) for name in dict.fromkeys(names)]
    return tuple(Row(METHODS[m.name].title.partition(" (")[0], m) for m in methods)


def ablation_rows(make: MakeGclip) -> tuple[Row, ...]:
    """Neither AMF nor CS (which is ClearCLIP), each alone, and both."""
    return (
        Row("neither", make(amf=False, cs=False), "ablation"),
        Row("AMF", make(amf=True, cs=False), "ablation"),
        Row("CS", make(amf=False, cs=True), "ablation"),
        Row("AMF + CS", make(amf=True, cs=True), "ablation"),
    )


def _amf_blocks(make: MakeGclip, n_blocks: int, n_fused: int) -> Iterator[tuple[str, Method]]:
    yield "no fusion", make(amf=False, cs=False)
    for first in range(n_blocks - n_fused):  # the last block is never fused
        blocks = tuple(range(first, first + n_fused))
        yield f"AMF {', '.join(map(str, block_numbers(blocks)))}", make(cs=False, amf_blocks=blocks)


def _cs_blocks(make: MakeGclip, n_blocks: int, n_fused: int) -> Iterator[tuple[str, Method]]:
    yield "no suppression", make(amf=False, cs=False)
    for first in range(n_blocks - 1):  # the methods leave out the last block's FFN
        blocks = tuple(range(first, n_blocks - 1))
        yield f"CS {first + 1}-{n_blocks - 1}", make(amf=False, cs_blocks=blocks)


SWEEPS = {"amf_blocks": _amf_blocks, "cs_blocks": _cs_blocks}
"""Settings that can be swept: labels and methods, by how to make GCLIP, a tower's depth and how
many blocks are fused. The others are compared with the first."""


def sweep_rows(name: str, make: MakeGclip, n_blocks: int, n_fused: int) -> tuple[Row, ...]:
    """The rows of one SWEEPS entry for a tower of ``n_blocks`` blocks."""
    rows = tuple(Row(*row, "sweep") for row in SWEEPS[name](make, n_blocks, n_fused))
    if len(rows) == 1:
        raise EvaluationError(f"A tower of {n_blocks} blocks has too few to sweep {name}.")
    return rows


def method_json(method: Method) -> dict[str, Any]:
    """A method's settings as plain data; blocks count from 1."""
    plain = dataclasses.asdict(method)
    for part in ("fusion", "suppression"):
        if plain[part] and isinstance(plain[part]["blocks"], tuple):
            plain[part]["blocks"] = list(block_numbers(plain[part]["blocks"]))
    del plain["summary"], plain["shown"]
    return plain
