"""A request in, what the page shows out, as plain data; caches; knows no web framework.

One :class:`Service` serves every visitor. It holds no visitor's choice: each request carries all
of its settings, backbones are loaded once and shared, and everything that is kept is keyed by
every setting that made it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from demo import variants
from demo.drawing import render
from demo.host import logs
from demo.settings import Settings
from demo.source import Picture, Sources, Truth, truth_iou, truth_labels, truth_of_file
from gclip_core import amf, cs, load, masks
from gclip_core.backbone import Backbone, load_backbone, plant_channel
from gclip_core.cache import BoundedCache
from gclip_core.errors import BackboneError
from gclip_core.load import Dtype
from gclip_core.numbering import block_numbers
from gclip_core.registry import BACKBONES, BUILT_IN, BackboneEntry, find_backbone
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Found, Grid, Method, Segmentation
from gclip_core.version import __version__

logger = logging.getLogger(__name__)

TRUNK_BYTES = 600 * 2**20
RESULT_BYTES = 200 * 2**20
MAX_MATRIX = 768
"""Tokens a side of a matrix that is kept and shown; a larger one is averaged over squares."""

Floats = NDArray[np.float32]
Encoder = Callable[[Segmenter, Any], Encoded]


@dataclass(frozen=True)
class Request:
    """What a visitor asks for: settings, and the paths of what was uploaded (empty for none).

    ``truth_classes`` says which class each value of the mask in ``truth_file`` means.
    """

    settings: Settings
    upload: str = ""
    truth_file: str = ""
    truth_classes: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Status:
    """How a view came about: the backbone's title, milliseconds, and whether its trunk was kept."""

    backbone: str
    milliseconds: float
    kept: bool
    grid: Grid
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Mask:
    """One variant's mask: labels (H, W) int16 at the image's own size, -1 for no class.

    ``areas`` are shares of the image per class. ``iou`` is per class that the truth holds, by its
    index; ``miou`` its mean, None without truth.
    """

    title: str
    method: Method
    labels: NDArray[np.int16]
    names: tuple[str, ...]
    areas: tuple[float, ...]
    iou: dict[int, float]
    miou: float | None


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """One block's attention: ``received`` (N,), 1 = uniform, and the tokens framed on it.

    ``block`` is 0-based; ``kind`` is "qk" for a block's own attention, "used" for the matrix the
    method really uses in the last block.
    """

    block: int
    kind: str
    received: Floats
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Row:
    """One row of Side by side: a mask, attention maps and norms.

    ``matrix`` (n, n) is the last block's, patch to patch, averaged over squares of ``pooled``
    tokens a side.
    """

    mask: Mask
    maps: tuple[AttentionMap, ...]
    matrix: Floats
    pooled: int
    found: Found
    amf: bool
    cs: bool


@dataclass(frozen=True, eq=False)
class SideView:
    """Side by side: the row that the switches choose, and the row without AMF and CS.

    ``changed`` is the share of pixels labelled otherwise.
    """

    picture: Picture
    settings: Settings
    chosen: Row
    plain: Row
    changed: float
    status: Status


@dataclass(frozen=True, eq=False)
class CompareView:
    """Several variants of one image, and the share of pixels each changed to the one before."""

    picture: Picture
    masks: tuple[Mask, ...]
    changed: tuple[float, ...]
    status: Status


@dataclass(frozen=True)
class Similarity:
    """Mean cosine of the last block's Values within regions and across them; nan: no such pair."""

    title: str
    inside: float
    across: float


@dataclass(frozen=True, eq=False)
class SimilarityView:
    """In-in and in-out without and with CS; ``regions`` says what the regions are."""

    rows: tuple[Similarity, ...]
    regions: str


@dataclass(frozen=True, eq=False)
class TruthView:
    """What is known: ``labels`` (H, W) in the visitor's classes, or None; IoU of every variant.

    ``iou`` has, per class, one value per variant in the order of ``titles``; so has ``miou``.
    """

    picture: Picture
    labels: NDArray[np.int64] | None
    names: tuple[str, ...]
    titles: tuple[str, ...]
    miou: tuple[float | None, ...]
    iou: tuple[tuple[str, tuple[float | None, ...]], ...]
    found: Found
    status: Status


@dataclass(frozen=True, eq=False)
class ResultView:
    """The chosen mask to take along; ``facts`` are plain numbers, blocks counted from 1."""

    picture: Picture
    mask: Mask
    n_blocks: int
    dtype: Dtype
    facts: dict[str, Any]
    status: Status


@dataclass(frozen=True)
class Explained:
    """The best classes at one pixel under one variant: (name, score in [0, 1]), best first."""

    title: str
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class AttentionView:
    """Every block's attention of one image.

    ``received`` (L, N); ``scores``, ``agreement`` and ``tokens`` per block; ``before`` and
    ``after`` (N, N) the chosen block's matrix, or for the last block the one used without and with
    AMF; ``class_row`` (N,) the class token's row of that block, ``class_rows_used`` those of
    ``used_plain`` and ``used_fused``. ``amf_blocks`` are 0-based.
    """

    picture: Picture
    grid: Grid
    block: int
    head: int | None
    n_heads: int
    received: Floats
    scores: tuple[float, ...]
    agreement: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]
    matrix: Floats
    used_plain: Floats
    used_fused: Floats
    class_row: Floats
    class_rows_used: tuple[Floats, Floats]
    amf_blocks: tuple[int, ...]
    reason: str
    status: Status


@dataclass(frozen=True, eq=False)
class ChannelsView:
    """Norms of every FFN output channel: ``before`` and ``after`` (L, D), and what CS found."""

    backbone: str
    before: Floats
    after: Floats
    found: Found
    planted: bool
    width: int


@dataclass
class Looking:
    """One request on its way: the segmenter, the picture and the trunks it needs, made once."""

    service: Service
    request: Request
    picture: Picture
    segmenter: Segmenter
    started: float = field(default_factory=time.perf_counter)
    kept: bool = True
    _clean: Encoded | None = None

    @property
    def settings(self) -> Settings:
        return self.request.settings

    @cached_property
    def key(self) -> tuple:
        """Everything the clean trunk depends on."""
        s = self.segmenter
        return (s.backbone.uid, self.picture.digest, s.short_side, s.window, s.stride, s.max_tokens)

    @property
    def clean(self) -> Encoded:
        """The trunk without planting and suppression."""
        # No cached_property: before Python 3.12 one visitor's would wait for another's.
        if self._clean is None:
            self._clean = self._encode()
        return self._clean

    def _encode(self) -> Encoded:

        def make() -> Encoded:
            self.kept = False
            bare = replace(self.segmenter, backbone=replace(self.segmenter.backbone, planted=()))
            return self.service.encode(bare, self.picture.image)

        return self.service.trunks.get_or_make(self.key, make)

    def trunk(self, method: Method) -> Encoded:
        """The trunk that ``method`` runs on, kept."""
        planted = self.segmenter.backbone.planted
        if not planted and method.suppression is None:
            return self.clean
        key = (*self.key, planted, method.suppression)
        return self.service.trunks.get_or_make(
            key, lambda: self.segmenter.suppress(self.clean, method)
        )

    def segment(self, method: Method) -> Segmentation:
        """The mask under ``method``, kept with everything that made it."""
        s, words = self.segmenter, self.words
        key = (
            *self.key, s.backbone.planted, s.templates, s.logit_scale,
            words, self.settings.threshold, method,
        )  # fmt: skip
        return self.service.results.get_or_make(
            key, lambda: s.segment(self.trunk(method), words, method, self.settings.threshold)
        )

    @cached_property
    def truth(self) -> Truth | None:
        """The visitor's own mask where there is one, else what the picture knows."""
        request, image = self.request, self.picture.image
        if not request.truth_file:
            return self.picture.truth
        own = truth_of_file(request.truth_file, request.truth_classes, (image.height, image.width))
        return own or self.picture.truth

    @property
    def words(self) -> str:
        """What the visitor typed."""
        return self.settings.words

    def mask(self, title: str, method: Method) -> Mask:
        """The mask of one variant as plain data."""
        result = self.segment(method)
        labels = result.labels.numpy()
        iou = truth_iou(self.truth, labels, result.vocabulary) if self.truth else {}
        return Mask(
            title=title,
            method=method,
            labels=labels,
            names=result.vocabulary.names,
            areas=result.areas(),
            iou=iou,
            miou=float(np.mean(list(iou.values()))) if iou else None,
        )

    def status(self, view: str) -> Status:
        """How this request went so far; logged as the end of ``view``."""
        result = self.segment(variants.chosen(self.settings))
        milliseconds = (time.perf_counter() - self.started) * 1000
        logs.event(
            "answered",
            view=view,
            backbone=self.segmenter.backbone.name,
            ms=round(milliseconds),
            trunk="kept" if self.kept else "new",
            patches="{}x{}".format(*self.grid),
        )
        return Status(
            backbone=self.segmenter.backbone.title,
            milliseconds=milliseconds,
            kept=self.kept,
            grid=self.grid,
            notes=result.notes,
            unknown=result.unknown,
        )

    @cached_property
    def grid(self) -> Grid:
        """Patches (h, w) of the unwindowed pass."""
        return self.clean.grid


class Service:
    """Answers requests; holds one bounded cache of trunks and one of masks for all visitors.

    ``default`` is the backbone that is there from the start. ``encode`` runs one image through a
    tower and may run elsewhere (see :func:`encode_here`); ``downloads`` says whether a visitor may
    make this machine fetch weights; ``device`` and ``dtype`` are for backbones loaded later.
    """

    def __init__(
        self,
        default: Backbone | None = None,
        *,
        encode: Encoder | None = None,
        trunk_bytes: int = TRUNK_BYTES,
        downloads: bool = True,
        device: str = "cpu",
        dtype: Dtype = "float32",
    ) -> None:
        self._load = partial(load_backbone, device=device, dtype=dtype)
        self.default = default or self._load(BUILT_IN)
        self.downloads = downloads
        self.encode: Encoder = encode or encode_here
        self.sources = Sources()
        self.trunks: BoundedCache[Encoded] = BoundedCache(
            trunk_bytes, lambda encoded: encoded.nbytes
        )
        self.results: BoundedCache[Segmentation] = BoundedCache(RESULT_BYTES, _result_bytes)
        self._backbones: BoundedCache[Backbone] = BoundedCache(len(BACKBONES))

    # --- backbones -------------------------------------------------------------------------------

    def backbone(self, name: str) -> Backbone:
        """The backbone of that name, loaded once and shared; never downloads.

        Raises:
            BackboneError: its weights are not on this machine, or cannot be used.
        """
        if name == self.default.name:
            return self.default
        entry = find_backbone(name)
        if self._backbones.get(name) is None and not load.on_disk(entry):
            raise BackboneError(
                f"{entry.title} is not on this machine yet. Fetch it first with the button under "
                f"the backbone's name (about {entry.download} MB), or choose another backbone."
            )
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
        return self._backbones.get_or_make(name, lambda: self._load(name))

    def has(self, entry: BackboneEntry) -> bool:
        """Whether a backbone can be used without a download."""
        return entry.name == self.default.name or load.on_disk(entry)

    def state(self) -> dict[str, Any]:
        """What a host's monitor wants to know: versions, what is loaded, what is kept."""
        return {
            "version": __version__,
            "backbone": self.default.name,
            "device": str(self.default.device),
            "dtype": str(self.default.dtype).removeprefix("torch."),
            "kept": {"trunks": len(self.trunks), "masks": len(self.results)},
        }

    # --- one request -----------------------------------------------------------------------------

    def look(self, request: Request) -> Looking:
        """Open the picture and the segmenter that a request names.

        Raises:
            GclipError: the picture, backbone or settings cannot be used.
        """
        return Looking(
            service=self,
            request=request,
            picture=self.sources.picture(request.settings, request.upload),
            segmenter=self.segmenter(request.settings),
        )

    def segmenter(self, settings: Settings) -> Segmenter:
        """The segmenter of these settings, with the planted channel where one is asked for."""
        backbone = self.backbone(settings.backbone)
        if settings.plant:
            blocks = settings.planted_blocks(backbone.n_blocks)
            channel = min(settings.plant_channel, backbone.width - 1)
            backbone = plant_channel(backbone, channel, settings.plant_gain, blocks)
        return Segmenter(
            backbone,
            short_side=settings.short_side or None,
            window=settings.window or None,
            stride=settings.stride,
            templates=settings.templates,
            logit_scale=settings.logit_scale,
        )

    def side(self, request: Request) -> SideView:
        """Side by side: the chosen row and the one without AMF and CS."""
        look = self.look(request)
        chosen = variants.chosen(request.settings)
        plain = variants.ablation(request.settings, amf=False, cs=False)
        rows = [self._row(look, method) for method in (chosen, plain)]
        return SideView(
            picture=look.picture,
            settings=request.settings,
            chosen=rows[0],
            plain=rows[1],
            changed=changed_share(rows[1].mask.labels, rows[0].mask.labels),
            status=look.status("side"),
        )

    def compare(self, request: Request, names: tuple[str, ...] = ()) -> CompareView:
        """Several variants from one trunk; by default the five that need no asking."""
        look = self.look(request)
        wanted = names or tuple(v.name for v in variants.VARIANTS.values() if not v.asked_for)
        made = tuple(
            look.mask(variants.VARIANTS[name].title, variants.VARIANTS[name].method(look.settings))
            for name in wanted
        )
        changed = tuple(
            changed_share(one.labels, next_.labels)
            for one, next_ in zip(made, made[1:], strict=False)
        )
        return CompareView(look.picture, made, changed, look.status("compare"))

    def truth(self, request: Request) -> TruthView:
        """The true mask in the visitor's classes, and how well every variant finds it."""
        look = self.look(request)
        made = self.compare(request).masks
        result = look.segment(variants.chosen(request.settings))
        held = sorted(made[0].iou)
        names = result.vocabulary.names
        full = variants.ablation(request.settings, amf=True, cs=True)
        return TruthView(
            picture=look.picture,
            labels=truth_labels(look.truth, result.vocabulary) if look.truth and held else None,
            names=names,
            titles=tuple(mask.title for mask in made),
            miou=tuple(mask.miou for mask in made),
            iou=tuple((names[c], tuple(mask.iou[c] for mask in made)) for c in held),
            found=look.segmenter.findings(look.clean, full),
            status=look.status("truth"),
        )

    def result(self, request: Request) -> ResultView:
        """The chosen mask and what was found on the way."""
        look = self.look(request)
        method = variants.chosen(request.settings)
        mask = look.mask(method.title, method)
        found = look.segment(method).found
        backbone = look.segmenter.backbone
        return ResultView(
            picture=look.picture,
            mask=mask,
            n_blocks=backbone.n_blocks,
            dtype="float32" if backbone.dtype == torch.float32 else "bfloat16",
            facts={
                "method": method.title,
                "backbone": backbone.title,
                "weights": backbone.digest,
                "amf_blocks": list(block_numbers(found.amf_blocks)),
                "amf_reason": found.reason,
                "cs_blocks": list(block_numbers(found.suppressed)),
                "cs_reason": found.cs_reason,
                "miou": mask.miou,
            },
            status=look.status("result"),
        )

    def similarity(self, request: Request) -> SimilarityView:
        """In-in and in-out of the last block's Values, without CS and with it."""
        look = self.look(request)
        truth = look.truth
        labels = (
            torch.from_numpy(truth.labels)
            if truth
            else look.segment(variants.chosen(look.settings)).labels
        )
        patches = cs.majority_labels(labels, look.grid)
        rows = []
        for title, on in (("CS off", False), ("CS on", True)):
            method = variants.ablation(look.settings, amf=False, cs=on)
            values = look.segmenter.values(look.trunk(method), method)
            rows.append(Similarity(title, *cs.in_in_out(values, patches)))
        return SimilarityView(tuple(rows), "the truth" if truth else "the mask shown")

    def explain(
        self, request: Request, row: int, column: int, names: tuple[str, ...] = (), top: int = 5
    ) -> tuple[Explained, ...]:
        """The best classes at a pixel (of the image's own size) under every variant."""
        look = self.look(request)
        height, width = look.picture.image.height, look.picture.image.width
        row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
        found = []
        for name in names or tuple(variants.VARIANTS):
            variant = variants.VARIANTS[name]
            result = look.segment(variant.method(look.settings))
            owner = masks.owners(result.vocabulary)
            scores = masks.scores_at(result.logits, owner, (height, width), row, column)
            best = scores.topk(min(top, len(scores)))
            found.append(
                Explained(
                    variant.title,
                    tuple(
                        (result.vocabulary.names[int(i)], float(score))
                        for score, i in zip(best.values, best.indices, strict=True)
                    ),
                )
            )
        return tuple(found)

    def attention(self, request: Request, block: int | None, head: int | None) -> AttentionView:
        """Every block's scores and one block's matrices; ``block`` None is the first AMF takes."""
        look = self.look(request)
        method = variants.chosen(request.settings)
        fused = variants.ablation(request.settings, amf=True, cs=method.suppression is not None)
        bare = replace(fused, fusion=None)
        seg, trunk = look.segmenter, look.trunk(method)
        found = seg.findings(trunk, fused)
        seen = seg.globality(trunk, request.settings.global_threshold)
        n = seg.backbone.n_blocks
        block = found.amf_blocks[0] if block is None else min(block, n - 1)
        head = None if head is None else min(head, seg.backbone.n_heads - 1)
        whole = seg.attention_map(trunk, block, head)
        plain, mixed = (seg.last_attention(trunk, one, head) for one in (bare, fused))
        return AttentionView(
            picture=look.picture,
            grid=look.grid,
            block=block,
            head=head,
            n_heads=seg.backbone.n_heads,
            received=seg.received(trunk).numpy(),
            scores=seen.scores,
            agreement=seen.agreement,
            tokens=seen.tokens,
            matrix=whole[1:, 1:].numpy(),
            used_plain=plain[1:, 1:].numpy(),
            used_fused=mixed[1:, 1:].numpy(),
            class_row=whole[0, 1:].numpy(),
            class_rows_used=(plain[0, 1:].numpy(), mixed[0, 1:].numpy()),
            amf_blocks=found.amf_blocks,
            reason=found.reason,
            status=look.status("attention"),
        )

    def channels(self, request: Request) -> ChannelsView:
        """Weight norms before and after CS, whether or not CS is switched on."""
        look = self.look(request)
        method = variants.ablation(request.settings, amf=False, cs=True)
        found = look.segmenter.findings(look.clean, method)
        return ChannelsView(
            backbone=look.segmenter.backbone.title,
            before=found.norms_before.numpy(),
            after=found.norms_after.numpy(),
            found=found,
            planted=bool(look.segmenter.backbone.planted),
            width=look.segmenter.backbone.width,
        )

    def _row(self, look: Looking, method: Method) -> Row:
        """One row; its attention maps are those of the blocks that AMF takes or would take."""
        seg, trunk = look.segmenter, look.trunk(method)
        found = seg.findings(trunk, method)
        fused = variants.ablation(look.settings, amf=True, cs=False)
        blocks = found.amf_blocks or seg.findings(look.clean, fused).amf_blocks
        tokens = seg.globality(trunk, look.settings.global_threshold).tokens
        maps = [
            AttentionMap(
                block,
                "qk",
                _received(seg.attention_map(trunk, block)),
                tokens[block],
            )
            for block in blocks
        ]
        used = seg.last_attention(trunk, method)
        maps.append(AttentionMap(seg.backbone.n_blocks - 1, "used", _received(used)))
        matrix, pooled = render.pool(amf.patch_attention(used).numpy(), MAX_MATRIX)
        return Row(
            mask=look.mask(method.title, method),
            maps=tuple(maps),
            matrix=matrix,
            pooled=pooled,
            found=found,
            amf=method.fusion is not None,
            cs=method.suppression is not None,
        )


def encode_here(segmenter: Segmenter, image: Any) -> Encoded:
    """Run an image through the tower in this process, on the backbone's own device."""
    return segmenter.encode(image)


def changed_share(before: NDArray, after: NDArray) -> float:
    """Share of pixels labelled otherwise, in [0, 1]."""
    return float((before != after).mean())


def _received(attention: torch.Tensor) -> Floats:
    return amf.received(amf.patch_attention(attention)).numpy()


def _result_bytes(result: Segmentation) -> int:
    return result.labels.nbytes + result.logits.nbytes + 4096
