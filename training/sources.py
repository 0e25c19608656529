"""The sources of photos, one row each: how a photo's line is read, and what its photos are for."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Source:
    """A source of photos.

    ``reads`` is what a line of ``index.jsonl`` gives: the ``class`` of one thing, a ``list`` of
    what is there, the kind of ``place``, ``captions``, or ``none``.
    """

    name: str
    reads: Literal["class", "list", "place", "captions", "none"]
    per_batch: int = 0
    """Single views in a batch of all sources (66); other batches are in proportion. 0 leaves the
    source out of these batches alone."""
    most: int | None = None
    """Single views at most; None is no limit."""
    views: int = 1
    """Single views of each photo."""
    one_thing: bool = False
    """The named thing is the main one in the photo: it is put into mosaics, and is what is salient.
    Photos of groceries and clothes are named after a thing, but show several or parts of it."""
    scene_views_only: bool = False
    """The photos become one view of the kind ``scene`` each (`features.KINDS`), and no other. So
    the stuff in them is not learned: ``localise``, which alone uses such views before the blocks,
    learns people and things."""
    trusts_unnamed: bool = True
    """Boxes of frequent things that the label does not name may count (`boxes.certain`)."""
    worn: bool = False
    """The named thing is worn: people may be in the photo though its label names none, and a
    segmenter of people takes clothes for people."""
    used: bool = True
    """False leaves the source out of every step, as if `index.jsonl` had no line of it."""


_TABLE = (
    Source("mini-imagenet", "class", 12, most=5000, one_thing=True),
    Source("imagenet-sample", "class", 6, one_thing=True),
    Source("imagenette", "class", 2, most=600, one_thing=True),
    Source("caltech-101", "class", 7, most=3000, one_thing=True),
    Source("pacs-photo", "class", 6, most=1500, one_thing=True),
    Source("grocery", "class", 2, most=600, trusts_unnamed=False),
    Source("clothing", "class", 2, most=600, trusts_unnamed=False, worn=True),
    Source("scenes", "place", 8, most=2600),
    Source("houses", "place", 5, most=1800),
    Source("flickr8k-1000", "captions", 10, views=3),
    Source("idd-lite", "list", 3),
    Source("camvid", "list", 3, views=2),
    Source("rooms", "place", scene_views_only=True),
    Source("bsds500", "none", scene_views_only=True),
)
SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _TABLE})
"""Every source by its name, in the order in which a batch draws from them."""
