"""What the deeper tabs show, as plain data made by the :class:`Service`; knows no web framework."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from demo import variants
from demo.service import ChannelsView, Mask, Request, Service, Status
from demo.settings import Settings
from demo.source import Picture
from gclip_core import decisions
from gclip_core.types import Blocks, Found


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
    off, on = (
        look.mask(
            variants.ablation(settings, settings.amf, cs).title,
            variants.ablation(settings, settings.amf, cs),
        )
        for cs in (False, True)
    )
    untouched = None
    if channels.planted:
        real = service.look(replace(request, settings=settings.changed(plant=False)))
        untouched = real.mask(off.title, off.method)
    after = channels.after
    return SuppressionView(
        picture=look.picture,
        channels=channels,
        block=block_in_view(settings, channels.found),
        off=off,
        on=on,
        untouched=untouched,
        ratios_after=tuple((after.max(1) / np.median(after, axis=1)).tolist()),
        status=look.status(),
    )


def block_in_view(settings: Settings, found: Found) -> int:
    """The block whose channels are shown: the chosen one, else the first that CS changes.

    Where CS changes none it is the one whose largest norm stands out most, the last (whose FFN
    is not used) left out.
    """
    n = len(found.channels)
    if settings.view_block is not None:
        return min(settings.view_block, n - 1)
    return min(found.suppressed) if found.suppressed else int(np.argmax(found.ratios[: n - 1]))


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


def clear(settings: Settings) -> Settings:
    """The settings without channels of one's own, and without the one block such a choice named."""
    one = not isinstance(settings.cs_blocks, str) and len(settings.cs_blocks) == 1
    blocks: Blocks = "backbone" if one else settings.cs_blocks
    return settings.changed(channels=(), cs_blocks=blocks)


def _blocks_of(service: Service, settings: Settings) -> tuple[tuple[int, ...], int]:
    """The blocks CS changes under these settings, and the block in view where none is chosen."""
    backbone = service.segmenter(settings).backbone
    repairs, _ = decisions.repaired_channels(
        variants.ablation(settings, amf=False, cs=True).suppression,
        backbone.norms,
        decisions.Default(backbone.cs_blocks, backbone.title),
    )
    ratios = (backbone.norms.amax(1) / backbone.norms.quantile(0.5, dim=1))[:-1]
    return tuple(repairs), min(repairs) if repairs else int(ratios.argmax())
