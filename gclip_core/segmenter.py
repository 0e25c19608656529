"""The public class of the library: segments, suggests words, and inspects.

Longer than other files, since each method of the class is one call of the parts it composes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gclip_core import (
    amf,
    attention,
    cs,
    encoder,
    images,
    last_block,
    masks,
    suggestions,
    vocabulary,
)
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError, MethodError
from gclip_core.methods import METHODS
from gclip_core.types import (
    DenseFeatures,
    Encoded,
    Fusion,
    FusionReport,
    GlobalTokens,
    Grid,
    Method,
    MethodReport,
    Segmentation,
    Suppression,
    Vocabulary,
)

ImageLike = Image.Image | np.ndarray | str | Path | bytes
Words = str | Iterable[str] | Vocabulary


@dataclass(frozen=True, eq=False)
class Segmenter:
    """Segments images with a backbone; holds settings only, so threads may share it.

    ``short_side`` (pixels; default the backbone's), ``window`` and ``stride`` (pixels, rounded to
    patches; None is one pass), ``templates`` a name of :data:`vocabulary.TEMPLATES` or sentences
    with ``{}``, ``logit_scale`` times the cosine. Images over ``max_tokens`` patches are scaled
    down, images over ``max_pixels`` refused.
    """

    backbone: Backbone
    short_side: int | None = None
    window: int | None = None
    stride: int = 112
    templates: str | tuple[str, ...] = "imagenet80"
    logit_scale: float = 40.0
    max_tokens: int = 4096
    max_pixels: int = images.MAX_PIXELS

    def __post_init__(self) -> None:
        for name in ("short_side", "window", "stride", "max_tokens", "max_pixels"):
            value = getattr(self, name)
            if value is None and name in ("short_side", "window"):
                continue
            if not isinstance(value, Integral) or not 0 < value < 1e9:
                raise GclipError(f"{name} must be a whole number above 0, but {value!r} came.")
        if not _is_between(self.logit_scale, 1e-6, 1e6):
            raise GclipError(
                f"logit_scale must be a number above 0, but {self.logit_scale!r} came."
            )
        sentences = vocabulary.template_set(self.templates)
        if not isinstance(self.templates, str):
            object.__setattr__(self, "templates", sentences)

    # --- images ------------------------------------------------------------------------------

    def encode(self, image: ImageLike) -> Encoded:
        """One pass through the tower, or one per window, reusable for every method and all words.

        Raises:
            ImageError: not an image, damaged or too large.
        """
        checked = images.check(image, self.max_pixels)
        own = (checked.height, checked.width)
        size = images.target_size(
            own, self.short_side or self.backbone.short_side, self.backbone.patch, self.max_tokens
        )
        pixels = self._normalise(images.resize(checked, size))
        clean = encoder.encode(self.backbone, pixels, own, self.window, self.stride)
        return encoder.resumed(self.backbone, clean)

    def dense_features(
        self, image: ImageLike | Encoded, method: Method | None = None
    ) -> DenseFeatures:
        """Dense features of an image: patches (h*w, E) float32, L2-normalised."""
        encoded = self._encoded(image)
        mean = self._mean_features(encoded, _method(method))
        return DenseFeatures(F.normalize(mean, dim=-1), encoded.grid)

    def segment(
        self,
        image: ImageLike | Encoded,
        words: Words,
        method: Method | None = None,
        threshold: float = 0.0,
        rest: str | Iterable[str] = "none",
        rest_weight: float = masks.REST_WEIGHT,
    ) -> Segmentation:
        """A mask of every class named in ``words`` (a list, or one string as a person types it).

        ``rest`` is what else a pixel may be, and is then left without a class: ``"none"``, so that
        every pixel gets one of ``words``; ``"background"``, the field's list; ``"auto"``, that list
        for one class alone; or words. ``rest_weight`` weakens these: 1 is full strength, 0 lets
        them win no more than an average word would.

        Raises:
            GclipError: the image, the words or the method's settings cannot be used.
        """
        if not _is_between(threshold, 0, 1):
            raise GclipError(f"threshold is a score from 0 (off) to 1, but {threshold!r} came.")
        if not _is_between(rest_weight, 0, 1):
            raise GclipError(f"rest_weight is a number from 0 to 1, but {rest_weight!r} came.")
        method = _method(method)
        parsed = vocabulary.read_words(self.backbone, words, rest, self.templates)
        encoded = self._encoded(image)
        mean = self._mean_features(encoded, method)
        logits = (self.logit_scale * (parsed.text @ mean.T)).unflatten(1, encoded.grid)
        logits = masks.weaken(logits, len(parsed.hidden), rest_weight)
        return Segmentation(
            labels=masks.labels(logits, parsed.owner, encoded.image_size, threshold),
            logits=logits,
            vocabulary=parsed.classes,
            method=method,
            found=self.findings(encoded, method),
            owner=parsed.owner,
            hidden=parsed.hidden,
            unknown=parsed.unknown,
            notes=(*self.backbone.notes, *parsed.notes),
            _scores=partial(masks.scores, logits, parsed.owner, encoded.resized),
        )

    # --- words -------------------------------------------------------------------------------

    def suggest(
        self, image: ImageLike | Encoded, most: int = 5, choosy: bool = True
    ) -> tuple[str, ...]:
        """Words for what the image shows, best first: at most ``most``, at least one.

        ``choosy`` leaves out what covers little and what may not be there. By ClearCLIP on one
        unwindowed pass, without planted channels.
        """
        whole = self._encoded(image).whole
        clean = replace(self, backbone=replace(self.backbone, planted=()))
        dense = clean.dense_features(whole, METHODS["clearclip"])
        return suggestions.suggest(self.backbone, dense.patches, dense.grid, most, choosy)

    def embed_words(self, words: Sequence[str]) -> Tensor:
        """Text embedding of each phrase: (len(words), E) float32, L2-normalised."""
        return vocabulary.embed(self.backbone, words, self.templates)

    # --- what is inside ----------------------------------------------------------------------

    def suppress(self, encoded: Encoded, method: Method) -> Encoded:
        """What ``method`` runs on: itself without CS, else resumed where CS begins.

        ``segment`` and ``dense_features`` do this by themselves; keep the result to do it once.
        """
        repair = self.backbone.repair(method.suppression)
        return encoder.resumed(self.backbone, self._encoded(encoded), repair)

    def attention_map(self, encoded: Encoded, block: int, head: int | None = None) -> Tensor:
        """Query-Key attention of a block (0-based): (1+N, 1+N) float32, head mean or one head.

        With windows: of one unwindowed pass.
        """
        source = self._single(encoded)
        _check_index("Head", head or 0, self.backbone.n_heads)
        _check_index("Block", block, self.backbone.n_blocks)
        heads = encoder.block_heads(self.backbone, source.passes[0], block)
        with torch.no_grad():
            return attention.mean_weights(heads if head is None else heads.only(head))[0].cpu()

    def last_attention(self, encoded: Encoded, method: Method, head: int | None = None) -> Tensor:
        """What each token draws from under ``method``: (1+N, 1+N) float32, head mean or one head.

        Query-Query for ClearCLIP, the fused one with AMF; with a calibration its repair and
        spreading, too (:func:`last_block.attention_matrix`). With windows: of one unwindowed pass.
        """
        _check_index("Head", head or 0, self.backbone.n_heads)
        source = self.suppress(self._single(encoded), _method(method))
        blocks = self._amf(source, method.fusion).blocks
        one, visual = source.passes[0], self.backbone.model.visual
        heads_of = partial(encoder.block_heads, self.backbone, one)
        with torch.no_grad():
            return last_block.attention_matrix(
                visual, method, one.inputs, heads_of, source.grid, blocks, head
            )[0].cpu()

    def values(
        self, encoded: Encoded, method: Method | None = None, part: attention.Part = "v"
    ) -> Tensor:
        """Values (or "q", "k") of the last block, heads side by side: (N, D) float32.

        ``method`` decides whether the trunk is suppressed. With windows: of one unwindowed pass.
        """
        source = self.suppress(self._single(encoded), method or METHODS["clearclip"])
        last = self.backbone.n_blocks - 1
        v = encoder.block_heads(self.backbone, source.passes[0], last, True).part(part)[0]
        return v.transpose(-3, -2).flatten(-2)[1:].float().cpu()

    def globality(
        self, encoded: Encoded, threshold: float = 5.0, clean: bool = True
    ) -> GlobalTokens:
        """Global tokens of every block, as :meth:`received`; worked out once."""
        source = encoded.whole if clean else self._single(encoded)

        def find() -> GlobalTokens:
            heads = partial(encoder.block_heads, self.backbone, source.passes[0])
            return amf.find_tokens(self.received(encoded, clean=clean), heads, threshold)

        key = ("globality", threshold, source.planted, source.suppression)
        return encoder.once(encoded.whole if clean else encoded, key, find)

    def received(
        self, encoded: Encoded, blocks: Iterable[int] | None = None, clean: bool = True
    ) -> Tensor:
        """How much every patch is attended to in these blocks (all): (L, N) float32, 1 is uniform.

        Worked out once, on the clean trunk of the whole image; ``clean`` False: as it runs.
        """
        whole = self._encoded(encoded).whole
        source = whole if clean else self._single(encoded)

        def measure(block: int) -> Tensor:
            heads = encoder.block_heads(self.backbone, source.passes[0], block)
            with torch.no_grad():
                return amf.received_of(attention.Heads(heads.q[0], heads.k[0])).cpu()

        def find(block: int) -> Tensor:
            if source.passes[0].inputs[block] is whole.passes[0].inputs[block]:
                return encoder.once(whole, ("received", block), partial(measure, block))
            key = ("received", block, source.planted, source.suppression)
            return encoder.once(encoded, key, partial(measure, block))

        wanted = range(self.backbone.n_blocks) if blocks is None else blocks
        return torch.stack([find(block) for block in wanted])

    def findings(self, encoded: Encoded, method: Method) -> MethodReport:
        """What ``method`` found in this image and backbone: blocks, channels, norms, reasons."""
        encoded, backbone = self._encoded(encoded), self.backbone
        limit = (method.suppression or Suppression()).channel_threshold

        def find() -> MethodReport:
            repair = backbone.repair(method.suppression)
            after = cs.repaired_norms(backbone.norms, repair)
            return MethodReport(
                fusion=self._amf(encoded, method.fusion),
                cs_reason=repair.reason,
                channels=backbone.channels,
                ratios=backbone.ratios,
                abnormal=cs.abnormal_blocks(backbone.ratios, limit),
                suppressed=tuple(repair.channels),
                norms_before=backbone.norms,
                norms_after=after,
                entropy=backbone.entropy,
                entropy_after=cs.entropy(after) if repair.channels else backbone.entropy,
            )

        defaults = (backbone.amf_blocks, backbone.cs_blocks, backbone.title)
        key = ("found", backbone.planted, defaults, method.fusion, method.suppression)
        found = encoder.once(encoded.clean, key, find)
        threshold = (method.fusion or Fusion()).global_threshold
        return replace(found, _global_tokens=lambda: self.globality(encoded, threshold))

    # --- one step each -----------------------------------------------------------------------

    def _normalise(self, image: Image.Image) -> Tensor:
        """RGB image to (3, height, width) float32, normalised by the backbone's mean and std."""
        pixels = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(s).view(3, 1, 1) for s in (self.backbone.mean, self.backbone.std))
        return (pixels - mean) / std

    def _encoded(self, image: ImageLike | Encoded) -> Encoded:
        encoded = image if isinstance(image, Encoded) else self.encode(image)
        if encoded.backbone != self.backbone.uid:
            raise GclipError(
                "This image was encoded by another backbone. Encode it with this segmenter."
            )
        return encoded

    def _single(self, encoded: Encoded) -> Encoded:
        """What attention views use: itself, or with windows one unwindowed pass."""
        encoded = self._encoded(encoded)
        if encoded.window == encoded.grid:
            return encoded
        return encoder.resumed(self.backbone, encoded.whole)

    def _mean_features(self, encoded: Encoded, method: Method) -> Tensor:
        """Features averaged where windows overlap, (h*w, E) float32 on the CPU.

        The mean of cosines is the cosine with the mean, so this serves the logits of any words.
        """
        ready = self.suppress(encoded, method)
        fused = self._amf(ready, method.fusion).blocks
        W2 = None
        if method.ffn:
            last = self.backbone.n_blocks - 1
            repair = self.backbone.repair(method.suppression)
            W2 = encoder.replaced_weight(self.backbone, last, repair)
        parts: list[tuple[Grid, Tensor]] = []
        for one in ready.passes:
            heads_of = partial(encoder.block_heads, self.backbone, one)
            with torch.no_grad():
                features = last_block.apply(
                    self.backbone.model.visual,
                    method,
                    one.inputs,
                    heads_of,
                    ready.window,
                    fused,
                    W2,
                )
            parts += zip(one.corners, features.cpu(), strict=True)
        if len(parts) == 1:
            return parts[0][1]
        maps = ((corner, part.unflatten(0, ready.window)) for corner, part in parts)
        return encoder.average(maps, ready.grid, parts[0][1].shape[-1]).flatten(0, 1)

    # --- which blocks and channels -----------------------------------------------------------

    def _amf(self, source: Encoded, fusion: Fusion | None) -> FusionReport:
        """The blocks AMF fuses, and why; worked out once."""
        n, default = self.backbone.n_blocks, self.backbone.amf_blocks

        def decide() -> FusionReport:
            return amf.fused_blocks(fusion, n, default, lambda b: self.received(source, [b])[0])

        return encoder.once(source.clean, ("fused", fusion, default), decide)


def _check_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise MethodError(f"{what}s run from 0 to {count - 1}, but {what.lower()} {index} came.")


def _method(given: Method | None) -> Method:
    if given is None:
        return METHODS["gclip"]
    if not isinstance(given, Method):
        raise MethodError(
            f'A method such as METHODS["clearclip"] or gclip(…) was expected, but {given!r} came.'
        )
    if given.attention not in attention.ATTENTIONS:
        raise MethodError(
            f"'{given.attention[:80]}' is not a kind of attention. "
            f"Choose one of: {', '.join(attention.ATTENTIONS)}."
        )
    if given.calibration is not None:
        kind = attention.ATTENTIONS[given.attention]
        plain = kind == attention.Attention(kind.pairs, mean=kind.mean)
        if given.residual or given.ffn or given.fusion or not plain:
            raise MethodError(
                f"A calibration goes with plain attention such as 'kk', without fusion, residual "
                f"path and FFN, but {given.title} has {given.attention!r} or one of these. Leave "
                "them out."
            )
    return given


def _is_between(value: object, low: float, high: float) -> bool:
    return isinstance(value, Real) and low <= value <= high  # never so for nan
