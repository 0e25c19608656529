"""Planted channels as a command line names them: ``7:100:7-11``, a simulation."""

from __future__ import annotations

from collections.abc import Sequence

from gclip_core.backbone import Backbone, plant_channel
from gclip_core.errors import EvaluationError
from gclip_core.numbering import block_indices


def parse_plant(text: str) -> tuple[int, float, tuple[int, ...]]:
    """Read ``CHANNEL:GAIN:BLOCKS``, such as ``7:100:7-11``; blocks counted from 1.

    Raises:
        EvaluationError: not such a triple.
    """
    channel, gain, where = (text.split(":") + ["", ""])[:3]
    try:
        return int(channel), float(gain), block_indices(where)
    except ValueError as error:
        raise EvaluationError(
            f"A simulation such as 7:100:7-11 (channel, gain, blocks) was expected, but '{text}' "
            "came."
        ) from error


def planted(backbone: Backbone, plants: Sequence[str]) -> Backbone:
    """The backbone with simulated channels as the command line names them."""
    for channel, gain, where in map(parse_plant, plants):
        backbone = plant_channel(backbone, channel, gain, where)
    return backbone
