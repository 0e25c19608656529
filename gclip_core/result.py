"""The result of a segmentation."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import Any

from torch import Tensor

from gclip_core import cs, formats
from gclip_core.cs import Suppression
from gclip_core.encoder import Encoded
from gclip_core.marks import Mark
from gclip_core.methods import Method
from gclip_core.numbering import ChosenBlocks, block_numbers
from gclip_core.words.vocabulary import UnknownPhrase, Vocabulary


@dataclass(frozen=True, eq=False)
class MethodReport:
    """The blocks that AMF and CS use for one image and backbone, and what determined the choice.

    ``channels[l]`` is the channel with the largest norm in block ``l``, and ``ratios[l]`` its norm
    over the median. ``outlier_blocks`` are those whose ratio reaches the threshold. Norms before
    and after CS are (L, D) float32.
    """

    fused: ChosenBlocks
    suppressed: ChosenBlocks
    channels: tuple[int, ...]
    ratios: tuple[float, ...]
    outlier_blocks: tuple[int, ...]
    norms_before: Tensor
    norms_after: Tensor


def method_report(encoded: Encoded, method: Method) -> MethodReport:
    """The report of a method for an encoded image."""
    backbone = encoded.backbone
    suppressed = method.suppressed(backbone)
    limit = (method.suppression or Suppression()).channel_threshold
    after = backbone.norms.clone()
    for block in suppressed.blocks:
        after[block] *= cs.channel_factors(after[block])
    return MethodReport(
        fused=method.last.fused(encoded),
        suppressed=suppressed,
        channels=tuple(backbone.norms.argmax(1).tolist()),
        ratios=backbone.ratios,
        outlier_blocks=cs.outlier_blocks(backbone.ratios, limit),
        norms_before=backbone.norms.clone(),  # the backbone keeps its own
        norms_after=after,
    )


def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage."""
    return "<0.1 %" if 0 < share < 5e-4 else f"{100 * share:.1f} %"


def unknown_words(unknown: Iterable[UnknownPhrase]) -> str:
    """Unknown words with the reason and the nearest known word."""
    return ", ".join(
        f"{entry.phrase} ({entry.reason}; nearest known word: {entry.nearest or 'none'})"
        for entry in unknown
    )


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """The class of each pixel, with the logits and settings that it was computed from.

    Printed, it is the share of each class that has pixels, the unknown words and the notes.
    """

    labels: Tensor
    """(height, width) int16, at the image's own size; -1 marks a pixel without a class, because its
    best score is below ``threshold`` or the background fits it best."""
    logits: Tensor
    """(prompts, h, w) float32: an entry for each phrase, then one for the background, if any."""
    vocabulary: Vocabulary
    method: Method
    report: MethodReport
    prompt_classes: tuple[int, ...]
    """The class of each entry of ``logits``, -1 for the background."""
    background: tuple[str, ...]
    """The background words that fit some patch best; () without a background."""
    background_map: Tensor | None
    """(h, w) int64: the index of each patch's best background word, else None."""
    unknown: tuple[UnknownPhrase, ...]
    """Phrases that a backbone with a known vocabulary does not know."""
    notes: tuple[str, ...]
    """Sentences for people."""
    threshold: float
    refined: str = "none"
    """The refinement of the labels, a name in ``pixels.refine.REFINEMENTS``, if any."""
    marks: tuple[Mark, ...] = ()

    def areas(self) -> tuple[float, ...]:
        """The share of the image's pixels of each class, in [0, 1]."""
        counts = (self.labels.flatten().long() + 1).bincount(minlength=len(self.vocabulary) + 1)
        return tuple((counts[1:].double() / self.labels.numel()).tolist())

    def no_class_area(self) -> float:
        """The share of the image's pixels without a class."""
        return float((self.labels < 0).double().mean())

    def __repr__(self) -> str:
        areas = {name: area for name, area in self._areas_by_name().items() if area}
        areas |= {"no class": self.no_class_area()} if self.no_class_area() else {}
        lines = [", ".join(f"{name} {percent(area)}" for name, area in areas.items())]
        if self.unknown:
            lines.append(f"this model does not know {unknown_words(self.unknown)}")
        return "\n".join(fill(line, 96, subsequent_indent="  ") for line in (*lines, *self.notes))

    def _areas_by_name(self) -> dict[str, float]:
        return dict(zip(self.vocabulary.names, self.areas(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """The result without arrays, for JSON. ``areas`` and ``no_class`` are shares of the image;
        blocks are numbered from 1."""
        return {
            "height": self.labels.shape[0],
            "width": self.labels.shape[1],
            "classes": [list(synonyms) for synonyms in self.vocabulary.classes],
            "areas": self._areas_by_name(),
            "no_class": self.no_class_area(),
            "background": list(self.background),
            "method": self.method.name,
            "refine": self.refined,
            "marks": [asdict(mark) for mark in self.marks],
            "amf_blocks": list(block_numbers(self.report.fused.blocks)),
            "amf_reason": self.report.fused.reason,
            "cs_blocks": list(block_numbers(self.report.suppressed.blocks)),
            "cs_reason": self.report.suppressed.reason,
            "unknown": [asdict(entry) for entry in self.unknown],
            "notes": list(self.notes),
        }

    def to_coco(self, file_name: str = "image", **options: Any) -> dict[str, Any]:
        """The COCO dictionary of the image; options and errors are those of ``formats.coco``."""
        return formats.coco(self, file_name, **options)

    def to_detections(self, objects: float | None = None) -> Any:
        """supervision's ``Detections``; option and errors are those of ``formats.detections``."""
        return formats.detections(self, objects)
