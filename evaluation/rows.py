"""What is evaluated side by side: methods, the 2 x 2 of AMF and CS, or a sweep of one setting."""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from evaluation.errors import EvaluationError
from gclip_core.methods import METHODS, find_method
from gclip_core.numbering import block_numbers, listed
from gclip_core.tables import find
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


def computation(method: Method) -> Method:
    """The method without its name and words: methods that are equal then are computed once."""
    return dataclasses.replace(
        method, name="", title="", summary="", authors="", year=None, paper="", shown=False
    )


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


Swept = Iterable[tuple[int, str, Method]]


@dataclass(frozen=True)
class Sweep:
    """One setting that can be swept: value, label and method of each row.

    ``off`` is the label of the row that the others are compared with; ``values`` takes a way to
    make GCLIP, a tower's depth and how many blocks are fused.
    """

    off: str
    values: Callable[[MakeGclip, int, int], Swept]


def _sweep_amf_blocks(make: MakeGclip, depth: int, n_blocks: int) -> Swept:
    # CS off: the curve shall show the blocks, not what CS does to them.
    for first in range(depth - n_blocks):  # the last block is never fused
        blocks = tuple(range(first, first + n_blocks))
        yield first + 1, f"AMF {listed(blocks)}", make(cs=False, amf_blocks=blocks)


def _sweep_cs_blocks(make: MakeGclip, depth: int, n_blocks: int) -> Swept:
    # The last block's FFN takes no part in the masks; suppressing it alone would change nothing.
    for first in range(depth - 1):
        method = make(amf=False, cs_blocks=tuple(range(first, depth - 1)))
        yield first + 1, f"CS {first + 1}-{depth - 1}", method


SWEEPS: dict[str, Sweep] = {
    "amf_blocks": Sweep("no fusion", _sweep_amf_blocks),
    "cs_blocks": Sweep("no suppression", _sweep_cs_blocks),
}


def sweep_rows(name: str, make: MakeGclip, depth: int, n_blocks: int) -> tuple[Row, ...]:
    """The rows of one SWEEPS entry for a tower of ``depth`` blocks."""
    sweep, off = find(SWEEPS, name, "sweep", EvaluationError), make(amf=False, cs=False)
    swept = list(sweep.values(make, depth, n_blocks))
    if not swept:
        raise EvaluationError(f"A tower of {depth} blocks has too few to sweep {name}.")
    values = [(0, sweep.off, off), *swept]
    return tuple(Row(label, method, "sweep", (at,)) for at, label, method in values)


def method_json(method: Method) -> dict[str, Any]:
    """A method's settings as plain data; blocks counted from 1."""
    plain = dataclasses.asdict(method)
    for part in ("fusion", "suppression"):
        if plain[part] and isinstance(plain[part]["blocks"], tuple):
            plain[part]["blocks"] = list(block_numbers(plain[part]["blocks"]))
    del plain["summary"], plain["shown"]
    return plain
