"""Backbones, caches and turns: all that the requests of all visitors share.

Whatever is cached is keyed by every setting that it depends on.
"""

import math
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo import cost, turns
from demo.host import byte_cache, memory
from demo.host.blob_store import BlobStore
from demo.host.byte_cache import ByteCache
from demo.host.zero_gpu import Encoder
from demo.request import Question, Request, Scene
from demo.settings import Settings
from demo.source import NoPictureError, Picture, decoding, open_picture
from evaluation import metric
from gclip_core import load, masks, refine
from gclip_core.backbone import Backbone, load_backbone, plant_channel
from gclip_core.cache import BoundedCache
from gclip_core.errors import BackboneError
from gclip_core.load import Dtype
from gclip_core.registry import BACKBONES, BUILT_IN, BackboneEntry, find_backbone
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Method, MethodReport, Overtaken, Segmentation, class_shares
from gclip_core.version import __version__

SUGGESTED, OFFERED = 5, 11
"""Words that fill an empty field, and words of which some are offered besides."""
NO_TURN = nullcontext()


@dataclass(frozen=True, eq=False)
class Mask:
    """The mask of one method: labels (H, W) int16 at the picture's size, -1 for no class.

    ``class_shares`` of the picture are by class, ``rest_share`` is that of no class. Where the
    truth is known, ``iou`` is by class of the truth, by its index, and ``miou`` its mean;
    ``absent`` are words that are not in the truth, ``missed`` those that the mask shows nowhere.
    ``untyped`` are the truth's classes where none of them is among the words. ``nbytes`` are those
    of ``result``, which has the labels.
    """

    title: str
    method: Method
    labels: NDArray[np.int16]
    names: tuple[str, ...]
    class_shares: tuple[float, ...]
    rest_share: float
    iou: dict[int, float]
    miou: float | None
    absent: tuple[str, ...]
    missed: tuple[str, ...]
    untyped: tuple[tuple[str, ...], ...]
    result: Segmentation
    nbytes: int

    @cached_property
    def overtaken(self) -> tuple[Overtaken, ...]:
        """Known words that get hardly a pixel, though the truth may not have them."""
        return masks.overtaken(self.result)


class Engine:
    """Backbones, loaded once and shared, and one cache of pictures, encodings, masks and answers.

    ``default`` is the backbone loaded at the start. ``encode`` runs one image through a tower and
    may run elsewhere (see :mod:`demo.host.zero_gpu`), one at a time; ``downloads``: a visitor may
    make this machine fetch weights; ``device`` and ``dtype`` are for backbones loaded later.
    ``bound`` is in bytes, for the whole process (see :mod:`demo.host.memory`). ``blobs`` is what
    browsers fetch by name; ``fetched`` are the names of backbones fetched since the start.
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
        self.blobs = BlobStore()
        self.fetched: frozenset[str] = frozenset()
        self._backbones: BoundedCache[Backbone] = BoundedCache(len(BACKBONES))
        self._one_fetched = threading.Lock()
        self._one_encoding = threading.Lock()
        self._one_refined = threading.Lock()

    def scene(self, request: Request) -> Scene:
        """The picture of a request, opened, with its segmenters.

        Raises:
            GclipError: there is no picture yet, or picture or backbone cannot be used.
        """
        settings = request.settings
        picture = self.picture(request)
        clean = self.segmenter(settings, planted=False)
        segmenter = self.segmenter(settings) if settings.plant else clean
        sizes = clean.short_side, clean.window, clean.stride, clean.max_tokens
        key = clean.backbone.uid, picture.digest, *sizes
        was_encoded = self.cache.get(("encoded", key)) is not None
        windows, patches = clean.count_windows(picture.size)
        planted = segmenter.backbone.planted
        return Scene(picture, segmenter, clean, key, was_encoded, windows, patches, planted)

    def picture(self, request: Request) -> Picture:
        """The picture of a request; cached. A file of Gradio's is named by its content.

        Raises:
            ImageError: there is no picture yet, or it cannot be used.
        """
        settings, upload = request.settings, request.upload
        is_upload = settings.source == "upload"
        if is_upload and not upload:
            raise NoPictureError("No photo yet: choose one, or an example.")
        key = ("picture", "upload", upload) if is_upload else ("picture", settings.example)
        picture = self.cache.get(key)
        if picture is not None:
            return picture
        if not is_upload:
            return self.cache.get_or_make(key, lambda: open_picture(settings, upload))
        # To decode and to encode are what needs most memory: not both at a time.
        with decoding(upload), self._one_encoding:
            return self.cache.get_or_make(key, lambda: open_picture(settings, upload))

    def segmenter(self, settings: Settings, planted: bool = True) -> Segmenter:
        """The segmenter of these settings; ``planted`` False leaves a planted channel out.

        Raises:
            BackboneError: as :meth:`backbone`.
        """
        backbone = self.backbone(settings.backbone)
        sizes = settings.short_side or None, settings.window or None, settings.stride
        is_chosen = bool(settings.short_side or settings.window)
        max_tokens = cost.MAX_TOKENS_CHOSEN if is_chosen else cost.MAX_TOKENS
        options = *sizes, settings.templates, settings.logit_scale, max_tokens
        plant: tuple[Any, ...] = ()
        if planted and settings.plant:
            channel = min(settings.plant_channel, backbone.width - 1)
            blocks = settings.planted_blocks(backbone.n_blocks)
            plant = channel, settings.plant_gain, blocks

        def make() -> Segmenter:
            return Segmenter(plant_channel(backbone, *plant) if plant else backbone, *options)

        return self.cache.get_or_make(("segmenter", backbone.uid, options, plant), make)

    def encoded(self, scene: Scene) -> Encoded:
        """A scene's encoding without planting and suppression; cached.

        Raises:
            GclipError: it would cost too much.
        """

        def make() -> Encoded:
            if scene.windows > 1:  # one alone has at most cost.MAX_TOKENS_CHOSEN patches
                cost.check(scene.windows, scene.patches)
            with self._one_encoding:
                try:
                    return self.encode(scene.clean, scene.picture.image)
                finally:
                    memory.trim()

        return self.cache.get_or_make(("encoded", scene.key), make)

    def trunk(self, scene: Scene, method: Method) -> Encoded:
        """The encoding that ``method`` runs on, with planting and suppression; cached."""
        encoded = self.encoded(scene)
        if not scene.planted and method.suppression is None:
            return encoded
        # It resumes in the middle blocks and does not wait for a picture's whole pass.
        key = ("encoded", scene.key, scene.planted, method.suppression)
        return self.cache.get_or_make(key, lambda: scene.segmenter.suppress(encoded, method))

    def suggested(self, scene: Scene) -> tuple[str, ...]:
        """Words that a scene shows, best first, for an empty field; cached."""
        return self._suggest(scene, SUGGESTED, strict=True)

    def offered(self, scene: Scene) -> tuple[str, ...]:
        """Words that a scene may show, best first, more than are suggested; cached."""
        return self._suggest(scene, OFFERED, strict=False)

    def _suggest(self, scene: Scene, most: int, strict: bool) -> tuple[str, ...]:
        def make() -> tuple[str, ...]:
            return scene.clean.suggest(self.encoded(scene), most, strict)

        with self.turn(scene):
            key = ("suggested", scene.key, most, strict)
            return self.cache.get_or_make(key, make)

    def segment(self, question: Question, method: Method) -> Mask:
        """The plain mask of a question under ``method``, as in the papers; cached.

        Raises:
            MethodError: ``method`` compares more patches than the page computes.
        """
        scene, settings = question.scene, question.settings

        def make() -> Mask:
            if method.calibration is not None:
                cost.check_calibration(scene.windows, scene.patches, method)
            result = scene.segmenter.segment(
                self.trunk(scene, method),
                question.words,
                method,
                settings.threshold,
                rest_weight=settings.rest_weight,
            )
            return _mask(scene.picture, result)

        with self.turn(scene):
            return self.cache.get_or_make(("mask", *question.key, "none", method), make)

    def refined(self, question: Question, method: Method) -> Mask:
        """The mask whose edges follow the picture by the setting ``refine``; cached.

        Raises:
            MethodError: as :meth:`segment`.
        """
        name, picture = question.settings.refine, question.scene.picture
        if name == "none":
            return self.segment(question, method)

        def make() -> Mask:
            plain = self.segment(question, method).result
            with self._one_refined:  # many words need 100 MB or more
                result = refine.refined(plain, picture.image, name)
            return _mask(picture, result)

        with self.turn(question.scene):
            return self.cache.get_or_make(("mask", *question.key, name, method), make)

    def report(self, scene: Scene, method: Method) -> MethodReport:
        """What ``method`` does to a scene's encoding, without a mask; cached."""
        key = ("report", scene.key, scene.planted, method)
        encoded = self.encoded(scene)
        return self.cache.get_or_make(key, lambda: scene.segmenter.report(encoded, method))

    def turn(self, scene: Scene) -> AbstractContextManager[Any]:
        """Around work on a scene: on large ones one thread at a time.

        Attention matrices grow with the square of the patches, masks with the pixels: two at once
        would need twice the memory and be made no sooner.
        """
        many_patches = scene.windows * scene.patches > cost.LARGE_REQUEST
        many_pixels = math.prod(scene.picture.size) > cost.LARGE_MASK
        return turns.large() if many_patches or many_pixels else NO_TURN

    def backbone(self, name: str) -> Backbone:
        """The backbone of that name, loaded once and shared; never downloads.

        "default" is the one that this page started with.

        Raises:
            BackboneError: its weights are not on this machine, or cannot be used.
        """
        if name in ("default", self.default.name):
            return self.default
        entry = find_backbone(name)
        if self._backbones.get(name) is None and not load.on_disk(entry):
            next_step = "Choose another backbone."
            if self.downloads:
                next_step = (
                    f"Fetch it first with the button under the backbone's name (about "
                    f"{entry.download} MB), or choose another backbone."
                )
            raise BackboneError(f"{entry.title} is not on this machine. {next_step}")
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
        backbone = self._backbones.get_or_make(name, lambda: self._load(name))
        with self._one_fetched:
            self.fetched |= {name}
        return backbone

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


def _mask(picture: Picture, result: Segmentation) -> Mask:
    """The mask of a segmentation, with its scores where the truth is known."""
    memory.trim()  # with 25 visitors the free blocks between what stays came to 247 MB
    words, truth, scores = result.vocabulary, picture.truth, metric.WordScores({}, None, ())
    labels = result.labels.numpy()
    if truth is not None:
        scores = metric.against_truth(truth.labels, truth.names, labels, words)
    *shares, rest_share = class_shares(result.labels, len(words))
    return Mask(
        title=result.method.title,
        method=result.method,
        labels=labels,
        names=words.names,
        class_shares=tuple(shares),
        rest_share=rest_share,
        iou=scores.iou,
        miou=scores.miou,
        absent=tuple(words.names[index] for index in scores.absent if scores.iou),
        missed=tuple(words.names[index] for index in scores.iou if not shares[index]),
        untyped=truth.names if truth is not None and not scores.iou else (),
        result=result,
        nbytes=2048 + byte_cache.nbytes(result),
    )
