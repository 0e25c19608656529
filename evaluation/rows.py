"""What is evaluated side by side: methods, the 2 x 2 of AMF and CS, or a sweep of one setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gclip_core.errors import EvaluationError
from gclip_core.methods import METHODS, find_method
from gclip_core.numbering import block_numbers
from gclip_core.types import Method

Part = Literal["methods", "ablation", "sweep"]

MakeGclip = Callable[..., Method]
""":func:`gclip_core.methods.gclip` with the settings of this run already filled in."""


@dataclass(frozen=True)
class Row:
    """One line of a table: its label, its method, and the table it belongs to.

    ``at`` is where it stands: (AMF, CS) as 0 or 1 in an ablation, (value,) in a sweep.
    """

    label: str
    method: Method
    part: Part = "methods"
    at: tuple[int, ...] = ()


def computation(method: Method) -> tuple[Any, ...]:
    """What decides a method's masks: its name and words aside. Equal ones are computed once."""
    return (method.attention, method.residual, method.ffn, method.fusion, method.suppression)


def method_rows(names: Iterable[str], make: MakeGclip) -> tuple[Row, ...]:
    """One row for each METHODS entry; GCLIP's takes this run's settings."""
    own = make()
    methods = [own if name == own.name else find_method(name) for name in dict.fromkeys(names)]
    return tuple(Row(METHODS[m.name].title.partition(" (")[0], m) for m in methods)


def ablation_rows(make: MakeGclip) -> tuple[Row, ...]:
    """AMF off and on by CS off and on; with both off it is ClearCLIP."""
    labels = {(0, 0): "neither", (1, 0): "AMF", (0, 1): "CS", (1, 1): "AMF + CS"}
    return tuple(
        Row(label, make(amf=bool(amf), cs=bool(cs)), "ablation", (amf, cs))
        for (amf, cs), label in labels.items()
    )


@dataclass(frozen=True)
class Sweep:
    """One setting that can be swept: its axis label, and the rows for a tower of L blocks."""

    axis: str
    rows: Callable[[MakeGclip, int, int], Sequence[Row]]


def _sweep_amf_blocks(make: MakeGclip, depth: int, n_blocks: int) -> list[Row]:
    # CS off: the curve shall show the blocks, not what CS does to them.
    rows = [Row("no fusion", make(amf=False, cs=False), "sweep", (0,))]
    for first in range(depth - n_blocks):  # the last block is never fused
        blocks = tuple(range(first, first + n_blocks))
        label = "AMF " + ", ".join(map(str, block_numbers(blocks)))
        method = make(amf=True, cs=False, amf_blocks=blocks)
        rows.append(Row(label, method, "sweep", (first + 1,)))
    return rows


def _sweep_amf_n_blocks(make: MakeGclip, depth: int, n_blocks: int) -> list[Row]:
    rows = [Row("no fusion", make(amf=False, cs=False), "sweep", (0,))]
    for n in range(1, max(2, depth // 2 - 1)):
        method = make(amf=True, cs=False, amf_blocks="auto", n_blocks=n)
        rows.append(Row(f"AMF {n} block{'s' * (n > 1)}", method, "sweep", (n,)))
    return rows


def _sweep_cs_blocks(make: MakeGclip, depth: int, n_blocks: int) -> list[Row]:
    # The last block's FFN takes no part in the masks; suppressing it alone would change nothing.
    rows = [Row("no suppression", make(amf=False, cs=False), "sweep", (0,))]
    for first in range(depth - 1):
        blocks = tuple(range(first, depth - 1))
        label = f"CS {first + 1}-{depth - 1}"
        method = make(amf=False, cs=True, cs_blocks=blocks)
        rows.append(Row(label, method, "sweep", (first + 1,)))
    return rows


SWEEPS: dict[str, Sweep] = {
    "amf_blocks": Sweep("first fused block", _sweep_amf_blocks),
    "amf_n_blocks": Sweep("blocks fused, from the first with global tokens", _sweep_amf_n_blocks),
    "cs_blocks": Sweep("first suppressed block", _sweep_cs_blocks),
}


def sweep_rows(name: str, make: MakeGclip, depth: int, n_blocks: int) -> tuple[Row, ...]:
    """The rows of one SWEEPS entry for a tower of ``depth`` blocks.

    Raises:
        EvaluationError: no such entry, or a tower with too few blocks for it.
    """
    if name not in SWEEPS:
        raise EvaluationError(f"'{name}' cannot be swept. Choose one of: {', '.join(SWEEPS)}.")
    rows = tuple(SWEEPS[name].rows(make, depth, n_blocks))
    if len(rows) < 2:
        raise EvaluationError(f"A tower of {depth} blocks has too few to sweep {name}.")
    return rows


def method_json(method: Method) -> dict[str, Any]:
    """A method's settings as plain data; blocks counted from 1."""
    plain = dataclasses.asdict(method)
    for part in ("fusion", "suppression"):
        if plain[part] and isinstance(plain[part]["blocks"], tuple):
            plain[part]["blocks"] = list(block_numbers(plain[part]["blocks"]))
    del plain["summary"], plain["shown"]
    return plain
