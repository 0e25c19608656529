"""The result of a segmentation."""

from dataclasses import dataclass

from torch import Tensor

from gclip_core.amf import FusionReport
from gclip_core.cs import SuppressionReason
from gclip_core.methods import Method
from gclip_core.words.vocabulary import UnknownPhrase, Vocabulary


@dataclass(frozen=True, eq=False)
class MethodReport:
    """The blocks that AMF and CS use for one image and backbone, and what determined the choice.

    ``channels[l]`` is the channel with the largest norm in block ``l``, and ``ratios[l]`` its norm
    over the median. ``abnormal`` are the blocks whose ratio reaches the threshold, ``suppressed``
    those that CS changed. Norms before and after CS are (L, D) float32.
    """

    fusion: FusionReport
    cs_reason: SuppressionReason
    channels: tuple[int, ...]
    ratios: tuple[float, ...]
    abnormal: tuple[int, ...]
    suppressed: tuple[int, ...]
    norms_before: Tensor
    norms_after: Tensor


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of each pixel, with the logits and settings that it was computed from.

    ``labels`` (height, width) int16 are at the image's own size; -1 marks a pixel without a class,
    because its best score is below ``threshold`` or the background fits it best. ``logits``
    (prompts, h, w) float32 have an entry for each phrase, then one for the background, if there is
    any; ``prompt_classes`` are their classes, -1 for the background. ``background`` are those
    background words that fit some patch best, and ``background_map`` (h, w) int64 has the index of
    each patch's best one; they are () and None without a background. ``unknown`` are phrases that a
    backbone with a known vocabulary does not know. ``notes`` are sentences for people.
    ``refined`` names the refinement of the labels (``gclip_core.pixels.refine``), or is "none". The
    scores of classes are ``masks.scores`` of the logits. ``purified`` names the purification
    (``gclip_core.freecp``), or is "none". After a purification, the scores are its ``maps`` (C, h,
    w) float32 from 0 to 1, and ``threshold`` takes its background into account.
    """

    labels: Tensor
    logits: Tensor
    vocabulary: Vocabulary
    method: Method
    report: MethodReport
    prompt_classes: tuple[int, ...]
    background: tuple[str, ...]
    background_map: Tensor | None
    unknown: tuple[UnknownPhrase, ...]
    notes: tuple[str, ...]
    threshold: float
    refined: str = "none"
    purified: str = "none"
    maps: Tensor | None = None

    def areas(self) -> tuple[float, ...]:
        """The share of the image's pixels of each class, in [0, 1]."""
        counts = (self.labels.flatten() + 1).bincount(minlength=len(self.vocabulary) + 1)
        return tuple((counts[1:].double() / self.labels.numel()).tolist())

    def no_class_area(self) -> float:
        """The share of the image's pixels without a class."""
        return float((self.labels < 0).double().mean())
