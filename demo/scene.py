"""A photo with settings, and everything that the library computes from them, each once."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from demo import backbones, limits
from demo.errors import GoneError
from demo.patches import SHOWN_PATCHES, coarser
from demo.photo import CACHE, Photo, kept
from demo.settings import Settings, marks_of, shown_of
from evaluation import metric, photos
from gclip_core import METHODS, GclipError
from gclip_core.encoder import Encoded
from gclip_core.marks import Mark, read
from gclip_core.methods import Method
from gclip_core.pixels import palette
from gclip_core.result import MethodReport, Segmentation
from gclip_core.segmenter import Segmenter
from gclip_core.words import suggest
from gclip_core.words.background import background_of_image, is_typed
from gclip_core.words.vocabulary import Prompts, Shown, Vocabulary, parse, with_nearest

SWITCHES = "amf", "cs"
"""The parts of GCLIP that a visitor switches."""
EQUAL = 2_000
"""With so many patches, their attention costs as much as everything else."""
WORDS_AT_ONCE = 20
"""More words are embedded in several turns: each takes up to 80 sentences."""
LESS_CERTAIN = replace(suggest.DEFAULT, thing=0.02, stuff=0.03)


@dataclass(frozen=True)
class Scene:
    """A photo and settings, which determine everything that is shown."""

    photo: Photo
    settings: Settings

    @classmethod
    def of(cls, photo: Any, settings: Any) -> "Scene":
        """A photo by its name, with settings by theirs.

        Raises GclipError for settings that cannot be used, and GoneError for another name.
        """
        checked, found = Settings.read(settings), Photo.named(str(photo))
        if found is None:
            raise GoneError
        return cls(found, checked)

    def with_settings(self, **values: Any) -> "Scene":
        """The same photo with other settings."""
        return replace(self, settings=Settings.read(self.settings.model_dump() | values))

    @cached_property
    def segmenter(self) -> Segmenter:
        """With the default size, a very long photo is encoded smaller than others."""
        backbone = backbones.get(self.settings.backbone)
        segmenter = Segmenter(backbone, **self.settings.segmenter_options())
        most = most_patches(backbone.norms.numel())
        if self.settings.short_side or self._patches(segmenter) <= most:
            return segmenter
        return replace(segmenter, max_patches=most)

    def _patches(self, segmenter: Segmenter) -> int:
        return math.prod(segmenter.grid(self.photo.picture.size[::-1]))

    @property
    def tower_key(self) -> tuple:
        """What the tower's pass depends on: the key of an encoding."""
        s = self.settings
        return self.photo, s.backbone, s.short_side

    @property
    def encoded(self) -> Encoded:
        def encode() -> Encoded:
            self.check_affordable()
            return backbones.HOST.encode(self.segmenter, self.photo.picture)

        return kept(self.tower_key, encode)

    def check_affordable(self, methods: int = 1) -> None:
        """Raises GclipError if so many methods cost too much on this photo."""
        channels = self.segmenter.backbone.norms.numel()
        check_cost(self._patches(self.segmenter), channels, methods)

    # --- what is in view; a link may name a block or head that does not exist ---------------------

    @property
    def block(self) -> int:
        """From 0."""
        return min(self.settings.block, self.segmenter.backbone.n_blocks) - 1

    @property
    def head(self) -> int | None:
        """From 0; None is the mean of all."""
        n, head = self.segmenter.backbone.n_heads, self.settings.head
        return None if head == 0 else min(head, n) - 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patches that are drawn."""
        return coarser(self.encoded.grid, SHOWN_PATCHES)

    # --- words ------------------------------------------------------------------------------------

    @property
    def undamaged(self) -> "Scene":
        """With the model of which the backbone is a damaged copy, if it is one."""
        return self.with_settings(backbone=backbones.undamaged(self.settings.backbone))

    def suggested(self, most: int = 5) -> tuple[str, ...]:
        """Words for what the photo shows, best first; see ``Segmenter.suggest``."""
        scene = self.undamaged
        return scene.segmenter.suggest(scene.encoded, most)

    def plausible(self) -> tuple[str, ...]:
        """Words to add: suggested ones, and some of which the backbone is a little less certain.
        None is a typed word, or fits the same patches as one."""
        segmenter, encoded = self.undamaged.segmenter, self.undamaged.encoded
        source, matches = suggest.candidates_of(segmenter.backbone), segmenter.matches(encoded)
        further = suggest.choose(source, matches, 8, thresholds=LESS_CERTAIN)
        features = segmenter.dense_features(encoded, METHODS["clearclip"])
        prompts = segmenter.prompts(self.read_words)
        cosines = prompts.cosines(features)
        apart = background_of_image(segmenter.backbone, prompts, cosines, matches).words
        return tuple(w for w in dict.fromkeys((*self.suggested(), *further)) if w in apart)

    def with_words(self) -> "Scene":
        """The scene with the photo's own words if it has none."""
        return self if self.settings.words.strip() else self.with_settings(words=self.own_words)

    @property
    def own_words(self) -> str:
        """The words of an example, or suggested ones."""
        example = self.photo.example
        return example.text if example else ", ".join(self.suggested())

    @cached_property
    def typed(self) -> Vocabulary:
        return parse(self.settings.words)

    @cached_property
    def prompts(self) -> Prompts:
        return self.segmenter.prompts(self.typed, self.shown)

    def embedding_steps(self) -> Iterator[dict]:
        """Embeds all but the last few of many words, with an empty message after WORDS_AT_ONCE."""
        phrases = self.typed.phrases
        for end in range(WORDS_AT_ONCE, len(phrases), WORDS_AT_ONCE):
            self.segmenter.prompts(phrases[end - WORDS_AT_ONCE : end])
            yield {}

    @cached_property
    def is_known(self) -> tuple[bool, ...]:
        """For each class of the masks, whether the model knows one of its words."""
        unknown = {u.phrase for u in self.prompts.unknown} - {*self.replaced} - self.marked
        return tuple(not unknown.issuperset(words) for words in self.words.classes)

    @cached_property
    def replaced(self) -> dict[str, str]:
        """By unknown word, the nearest known one that stands in its place, unless a mark says what
        the unknown one is."""
        unknown = self.prompts.unknown if self.settings.nearest else ()
        return {u.phrase: u.nearest for u in unknown if u.nearest and u.phrase not in self.marked}

    @cached_property
    def marked(self) -> frozenset[str]:
        """The words that marks have, as they are typed."""
        words = {mark.word.casefold() for mark in marks_of(self.settings.marks) if mark.word}
        return frozenset(word for word in self.typed.phrases if word.casefold() in words)

    @cached_property
    def read_words(self) -> Vocabulary:
        """The typed classes, with the nearest known word in an unknown one's place."""
        return with_nearest(
            self.typed, [u for u in self.prompts.unknown if u.phrase in self.replaced]
        )

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The marks on the photo, in its pixels."""
        return marks_of(self.settings.marks, *self.photo.picture.size)

    @cached_property
    def shown(self) -> tuple[Shown, ...]:
        """The typed words that were shown on other photos; those for another model do not count."""
        width = self.segmenter.backbone.visual.output_dim
        typed = {phrase.casefold() for phrase in self.typed.phrases}
        return tuple(
            word
            for word in shown_of(self.settings.shown)
            if len(word.embedding) == width and word.name.casefold() in typed
        )

    @cached_property
    def words(self) -> Vocabulary:
        """The classes of the masks: those of ``read_words``, and names that only marks have."""
        return read(self.marks, self.read_words)[0]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The classes as a visitor typed them: "bag" where "backpack" took its place."""
        typed = {nearest: word for word, nearest in reversed(self.replaced.items())}
        return tuple(
            name if is_typed((name,), self.typed) else typed.get(name, name)
            for name in self.words.names
        )

    # --- masks ------------------------------------------------------------------------------------

    @property
    def method(self) -> Method:
        name = self.settings.method
        return self.gclip() if name == "gclip" else METHODS[name]

    def gclip(self, **switches: bool) -> Method:
        """GCLIP with the switches as they are set, or as given; CS is off if it changes nothing."""
        if not self.report.suppressed.blocks:
            switches["cs"] = False
        return self.settings.gclip(**switches)

    def mask(self, method: Method | None = None) -> Segmentation:
        """The mask of a method, by default the chosen one."""
        s = self.settings
        words, method, options = self.read_words, method or self.method, s.mask_options()
        options |= {"marks": self.marks}

        def segment() -> Segmentation:
            encoded, picture = self.encoded, self.photo.picture
            mask = self.segmenter.segment(
                encoded, words, method, image=picture, shown=self.shown, **options
            )
            CACHE.put(self.tower_key, encoded)  # weighed again: methods cache values in it
            return mask

        computed = *s.segmenter_options().values(), *options.values(), s.shown
        return kept((*self.tower_key, words, words.notes, method, *computed), segment)

    @property
    def ideas(self) -> tuple[str, ...]:
        """The switches that can change the mask: of GCLIP, and CS only where it changes a channel.

        They must be the first of SWITCHES: idle ones then have the highest bits of an index, which
        ``answered`` and the browser cut off.
        """
        if self.settings.method != "gclip":
            return ()
        return SWITCHES if self.report.suppressed.blocks else ("amf",)

    def states(self, switches: Sequence[str] = SWITCHES) -> list["Scene"]:
        """The scene with each of these switches off and on, where it acts; all others are on.

        Bit i of an index is switch i.
        """
        states = [dict.fromkeys(SWITCHES, True)]
        for switch in [switch for switch in switches if switch in self.ideas]:
            states = [on | {switch: False} for on in states] + states
        return [self.with_settings(**on) for on in states]

    def masks(self) -> tuple[Segmentation, ...]:
        """The masks that the canvas shows: GCLIP's in each of ``states``, or GCLIP's and another
        method's."""
        if self.ideas:
            return tuple(state.mask() for state in self.states())
        return self.mask(self.ours), self.mask()

    @cached_property
    def colours(self) -> tuple[str, ...]:
        """The colours of the words."""
        return palette.colours(self.words.classes)

    @cached_property
    def ours(self) -> Method:
        """GCLIP with AMF and CS, whatever the switches say."""
        return self.gclip(amf=True, cs=True)

    @cached_property
    def report(self) -> MethodReport:
        """What AMF and CS use, or would use, in GCLIP with both on."""
        return self.segmenter.report(self.encoded, self.settings.gclip(amf=True, cs=True))

    def scores(self, mask: Segmentation) -> metric.WordScores | None:
        """IoU with the truth; None without one, with an unknown word, or with no word of it."""
        if self.photo.example is None or mask.unknown:
            return None
        scores = against_truth(self.photo.example, mask)
        return scores if scores.iou else None

    def miou(self, mask: Segmentation) -> float | None:
        scores = self.scores(mask)
        return scores and scores.miou


def check_cost(patches: int, channels: int, methods: int = 1) -> None:
    """Checks the cost of an encoding; ``channels`` are those of all blocks.

    The cost of attention grows with the square of the number of patches. An encoding with up to 20
    methods, as Compare shows, counts once; more count in proportion. Raises GclipError.
    """
    cost = patches * (1 + patches / EQUAL) * channels * max(1, methods / 20)
    if cost > limits.MAX_COST:
        raise GclipError(
            f"This needs {cost / limits.MAX_COST:.2f} × the computation that one request may use. "
            "Choose a smaller size or a smaller backbone."
        )


def most_patches(channels: int) -> int:
    """As many patches as ``check_cost`` admits with one method."""
    return int(EQUAL / 2 * (math.sqrt(1 + 4 * limits.MAX_COST / channels / EQUAL) - 1))


@lru_cache(32)  # only examples have a truth, and they are small
def against_truth(example: photos.ShippedPhoto, mask: Segmentation) -> metric.WordScores:
    """The IoU of each word."""
    labels = mask.labels.numpy()
    return metric.against_truth(example.labels(), example.words, labels, mask.vocabulary)
