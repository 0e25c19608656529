"""A request on its way: as it comes, with its picture, and as a question with words and methods."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from demo.settings import Settings
from demo.source import Picture
from demo.variants import Switches
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, Plant, UnknownPhrase
from gclip_core.vocabulary import ParsedWords


@dataclass(frozen=True)
class Request:
    """What a visitor asks for: settings, and the path of an upload (empty for none).

    ``address`` is the page's own, as the visitor's browser has it; it is written on figures.
    """

    settings: Settings
    upload: str = ""
    address: str = ""

    def changed(self, **changes: Any) -> "Request":
        """A copy with some settings changed."""
        return replace(self, settings=self.settings.changed(**changes))


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with what encodes it.

    ``segmenter`` has the planted channel if one is asked for, ``clean`` never. ``key`` is all that
    the clean encoding depends on; ``was_encoded``: it was cached. There are so many ``windows`` of
    so many ``patches`` each. ``planted`` are the planted channels of ``segmenter``.
    """

    picture: Picture
    segmenter: Segmenter
    clean: Segmenter
    key: tuple[Any, ...]
    was_encoded: bool
    windows: int
    patches: int
    planted: tuple[Plant, ...]


@dataclass(frozen=True, eq=False)
class Question:
    """A request once it is read, with words in its ``settings``: its scene and its methods.

    ``words`` include hidden ones by ``rest``, an argument of :meth:`Segmenter.segment`.
    ``replaced`` are the unknown phrases in whose place ``words`` have the nearest known ones;
    ``text`` are the words that are looked for, as a person would type them. ``suggested`` are the
    tower's words for an upload. ``switched`` are ClearCLIP without and with (AMF, CS), ``chosen``
    is the method that the page's switches name. ``key`` is all that a segmentation depends on but
    its method and its refinement. ``nbytes`` are those of ``request``; ``started`` is when reading
    began, by ``perf_counter``.
    """

    request: Request
    settings: Settings
    scene: Scene
    words: ParsedWords
    replaced: tuple[UnknownPhrase, ...]
    text: str
    suggested: tuple[str, ...]
    rest: str
    switched: Mapping[Switches, Method]
    chosen: Method
    key: tuple[Any, ...]
    nbytes: int
    started: float
