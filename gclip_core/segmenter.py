"""The library's main class: masks, suggested words and reports."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gclip_core import encoder
from gclip_core.backbones.backbone import Backbone
from gclip_core.encoder import Encoded
from gclip_core.errors import GclipError, check_between, check_choice, check_count
from gclip_core.marks import Likeness, Mark, decide, evidence, likeness, of_marks, read
from gclip_core.methods import GCLIP, METHODS, Method, checked
from gclip_core.pixels import images, masks
from gclip_core.pixels.refine import REFINEMENTS, image_of, refined
from gclip_core.result import MethodReport, Segmentation, method_report
from gclip_core.types import Grid, Size
from gclip_core.words import suggest, text, vocabulary
from gclip_core.words.background import (
    BACKGROUND_WEIGHT,
    Competition,
    background_of_image,
    background_of_words,
    compete,
)
from gclip_core.words.suggest import Matches
from gclip_core.words.vocabulary import Prompts, Shown, Words

NEVER = -1e4
"""The logit of a word that gets no pixel."""


@dataclass(frozen=True, eq=False)
class Segmenter:
    """Segments images with a backbone; immutable, so threads may share it.

    An image's shorter side is scaled to ``short_side`` pixels (default: the backbone's).
    ``templates`` is a name in ``text.TEMPLATES``. Logits are ``logit_scale`` (1e-6 to 1e6) times
    the cosine. An image has at most ``max_patches`` patches.

    Instead of an image, methods take an encoding that a segmenter with the same backbone and size
    made. Its CS is ignored: each method applies its own.

    Raises GclipError for a setting out of range. Its methods raise GclipError for another encoding,
    and MethodError for a ``Method`` that cannot be computed.
    """

    backbone: Backbone
    short_side: int | None = None
    templates: str = "imagenet80"
    logit_scale: float = 40.0
    max_patches: int = images.MAX_PATCHES

    def __post_init__(self) -> None:
        if not isinstance(self.backbone, Backbone):
            raise GclipError(f"{self.backbone!r:.40} is not a Backbone; use load_backbone.")
        if self.short_side is not None:
            check_count("short_side", self.short_side)
        check_count("max_patches", self.max_patches)
        check_between("logit_scale", self.logit_scale, 1e-6, 1e6)
        check_choice("templates", self.templates, text.TEMPLATES)

    def encode(self, source: images.Source) -> Encoded:
        """Encodes an image for all methods and any words.

        Raises ImageError for anything that is not an image, is damaged, or is too large.
        """
        return self._encode(images.check(source))

    def _encode(self, image: Image.Image) -> Encoded:
        """Encodes a checked image."""
        size = image.height, image.width
        return encoder.encode(self.backbone, self.pixels(image), size)

    def pixels(self, image: Image.Image) -> Tensor:
        """A checked image, scaled and normalised for the tower: (3, height, width) float32."""
        size = self._size((image.height, image.width))
        pixels = np.array(images.resize(image, size), dtype=np.float32) / 255
        mean, std = np.array([self.backbone.mean, self.backbone.std], np.float32)
        return torch.from_numpy((pixels - mean) / std).permute(2, 0, 1)

    def _size(self, size: Size) -> Size:
        """The size in pixels at which an image of ``size`` is encoded."""
        side = self.short_side or self.backbone.short_side
        return images.target_size(size, side, self.backbone.patch, self.max_patches)

    def dense_features(self, source: images.Source | Encoded, method: Method = GCLIP) -> Tensor:
        """Dense features of an image's patches, (h, w, E) float32, L2-normalised; with a proxy, the
        grid may be finer than the patches."""
        checked(method)  # before the work
        return self._unit_features(self._as_encoded(source), method)

    def _unit_features(self, encoded: Encoded, method: Method) -> Tensor:
        """Normalised again, which changes last bits, with which thresholds were chosen."""
        return F.normalize(self._features(encoded, method), dim=-1)

    def _clearclip(self, encoded: Encoded) -> Tensor:
        """What suggestions and the likeness of patches depend on, whatever method is used."""
        return self._unit_features(encoded, METHODS["clearclip"])

    def _features(self, encoded: Encoded, method: Method) -> Tensor:
        """The features of ``Method.features``, computed once for an encoding."""
        return encoded.once(("features", method), lambda: method.features(encoded))

    def segment(
        self,
        source: images.Source | Encoded,
        words: Words,
        method: Method = GCLIP,
        *,
        threshold: float = 0.0,
        background: bool | Iterable[str] = False,
        background_weight: float = BACKGROUND_WEIGHT,
        refine: str = "none",
        image: images.Source | None = None,
        marks: Iterable[Mark] = (),
        shown: Iterable[Shown] = (),
        prune: bool = False,
    ) -> Segmentation:
        """Finds the class of each pixel among ``words``, a list or text as a person types it.

        With ``background=True``, the image's own words compete with the typed ones
        (``gclip_core.words.background``); a list gives other words that compete.
        ``background_weight``, from 0 (no background) to 1, weakens their logits
        (``compete`` there). A pixel gets no class if the background fits it best, or if the
        best score is below ``threshold``.

        With ``prune``, words of a long list that the image hardly shows get no pixel
        (``suggest.seen``).

        ``marks`` on the image say what is there, or that none of the words is; they count beside
        the words (``gclip_core.marks``), but the text of a class none of whose words the backbone
        knows does not: it is what its marks show. With marks, there may be no words: what is like
        no mark then gets no class, whatever ``background`` says. Words with the name of a ``shown``
        one mean what ``show`` was shown; each must be among the words.

        ``refine`` is "none" or a name in ``pixels.refine.REFINEMENTS``: edges then follow the
        image, and outlines are smoothed. For an encoding, this needs ``image``, the one that was
        encoded; otherwise, ``image`` is not used. Raises GclipError for an image, words or settings
        that cannot be used.
        """
        check_between("threshold", threshold, 0, 1)
        check_between("background_weight", background_weight, 0, 1)
        check_choice("refine", refine, ("none", *REFINEMENTS))
        if isinstance(background, str | np.ndarray):  # would be read as words by mistake
            raise GclipError(
                f"background must be True, False or a list of words, not {background!r:.80}."
            )
        method, marks, shown = checked(method), tuple(marks), tuple(shown)
        prompts = self.prompts(words, shown) if words or shown or not marks else None
        if isinstance(source, Encoded):
            encoded = self._as_encoded(source)
            image = None if refine == "none" else image_of(encoded.image_size, image)
        else:
            image = images.check(source)
            encoded = self._encode(image)
        named, class_of = read(marks, prompts and prompts.vocabulary)
        counted, numbers = prompts, range(len(named))
        if prompts and marks:
            counted, numbers = prompts.known()
        if counted:
            competition = self._compete(encoded, method, counted, background, background_weight)
        else:
            grid = self._features(encoded, method).shape[:2]
            competition = Competition(torch.empty(0, *grid), ())
        logits = competition.logits
        classes = tuple(numbers[c] if c >= 0 else c for c in competition.prompt_classes)
        if counted and prune:
            logits = self._pruned(encoded, counted, logits)
        if marks:
            alike, grid = self._likeness(encoded), logits.shape[1:]
            found = evidence(alike, marks, class_of, encoded.image_size, grid)
            logits, classes = decide(logits, classes, found, len(named))
        if image is None or refine == "none":
            labels = masks.labels(logits, classes, encoded.image_size, threshold)
        else:
            labels = refined(logits, classes, image, refine, threshold)
        return Segmentation(
            labels=labels,
            logits=logits,
            vocabulary=named,
            method=method,
            report=method_report(encoded, method),
            prompt_classes=classes,
            background=competition.background,
            background_map=competition.background_map,
            unknown=prompts.unknown if prompts else (),
            notes=(*(prompts.notes if prompts else ()), *competition.notes),
            threshold=threshold,
            refined=refine,
            marks=marks,
        )

    def _compete(
        self,
        encoded: Encoded,
        method: Method,
        prompts: Prompts,
        background: bool | Iterable[str],
        weight: float,
    ) -> Competition:
        """The logits of words and, if there is one, of a background."""
        features = self._features(encoded, method)
        cosines = prompts.cosines(features)
        if not background or not weight:
            others = None
        elif background is True:
            own = self._unit_features(encoded, method)
            matches = suggest.match(self.backbone, own, encoded.probabilities)
            others = background_of_image(self.backbone, prompts, cosines, matches)
        else:
            typed = prompts.vocabulary
            others = background_of_words(self.backbone, typed, background, self.templates)
        return compete(features, prompts, cosines, others, self.logit_scale, weight)

    def _pruned(self, encoded: Encoded, prompts: Prompts, logits: Tensor) -> Tensor:
        """The logits with NEVER for classes that the image hardly shows; the background's, which
        come last, are kept."""
        classes = list(prompts.vocabulary.prompt_classes)
        cosines = prompts.cosines(self._clearclip(encoded))
        kept = suggest.seen(cosines, classes, self._matches(encoded).deviation)
        unseen = F.pad(~kept[classes], (0, len(logits) - len(classes)))
        return logits.masked_fill(unseen[:, None, None], NEVER)

    def suggest(self, source: images.Source | Encoded, most: int = 5) -> tuple[str, ...]:
        """Words for what the image shows, things before stuff: at most ``most``, at least one."""
        check_count("most", most)
        return suggest.choose(suggest.candidates_of(self.backbone), self.matches(source), most)

    def matches(self, source: images.Source | Encoded) -> Matches:
        """How the words that can be suggested match the image.

        Computed from ClearCLIP's features and, if there is one, the stem's image classifier.
        """
        return self._matches(self._as_encoded(source))

    def _matches(self, encoded: Encoded) -> Matches:
        return suggest.match(self.backbone, self._clearclip(encoded), encoded.probabilities)

    def _likeness(self, encoded: Encoded) -> Likeness:
        """How alike the image's patches are; computed once for an encoding.

        It depends on ClearCLIP's features and, if there is one, the stem's.
        """
        encoded = encoded.without_cs or encoded

        def make() -> Likeness:
            return likeness(encoded, self._matches(encoded), self._clearclip(encoded))

        return encoded.once("likeness", make)

    def show(
        self,
        name: str,
        *examples: tuple[images.Source | Encoded, Iterable[Mark]],
        method: Method = GCLIP,
    ) -> Shown:
        """A word for what marks show on one or several images, to find it on others.

        On each image, marks with any word show the thing, and those without show what it is not.
        Raises GclipError without an example, or if it has no mark with a word.
        """
        patches = list[Tensor]()
        for source, marks in examples:
            encoded = self._as_encoded(source)
            taken = of_marks(self._likeness(encoded), tuple(marks), encoded.image_size)
            features = self._unit_features(encoded, checked(method))
            if taken.shape != features.shape[:2]:  # the method's grid is finer
                taken = F.interpolate(taken[None, None].float(), features.shape[:2])[0, 0] > 0
            patches.append(features[taken])
        if not patches or any(not len(one) for one in patches):
            raise GclipError("Show the word with at least one mark that has a word, on each image.")
        # Images count alike, however many of their patches are shown.
        mean = F.normalize(torch.stack([one.mean(0) for one in patches]).mean(0), dim=0)
        of_all, candidates = torch.cat(patches), suggest.candidate_text(self.backbone)
        cosines = of_all @ candidates.T
        closest = candidates[cosines.mean(0).argmax()]  # makes a mean of few patches less narrow
        vector = F.normalize(mean + closest, dim=0)
        return Shown(name, vector * cosines.amax(1).mean() / (of_all @ vector).mean())

    def prompts(self, words: Words, shown: Iterable[Shown] = ()) -> Prompts:
        """Parses and embeds words for ``segment``."""
        return vocabulary.prompts(self.backbone, words, self.templates, shown)

    def grid(self, size: Size) -> Grid:
        """The size in patches at which an image of ``size`` (height, width) is encoded."""
        height, width = self._size(size)
        return height // self.backbone.patch, width // self.backbone.patch

    def report(self, source: images.Source | Encoded, method: Method = GCLIP) -> MethodReport:
        """The blocks and channels that ``method`` uses for this image, with norms and reasons."""
        checked(method)  # before the work
        return method_report(self._as_encoded(source), method)

    def _as_encoded(self, source: images.Source | Encoded) -> Encoded:
        """The encoding of an image, or the given one if this segmenter can use it."""
        if not isinstance(source, Encoded):
            return self.encode(source)
        if source.backbone is not self.backbone:
            raise GclipError(
                "This image was encoded by another backbone. Encode it with this segmenter."
            )
        grid = self.grid(source.image_size)
        if source.grid != grid:
            raise GclipError(
                f"This segmenter encodes the image as {grid[0]} × {grid[1]} patches, but it was "
                f"encoded as {source.grid[0]} × {source.grid[1]}. Encode it with this segmenter."
            )
        return source
