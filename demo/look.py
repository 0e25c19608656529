"""One request: its picture, encodings and masks, each made at most once; and what all share.

Usage::

    studio = Studio()                                    # once: backbones and bounded caches
    look = studio.look(Request(settings, upload=path))   # a visitor asks
    shown = tab.show(look)                               # demo.tabs: what a tab shows of a look
    status = look.done("side")                           # timed, and logged as one line

A request has all of its settings, a studio none. Backbones are loaded once and shared. Whatever
is cached is keyed by every setting that it depends on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from demo import cost, variants
from demo.host import logs, memory
from demo.host.byte_cache import ByteCache
from demo.host.zero_gpu import WITHOUT_GPU, Encoder
from demo.settings import MAX_CLASSES, Settings
from demo.source import Picture, Truth, decoding, one_large, open_picture, stamp
from evaluation import metric
from gclip_core import cs, load, vocabulary
from gclip_core.backbone import Backbone, load_backbone, plant_channel
from gclip_core.cache import BoundedCache
from gclip_core.errors import BackboneError, VocabularyError
from gclip_core.load import Dtype
from gclip_core.registry import BACKBONES, BUILT_IN, BackboneEntry, find_backbone
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Grid, Method, MethodReport, Segmentation, class_shares
from gclip_core.version import __version__

SUGGESTED, MORE = 5, 6
"""Words that fill an empty field, and words offered besides."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Request:
    """What a visitor asks for: settings, and the path of what was uploaded (empty for none)."""

    settings: Settings
    upload: str = ""


@dataclass(frozen=True)
class Status:
    """How an answer was made: backbone, milliseconds (0 if the answer was cached), and the rest.

    ``backbone`` is its title, ``name`` its key in the table. ``unknown`` are typed words that the
    backbone never met; ``no_gpu``: none was lent; ``scaled``: the (height, width) of an upload and
    the smaller one that the page works at.
    """

    backbone: str
    name: str
    milliseconds: float
    kept: bool
    grid: Grid
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    no_gpu: bool = False
    scaled: tuple[Grid, Grid] | None = None


@dataclass(frozen=True, eq=False)
class Mask:
    """One variant's mask: labels (H, W) int16 at the picture's size, -1 for no class.

    ``shares`` of the picture are per class, and last that of no class. ``iou`` is per class of the
    truth, by its index; ``miou`` its mean, None without truth; ``absent`` are classes that are not
    in the truth.
    """

    title: str
    method: Method
    labels: NDArray[np.signedinteger]
    names: tuple[str, ...]
    shares: tuple[float, ...]
    iou: dict[int, float]
    miou: float | None
    absent: tuple[int, ...] = ()

    @property
    def areas(self) -> tuple[float, ...]:
        """Shares of the image per class."""
        return self.shares[:-1]


class Look:
    """One request; ``chosen`` is the method that the page's switches name.

    ``segmenter`` has the planted channel if one is asked for, ``bare`` never. ``key`` is all that
    the clean encoding depends on.
    """

    def __init__(self, studio: Studio, request: Request) -> None:
        self.request, self.settings = request, request.settings
        if request.settings.words.strip():
            check_words(request.settings.words)
        self.started, self.kept = time.perf_counter(), True
        self.picture = studio.picture(request.settings, request.upload)
        self.segmenter = studio.segmenter(request.settings)
        self.bare = studio.segmenter(request.settings, planted=False)
        self.chosen: Method = variants.chosen(request.settings)
        s = request.settings
        methods = len(variants.shown(s.extras)) if s.tab == "compare" else 1
        cost.check(self.bare, self.picture.size, methods)
        cost.check_method(self.bare, self.picture.size, self.chosen)
        self.is_large = cost.is_large(self.bare, self.picture.size)
        uid, digest = self.segmenter.backbone.uid, self.picture.digest
        self.key = uid, digest, s.short_side, s.window, s.stride, s.max_tokens
        self._studio = studio
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` makes, made at most once in this look."""
        # No cached_property: before Python 3.12 one visitor's would wait for another's.
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _cached(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The same; also kept in the studio's cache."""
        return self.once(key, lambda: self._studio.cache.get_or_make(key, make))

    def changed(self, **changes: Any) -> Look:
        """A look at the same picture with some settings changed; itself where none differs."""
        settings = self.settings.changed(**changes)
        if settings == self.settings:
            return self
        return self._studio.look(replace(self.request, settings=settings))

    def later(self, make: Callable[[Look], Made]) -> Callable[[], Made]:
        """What calls ``make`` with a new look of the same request; it keeps the request alone."""
        return partial(self._studio.answer, self.request, make)

    @property
    def encoded(self) -> Encoded:
        """The picture's encoding without planting and suppression; cached."""

        def make() -> Encoded:
            self.kept = False
            with self._studio.one_trunk:
                try:
                    return self._studio.encode(self.bare, self.picture.image)
                finally:
                    memory.trim()

        return self._cached(("encoded", self.key), make)

    def trunk(self, method: Method) -> Encoded:
        """The encoding that ``method`` runs on; cached."""
        plants = self.segmenter.backbone.planted
        if not plants and method.suppression is None:
            return self.encoded
        # It resumes in the middle blocks and does not wait for a picture's whole pass.
        key = ("encoded", self.key, plants, method.suppression)
        return self._cached(key, partial(self.segmenter.suppress, self.encoded, method))

    def read(self) -> None:
        """Embed the words; cached."""
        s = self.settings
        vocabulary.read_words(self.bare.backbone, s.words, self.rest, self.bare.templates)

    def segment(self, method: Method) -> Segmentation:
        """The segmentation under ``method``; cached."""
        return self._segmented(method)[0]

    def seconds(self, method: Method) -> float:
        """How long ``method`` took from the cached encoding to its labels, when it was computed."""
        return self._segmented(method)[1]

    def _segmented(self, method: Method) -> tuple[Segmentation, float]:
        s = self.settings

        def make() -> tuple[Segmentation, float]:
            cost.check_method(self.bare, self.picture.size, method)
            _ = self.encoded, self.read()  # shared by all methods: not a part of their times
            started = time.perf_counter()
            options = (s.words, method, s.threshold, self.rest, s.rest_weight)
            found = self.segmenter.segment(self.trunk(method), *options)
            return found, time.perf_counter() - started

        with self._studio.turn(self):
            return self._cached(("segmentation", self.result_key(method)), make)

    def result_key(self, method: Method) -> tuple:
        """All that a segmentation depends on."""
        seg, s = self.segmenter, self.settings
        words = (s.words, s.threshold, self.rest, s.rest_weight)
        return *self.key, seg.backbone.planted, seg.templates, seg.logit_scale, *words, method

    def mask(self, method: Method) -> Mask:
        """The mask under ``method`` as plain data, measured where truth is known; cached."""
        result = self.segment(method)
        labels, names = result.labels.numpy(), result.vocabulary.names
        truth = self.picture.truth

        def count() -> tuple[tuple[float, ...], metric.WordScores]:
            score = metric.WordScores({}, None, ())
            if truth:
                typed = result.vocabulary
                score = metric.against_truth(truth.labels, truth.names, labels, typed)
            return class_shares(result.labels, len(names)), score

        key = ("mask", self.result_key(method))
        shares, score = self._cached(key, count)
        scores = (score.iou, score.miou, score.absent)
        return Mask(method.title, method, labels, names, shares, *scores)

    def ablation(self, amf: bool, cs: bool) -> Method:
        """ClearCLIP under these settings with AMF and CS on or off."""
        key = ("ablation", amf, cs)
        return self.once(key, lambda: variants.ablation(self.settings, amf, cs))

    def findings(self, method: Method) -> MethodReport:
        """Which blocks and channels ``method`` takes on this image, and why."""
        key = ("findings", method)
        return self.once(key, lambda: self.segmenter.report(self.encoded, method))

    @property
    def suppression(self) -> MethodReport:
        """What CS finds, whether or not it is switched on."""
        return self.findings(self.ablation(amf=False, cs=True))

    @property
    def fused_blocks(self) -> tuple[int, ...]:
        """The blocks that AMF takes, whether or not it is switched on."""
        return self.findings(self.ablation(amf=True, cs=False)).fusion.blocks

    @property
    def suggested(self) -> tuple[str, ...]:
        """Words that the picture shows, best first; cached."""
        return self._suggest(SUGGESTED, strict=True)

    @property
    def more_words(self) -> tuple[str, ...]:
        """Words that the picture may show besides those that are looked for."""
        found, typed = self._suggest(SUGGESTED + MORE, strict=False), self._typed
        return tuple(one for one in found if one.casefold() not in typed)[:MORE]

    @property
    def rest(self) -> str:
        """The argument ``rest`` of ``segment``: "background" if the model suggested all classes."""
        s = self.settings
        if s.rest != "auto" or s.source != "upload":
            return s.rest
        offered = {one.casefold() for one in self._suggest(SUGGESTED + MORE, strict=False)}
        named = {name.casefold() for name in vocabulary.parse(s.words).names}
        return "background" if named <= offered else s.rest

    @property
    def _typed(self) -> set[str]:
        return {one.casefold() for one in vocabulary.parse(self.settings.words).phrases}

    def _suggest(self, most: int, strict: bool) -> tuple[str, ...]:
        key = ("suggested", self.key, most, strict)
        return self._cached(key, lambda: self.bare.suggest(self.encoded, most, strict))

    @property
    def nearest_known(self) -> dict[str, str]:
        """Words that the backbone never met, each with the nearest that it knows."""
        backbone = self.bare.backbone
        unknown = self.segment(self.chosen).unknown
        found = {word: vocabulary.nearest_known(backbone, word) for word in unknown}
        typed = self._typed
        return {word: known for word, known in found.items() if known and known not in typed}

    @property
    def truth(self) -> Truth | None:
        """The picture's true mask, where it is known."""
        return self.picture.truth

    def alike(self, method: Method) -> tuple[float, float]:
        """In-in and in-out of the last block's Values under ``method``; nan where no pair is."""

        def patches() -> torch.Tensor:
            shown = self.segment(self.chosen).labels
            labels = torch.from_numpy(self.truth.labels) if self.truth else shown
            return cs.majority_labels(labels, self.grid)

        values = self.segmenter.values(self.trunk(method), method)
        return cs.in_in_out(values, self.once("regions", patches))

    @property
    def regions(self) -> str:
        """What the regions of :meth:`alike` are."""
        return "the truth" if self.truth else "the mask shown"

    @property
    def grid(self) -> Grid:
        """Patches (h, w) of the unwindowed pass."""
        return self.encoded.grid

    def done(self, view: str) -> Status:
        """How this request went; logged in one line as the end of ``view``."""
        result, backbone = self.segment(self.chosen), self.segmenter.backbone
        came, size = self.picture.came, self.picture.size
        milliseconds = (time.perf_counter() - self.started) * 1000
        status = Status(
            backbone.title,
            backbone.name,
            milliseconds,
            self.kept,
            self.grid,
            result.notes,
            result.unknown,
            self.encoded in WITHOUT_GPU,
            (came, size) if came and came != size else None,
        )
        log_answer(view, status)
        return status


def log_answer(view: str, status: Status) -> None:
    """Log an answer in one line, without anything that was typed."""
    logs.event(
        "answered",
        view=view,
        backbone=status.name,
        ms=round(status.milliseconds),
        trunk="kept" if status.kept else "new",
        patches="{}x{}".format(*status.grid),
    )


class Studio:
    """What all visitors share: backbones, and one cache of pictures, encodings, masks and answers.

    ``default`` is the backbone loaded at the start. ``encode`` runs one image through a tower and
    may run elsewhere (see :mod:`demo.host.zero_gpu`), one at a time, under ``one_trunk``;
    ``downloads`` says whether a visitor may make this machine fetch weights; ``device`` and
    ``dtype`` are for backbones loaded later. ``bound`` is in bytes, for the whole process (see
    :mod:`demo.host.memory`).
    """

    def __init__(
        self,
        default: Backbone | None = None,
        *,
        encode: Encoder | None = None,
        bound: int = memory.BOUND,
        downloads: bool = True,
        device: str = "cpu",
        dtype: Dtype = "float32",
    ) -> None:
        self._load = partial(load_backbone, device=device, dtype=dtype)
        self.default = default or self._load(BUILT_IN)
        self.downloads = downloads
        self.encode: Encoder = encode or Segmenter.encode
        self.encodes_here = encode is None
        self.cache = ByteCache(bound - memory.WORKING)
        self.fetched: tuple[str, ...] = ()
        self._backbones: BoundedCache[Backbone] = BoundedCache(len(BACKBONES))
        self.one_trunk = threading.Lock()

    @contextmanager
    def turn(self, look: Look) -> Iterator[None]:
        """Around work on a look: on those of many patches one thread at a time.

        Attention matrices grow with the square of the patches: two at once would need twice the
        memory and be made no sooner.
        """
        if not look.is_large:
            yield
            return
        with one_large:
            yield
        time.sleep(0.001)  # a thread that waits comes before the next method of this one

    def answer(self, request: Request, make: Callable[[Look], Made]) -> Made:
        """What ``make`` makes of a look at a request, in its turn.

        Raises:
            GclipError: as :meth:`look`.
        """
        look = self.look(request)
        with self.turn(look):
            return make(look)

    def look(self, request: Request) -> Look:
        """A look at a request; without words at those of the example, or at suggested ones.

        Raises:
            GclipError: the picture, backbone or settings cannot be used.
        """
        look = Look(self, request)
        if request.settings.words.strip():
            return look
        words = known_words(look.bare.backbone, look.picture.words)
        if not words:
            with self.turn(look):
                words = ", ".join(look.suggested)
        return look.changed(words=words) if words else look

    def picture(self, settings: Settings, upload: str = "") -> Picture:
        """The picture of these settings; ``upload`` is a visitor's file. Cached.

        Raises:
            GclipError: there is no picture yet, or it cannot be used.
        """
        key = ("picture", *stamp(settings, upload))
        if (found := self.cache.get(key)) is not None:
            return found
        with decoding(upload) if settings.source == "upload" else nullcontext():
            return self.cache.get_or_make(key, lambda: open_picture(settings, upload))

    def segmenter(self, settings: Settings, planted: bool = True) -> Segmenter:
        """The segmenter of these settings; ``planted`` False leaves a planted channel out."""
        backbone, s = self.backbone(self.name_of(settings)), settings
        windows = (s.short_side or None, s.window or None, s.stride)
        options = (*windows, s.templates, s.logit_scale, s.max_tokens)
        plant = (s.plant_channel, s.plant_gain, s.plant_blocks) if planted and s.plant else ()

        def make() -> Segmenter:
            faulty = backbone
            if plant:
                channel = min(s.plant_channel, backbone.width - 1)
                blocks = s.planted_blocks(backbone.n_blocks)
                faulty = plant_channel(backbone, channel, s.plant_gain, blocks)
            return Segmenter(faulty, *options)

        return self.cache.get_or_make(("segmenter", backbone.uid, options, plant), make)

    def name_of(self, settings: Settings) -> str:
        """The backbone that these settings mean: "default" is the one this page started with."""
        return self.default.name if settings.backbone == "default" else settings.backbone

    def backbone(self, name: str) -> Backbone:
        """The backbone of that name, loaded once and shared; never downloads.

        Raises:
            BackboneError: its weights are not on this machine, or cannot be used.
        """
        if name == self.default.name:
            return self.default
        entry = find_backbone(name)
        if self._backbones.get(name) is None and not load.on_disk(entry):
            fetch = (
                f"Fetch it first with the button under the backbone's name (about "
                f"{entry.download} MB), or choose another backbone."
            )
            then = fetch if self.downloads else "Choose another backbone."
            raise BackboneError(f"{entry.title} is not on this machine. {then}")
        return self._backbones.get_or_make(name, lambda: self._load(name))

    def fetch(self, name: str) -> Backbone:
        """The same, downloading its weights where they are missing.

        Raises:
            BackboneError: no network, no room, or downloads are switched off here.
        """
        entry = find_backbone(name)
        if not self.downloads and not self.has(entry):
            raise BackboneError(
                f"Downloads are switched off on this page, so {entry.title} cannot be fetched."
            )
        if name == self.default.name:
            return self.default
        fetched = self._backbones.get_or_make(name, lambda: self._load(name))
        self.fetched = (*self.fetched, name)
        return fetched

    def has(self, entry: BackboneEntry) -> bool:
        """Whether a backbone can be used without a download."""
        return entry.name == self.default.name or bool(load.on_disk(entry))

    def state(self) -> dict[str, Any]:
        """Versions, the loaded backbone and the cache, for a host's monitor."""
        return {
            "version": __version__,
            "backbone": self.default.name,
            "device": str(self.default.device),
            "dtype": str(self.default.dtype).removeprefix("torch."),
            "cache": {"values": len(self.cache), "bytes": self.cache.size},
        }


def check_words(words: str) -> str:
    """Words as they came, after a look at how many classes they are.

    Raises:
        VocabularyError: none, or more than the page segments at once.
    """
    classes = len(vocabulary.parse(words))
    if classes > MAX_CLASSES:
        raise VocabularyError(
            f"Up to {MAX_CLASSES} classes are segmented at once here, but {classes} came. "
            "Leave some out."
        )
    return words


def known_words(backbone: Backbone, words: str) -> str:
    """The words without those that the backbone never met."""
    if not words:
        return ""
    typed = vocabulary.parse(words)
    unknown = vocabulary.unknown_phrases(backbone, typed)
    known = ([one for one in phrases if one not in unknown] for phrases in typed.classes)
    return ", ".join("; ".join(phrases) for phrases in known if phrases)
