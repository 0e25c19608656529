"""The library's main class: masks, suggested words and reports."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gclip_core import encoder, last_block
from gclip_core.backbones.backbone import Backbone
from gclip_core.encoder import Encoded
from gclip_core.errors import GclipError, check_between, check_choice, check_count
from gclip_core.methods import GCLIP, METHODS, Method, checked
from gclip_core.pixels import images, masks
from gclip_core.pixels.refine import REFINEMENTS, picture_of, refined
from gclip_core.relatives import freecp
from gclip_core.result import MethodReport, Segmentation, method_report
from gclip_core.types import Grid, Size
from gclip_core.words import suggest, text, vocabulary
from gclip_core.words.background import (
    BACKGROUND_WEIGHT,
    HiddenWords,
    compete,
    hidden_of_image,
    hidden_of_words,
)
from gclip_core.words.suggest import Matches
from gclip_core.words.vocabulary import Prompts, Words

NO_BACKGROUND = "No background word is left: every pixel gets a typed word."


@dataclass(frozen=True, eq=False)
class Segmenter:
    """Segments images with a backbone; immutable, so threads may share it.

    An image's shorter side is scaled to ``short_side`` pixels (default: the backbone's). Windows
    have ``window`` pixels a side and start every ``stride`` pixels; the default is no windows.
    ``templates`` is a name in ``text.TEMPLATES``. Logits are ``logit_scale`` (1e-6 to 1e6) times
    the cosine. An image has at most ``max_patches`` patches.

    Instead of an image, methods take an encoding that a segmenter with the same backbone, size and
    windows made, or its ``whole``. An encoding's CS is ignored: each method applies its own.

    Raises GclipError for a setting out of range. Its methods raise GclipError for another encoding,
    MethodError for a ``Method`` that cannot be computed, and ImageError for fewer than 31 patches
    with SC-CLIP.
    """

    backbone: Backbone
    short_side: int | None = None
    window: int | None = None
    stride: int = 112
    templates: str = "imagenet80"
    logit_scale: float = 40.0
    max_patches: int = images.MAX_PATCHES

    def __post_init__(self) -> None:
        if not isinstance(self.backbone, Backbone):
            raise GclipError(f"{self.backbone!r:.40} is not a Backbone; use load_backbone.")
        optional = [name for name in ("short_side", "window") if getattr(self, name) is not None]
        for name in (*optional, "stride", "max_patches"):
            check_count(name, getattr(self, name))
        check_between("logit_scale", self.logit_scale, 1e-6, 1e6)
        check_choice("templates", self.templates, text.TEMPLATES)

    def encode(self, image: images.Source) -> Encoded:
        """Encodes an image, as a whole or in windows, for all methods and any words.

        Raises ImageError for anything that is not an image, is damaged, or is too large.
        """
        return self._encode(images.check(image))

    def _encode(self, picture: Image.Image) -> Encoded:
        """Encodes a checked image."""
        own = (picture.height, picture.width)
        pixels = np.array(images.resize(picture, self._size(own)), dtype=np.float32) / 255
        mean, std = np.array([self.backbone.mean, self.backbone.std], np.float32)
        scaled = torch.from_numpy((pixels - mean) / std).permute(2, 0, 1)
        return encoder.encode(self.backbone, scaled, own, self.window, self.stride)

    def _size(self, size: Size) -> Size:
        """The size in pixels at which an image of ``size`` is encoded."""
        side = self.short_side or self.backbone.short_side
        return images.target_size(size, side, self.backbone.patch, self.max_patches)

    def dense_features(self, image: images.Source | Encoded, method: Method = GCLIP) -> Tensor:
        """Dense features of an image's patches, (h, w, E) float32, L2-normalised; with a proxy, the
        grid may be finer than the patches."""
        checked(method)  # before the work
        encoded = self._as_encoded(image)
        return F.normalize(encoded.average(last_block.features(method, encoded)), dim=-1)

    def segment(
        self,
        image: images.Source | Encoded,
        words: Words,
        method: Method = GCLIP,
        *,
        threshold: float = 0.0,
        background: bool | Iterable[str] = False,
        background_weight: float = BACKGROUND_WEIGHT,
        purify: str = "none",
        refine: str = "none",
        picture: images.Source | None = None,
    ) -> Segmentation:
        """Finds the class of each pixel among ``words``, a list or text as a person types it.

        With ``background=True``, the image's own words compete with the typed ones
        (``gclip_core.words.background``); a list gives other words that compete.
        ``background_weight``, from 0 (no background) to 1, weakens their logits
        (``add_background`` there). A pixel gets no class if the background fits it best, or if the
        best score is below ``threshold``.

        With ``purify="freecp"``, labels, scores and ``threshold`` are those of FreeCP's maps
        (``relatives.freecp``), and its own background replaces the library's: the hidden words of a
        ``background`` only take part in the softmax, not weakened by ``background_weight``, and a
        pixel has a class if a score is at least one half.

        ``refine`` is "none" or a name in ``pixels.refine.REFINEMENTS``: edges then follow the
        image, and outlines are smoothed. For an encoding, this needs ``picture``, the image that
        was encoded; otherwise ``picture`` is not used. Raises GclipError for an image, words or
        settings that cannot be used.
        """
        check_between("threshold", threshold, 0, 1)
        check_between("background_weight", background_weight, 0, 1)
        check_choice("purify", purify, ("none", *freecp.PURIFICATIONS))
        check_choice("refine", refine, ("none", *REFINEMENTS))
        _check_background(background)
        method = checked(method)
        prompts = self.prompts(words)
        photo = None if isinstance(image, Encoded) else images.check(image)
        encoded = self._as_encoded(image) if photo is None else self._encode(photo)
        guide = None if refine == "none" else photo or picture_of(encoded.image_size, picture)
        source = last_block.encoding_for(method, encoded)
        windows = last_block.features(method, source)
        # The mean of cosines is the dot product with the mean of the unit vectors, so these are not
        # normalised again.
        features = source.average(windows)
        hidden = self._hidden(encoded, features, prompts, background, background_weight)
        competition = compete(features, prompts, hidden, self.logit_scale, background_weight)
        maps, notes, size = None, prompts.notes, encoded.image_size
        if purify == "none":
            labels = masks.labels(competition.logits, competition.prompt_classes, size, threshold)
            if hidden is not None and not hidden.words:
                notes = (*notes, NO_BACKGROUND)
        else:
            maps = freecp.class_maps(source, windows, prompts, hidden)
            if hidden is not None:
                threshold = max(threshold, freecp.BACKGROUND_THRESHOLD)
            labels = masks.map_labels(maps, size, threshold)
        result = Segmentation(
            labels=labels,
            logits=competition.logits,
            vocabulary=prompts.vocabulary,
            method=method,
            report=self.report(encoded, method),
            prompt_classes=competition.prompt_classes,
            background=competition.background,
            background_map=competition.background_map,
            unknown=prompts.unknown,
            notes=notes,
            threshold=threshold,
            purified=purify,
            maps=maps,
        )
        return result if guide is None else refined(result, guide, refine)

    def _hidden(
        self,
        encoded: Encoded,
        features: Tensor,
        prompts: Prompts,
        background: bool | Iterable[str],
        weight: float,
    ) -> HiddenWords | None:
        """The hidden words for an image's features (h, w, E); None without a background."""
        if not background or not weight:
            return None
        if background is not True:
            return hidden_of_words(self.backbone, prompts.vocabulary, background, self.templates)
        features = F.normalize(features, dim=-1)
        return hidden_of_image(self.backbone, prompts, features, self._matches(encoded, features))

    @torch.no_grad()
    def labels_by_block(
        self,
        image: images.Source | Encoded,
        words: Words,
        method: Method = GCLIP,
        *,
        background: bool | Iterable[str] = False,
        background_weight: float = BACKGROUND_WEIGHT,
    ) -> Tensor:
        """The class of each patch from the output of every block: (L, h, w) int16, -1 for none.

        The patch tokens after each block but the last go through ``ln_post`` and the projection, as
        if that block were the last (a logit lens). The last entry is ``method``'s own last block.
        All use the encoding of the whole image as one window, with ``method``'s CS. Words,
        background and errors are those of ``segment``.
        """
        check_between("background_weight", background_weight, 0, 1)
        _check_background(background)
        method, prompts = checked(method), self.prompts(words)
        source = last_block.encoding_for(method, self._as_encoded(image).whole)
        tokens = torch.stack([x[0, 1:] for x in source.inputs[1:]]).unflatten(1, source.grid)
        features = last_block.projected(self.backbone.visual, tokens).cpu()
        (last,) = last_block.features(method, source)
        if last.shape[:2] != source.grid:
            last = F.adaptive_avg_pool2d(last.permute(2, 0, 1), source.grid).permute(1, 2, 0)
        hidden = self._hidden(source, last, prompts, background, background_weight)
        class_of = torch.tensor((*prompts.vocabulary.prompt_classes, -1), dtype=torch.int16)
        every = (
            compete(x, prompts, hidden, self.logit_scale, background_weight)
            for x in (*features, last)
        )
        return torch.stack([class_of[one.logits.argmax(0)] for one in every])

    def suggest(self, image: images.Source | Encoded, most: int = 5) -> tuple[str, ...]:
        """Words for what the image shows, things before stuff: at most ``most``, at least one."""
        check_count("most", most)
        return suggest.choose(suggest.candidates_of(self.backbone), self.matches(image), most)

    def matches(self, image: images.Source | Encoded) -> Matches:
        """How the words that can be suggested match the image.

        Computed from ClearCLIP's features of the whole image and, if there is one, the stem's image
        classifier.
        """
        whole = self._as_encoded(image).whole
        return self._matches(whole, self.dense_features(whole, METHODS["clearclip"]))

    def _matches(self, encoded: Encoded, features: Tensor) -> Matches:
        """How the words that can be suggested match the features (h, w, E) of an encoded image."""
        # Only a stem has probabilities; without one, the image is not encoded as a whole for them.
        whole = None if encoded.probabilities is None else encoded.whole.probabilities
        probabilities = None if whole is None else whole[0].cpu()
        return suggest.match(self.backbone, features, probabilities)

    def prompts(self, words: Words) -> Prompts:
        """Parses and embeds words for ``segment``."""
        return vocabulary.prompts(self.backbone, words, self.templates)

    def count_windows(self, size: Size) -> tuple[int, int]:
        """The number of windows of an image of ``size`` (height, width), and of patches in each."""
        _, window, corners = self._windows(size)
        return len(corners), window[0] * window[1]

    def _windows(self, size: Size) -> tuple[Grid, Grid, list[Grid]]:
        """The grid of an image of ``size``, the size of each window, and their corners."""
        patch = self.backbone.patch
        height, width = self._size(size)
        grid = height // patch, width // patch
        return grid, *encoder.windows(grid, patch, self.window, self.stride)

    def report(self, image: images.Source | Encoded, method: Method = GCLIP) -> MethodReport:
        """The blocks and channels that ``method`` uses for this image, with norms and reasons."""
        checked(method)  # before the work
        return method_report(self._as_encoded(image), method)

    def _as_encoded(self, image: images.Source | Encoded) -> Encoded:
        """The encoding of an image, or the given one if this segmenter can use it."""
        if not isinstance(image, Encoded):
            return self.encode(image)
        if image.backbone is not self.backbone:
            raise GclipError(
                "This image was encoded by another backbone. Encode it with this segmenter."
            )
        grid, window, corners = self._windows(image.image_size)
        is_own = (image.window_grid, image.corners) == (window, tuple(corners))
        if image.grid != grid or not (is_own or image.window_grid == grid):
            raise GclipError(
                f"This segmenter encodes the image as {grid[0]} × {grid[1]} patches in windows of "
                f"{window[0]} × {window[1]}, {len(corners)} in all, but it was encoded as "
                f"{image.grid[0]} × {image.grid[1]} in windows of {image.window_grid[0]} × "
                f"{image.window_grid[1]}, {len(image.corners)} in all. Encode it with this "
                "segmenter."
            )
        return image


def _check_background(background: object) -> None:
    """Raises GclipError for what would be read as words by mistake."""
    if isinstance(background, str | np.ndarray):
        raise GclipError(
            f"background must be True, False or a list of words, not {background!r:.80}."
        )
