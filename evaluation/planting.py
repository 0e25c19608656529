"""Planted channels, as the command line reads them and as text names them; blocks count from 1."""

from collections.abc import Iterable, Sequence

from evaluation.errors import EvaluationError
from gclip_core.backbone import Backbone, plant_channel
from gclip_core.numbering import block_indices, block_numbers, named


def planted(backbone: Backbone, plants: Sequence[str]) -> Backbone:
    """The backbone with planted channels, each ``CHANNEL:GAIN:BLOCKS``."""
    for text in plants:
        channel, gain, where = (text.split(":") + ["", ""])[:3]
        try:
            plant = int(channel), float(gain), block_indices(where)
        except ValueError as error:
            raise EvaluationError(
                "A planted channel such as 7:100:7-11 (channel, gain, blocks) was expected, but "
                f"'{text}' came."
            ) from error
        backbone = plant_channel(backbone, *plant)
    return backbone


def note(channel: int, gain: float, blocks: Iterable[int]) -> str:
    """The note on one planted channel."""
    return f"simulation: channel {channel} × {gain:g} planted in {named(tuple(blocks))}"


def notes(backbone: Backbone) -> list[str]:
    """The note on each planted channel of a backbone."""
    return [note(p.channel, p.gain, block_numbers(p.blocks)) for p in backbone.planted]
