"""What the deeper tabs show, as plain data made by the :class:`Service`; knows no web framework."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from demo import variants
from demo.service import ChannelsView, Mask, Request, Service, Status
from demo.settings import Settings
from demo.source import Picture
from gclip_core.cs import largest_channel, repaired_channels
from gclip_core.types import Blocks, Default, Found


@dataclass(frozen=True, eq=False)
class SuppressionView:
    """The norms of all channels, and the mask without and with CS.

    ``block`` (0-based) is the one in view. ``untouched`` is the mask of the model as it is, None
    unless a planted channel is simulated. ``ratios_after`` are largest norm over median after CS.
    """

    picture: Picture
    channels: ChannelsView
    block: int
    off: Mask
    on: Mask
    untouched: Mask | None
    ratios_after: tuple[float, ...]
    status: Status


def suppression(service: Service, request: Request) -> SuppressionView:
    """Channels: norms before and after CS whether or not it is on, and the masks of both.

    Raises:
        GclipError: the picture, words or settings cannot be used.
    """
    look, settings = service.look(request), request.settings
    channels = service.channels(request)
    methods = [variants.ablation(settings, settings.amf, cs) for cs in (False, True)]
    off, on = (look.mask(method.title, method) for method in methods)
    untouched = None
    if channels.planted:
        real = service.look(replace(request, settings=settings.changed(plant=False)))
        untouched = real.mask(off.title, off.method)
    return SuppressionView(
        picture=look.picture,
        channels=channels,
        block=block_in_view(settings, channels.found),
        off=off,
        on=on,
        untouched=untouched,
        ratios_after=_ratios(channels.found.norms_after),
        status=look.status("channels"),
    )


def block_in_view(settings: Settings, found: Found) -> int:
    """The block whose channels are shown: the chosen one, else the first that CS changes.

    Where CS changes none it is the one whose largest norm stands out most, the last (whose FFN
    is not used) left out.
    """
    if settings.view_block is not None:
        return min(settings.view_block, len(found.channels) - 1)
    return _standing_out(found.suppressed, found.ratios)


def choose(service: Service, settings: Settings, channels: Iterable[int]) -> Settings:
    """The settings after channels of the block in view were chosen to be suppressed.

    They replace the abnormal channel in the blocks CS changes; where the block in view is not
    among these, in that block alone.

    Raises:
        GclipError: the backbone or settings cannot be used.
    """
    chosen = settings.changed(channels=tuple(channels), cs=True)
    blocks, found_block = _blocks_of(service, settings)
    block = found_block if settings.view_block is None else settings.view_block
    return chosen if block in blocks else chosen.changed(cs_blocks=(block,))


def choose_or_clear(service: Service, settings: Settings, channels: Sequence[int]) -> Settings:
    """As :func:`choose`; no channels at all clear the choice.

    Raises:
        GclipError: the backbone or settings cannot be used.
    """
    return choose(service, settings, channels) if channels else clear(settings)


def clear(settings: Settings) -> Settings:
    """The settings without channels of one's own, and without the one block such a choice named."""
    one = not isinstance(settings.cs_blocks, str) and len(settings.cs_blocks) == 1
    blocks: Blocks = "backbone" if one else settings.cs_blocks
    return settings.changed(channels=(), cs_blocks=blocks)


def _blocks_of(service: Service, settings: Settings) -> tuple[tuple[int, ...], int]:
    """The blocks CS changes under these settings, and the block in view where none is chosen."""
    backbone = service.segmenter(settings).backbone
    repairs, _ = repaired_channels(
        variants.ablation(settings, amf=False, cs=True).suppression,
        backbone.largest_channels,
        backbone.width,
        Default(backbone.cs_blocks, backbone.title),
    )
    return tuple(repairs), _standing_out(tuple(repairs), backbone.ratios)


def _standing_out(suppressed: tuple[int, ...], ratios: tuple[float, ...]) -> int:
    """The first suppressed block, else the one before the last whose largest norm stands out."""
    return min(suppressed) if suppressed else int(np.argmax(ratios[:-1]))


def _ratios(norms: Tensor) -> tuple[float, ...]:
    """Largest norm over median, per block of (L, D)."""
    return tuple(largest_channel(row)[1] for row in norms)
