"""Types of the core, and names of shapes.

Dimensions: ``L`` blocks, ``D`` width, ``H`` heads, ``d = D / H`` head width, ``h, w`` the patch
grid, ``N = h * w`` patch tokens, ``E`` embedding width, ``C`` classes. Height is before width.
Blocks count from 0 in Python, and from 1 in text for people (:mod:`gclip_core.numbering`).

A block input ``x`` is (1+N, D), its token 0 the class token. Attention ``A`` is (H, 1+N, 1+N); its
rows sum to 1, those of a sum of two softmaxes to 2. ``W2`` (D, 4D) is the FFN's second linear
layer, ``mlp.c_proj.weight``.

A type is here if several modules use it; another is beside the function that returns it.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeVar

from torch import Tensor

from gclip_core.errors import MethodError

Made = TypeVar("Made")
Grid = tuple[int, int]
"""Height and width, in patches or pixels."""

Blocks = Literal["auto", "backbone"] | tuple[int, ...]
"""0-based block indices; ``"auto"``: chosen by measurement; ``"backbone"``: the backbone's default
(the paper's blocks for OpenAI ViT-B/16, else ``"auto"``)."""


class FusionReason(StrEnum):
    """Why these blocks are fused, or none."""

    OFF = "off"
    BY_HAND = "by hand"
    BACKBONE = "backbone default"
    METHOD = "fixed by the method"
    GLOBAL_TOKENS = "first with global tokens"
    MIDDLE = "middle blocks"


@dataclass(frozen=True)
class FusionReport:
    """The blocks whose attention is fused (0-based, none without fusion), and why these."""

    blocks: tuple[int, ...]
    reason: FusionReason


class SuppressionReason(StrEnum):
    """Why CS changes these blocks, or none."""

    OFF = "off"
    BY_HAND = "by hand"
    BACKBONE = "backbone default"
    ABNORMAL = "abnormal channels"
    NONE_ABNORMAL = "no abnormal channel"
    LAST_ABNORMAL = "an abnormal channel in the last block only"


class UnknownReason(StrEnum):
    """Why a backbone does not know a phrase."""

    NEVER_MET = "never met in training"
    OTHER_LANGUAGE = "not in English letters"
    NUMBER = "a number"
    EMOJI = "an emoji"
    SYMBOL = "neither letters nor digits"


@dataclass(frozen=True)
class UnknownPhrase:
    """A phrase that a backbone was not trained on, and the nearest word that it knows, or None.

    Nothing replaces it: :func:`vocabulary.with_nearest` does, if asked.
    """

    phrase: str
    reason: UnknownReason
    nearest: str | None


@dataclass(frozen=True)
class Span:
    """Runs of blocks of a tower of ``of`` blocks, counted from 1, for towers of any depth.

    ``Span((6, 9), of=12)`` is one run of four blocks: 6, 7, 8 and 9.
    """

    runs: tuple[tuple[int, int], ...]
    of: int

    def __init__(self, *runs: tuple[int, int], of: int) -> None:
        object.__setattr__(self, "runs", runs)
        object.__setattr__(self, "of", of)

    def indices(self, n_blocks: int) -> tuple[int, ...]:
        """The 0-based blocks at the same relative depths in a tower of ``n_blocks``.

        Each run gives at least one block, but never the tower's last. Raises MethodError for a
        tower of a single block.
        """
        if n_blocks < 2:
            raise MethodError(
                "This method needs a tower of at least two blocks, but one block came; take a "
                "method that uses the last block alone, such as ClearCLIP."
            )
        blocks: set[int] = set()
        for first, last in self.runs:
            start = min(round((first - 1) * n_blocks / self.of), n_blocks - 2)
            stop = max(start + 1, round(last * n_blocks / self.of))
            blocks.update(range(start, min(stop, n_blocks - 1)))
        return tuple(sorted(blocks))


@dataclass(frozen=True)
class Fusion:
    """Which blocks' attention is fused into the last block's, and how (AMF and relatives).

    ``attention`` is the kind of the fused maps: ``"qk"``, or ``"own"`` for the kind that the method
    uses in the last block. ``heads="each"`` fuses head i with head i, ``"mean"`` the head mean with
    every head. ``weight``, from 0 to below 1, is that of the mean of the fused maps; None is the
    plain average of ``n`` maps and the last block's, ``n / (1 + n)``. ``blocks="auto"`` chooses
    ``n_fused``; a global token receives at least ``global_threshold`` times uniform attention.
    """

    blocks: Blocks | Span = "auto"
    n_fused: int = 2
    heads: Literal["each", "mean"] = "each"
    global_threshold: float = 5.0
    weight: float | None = None
    attention: Literal["qk", "own"] = "qk"


@dataclass(frozen=True)
class Calibration:
    """Settings of the calibration around the last block (:mod:`gclip_core.calibration`).

    ``outliers`` names the detector. An outlier whose neighbours are all outliers is unchanged if
    ``isolated`` is ``"kept"``, else set to 0. With ``gate_thresholded``, the gate is made of
    thresholded similarities. The second pass uses attention and gate, as the first, or the gate
    only. ``class_weight`` is the weight of the class term.
    """

    outliers: Literal["lof", "som"]
    isolated: Literal["kept", "zero"]
    gate_thresholded: bool
    second_pass: Literal["same", "gate"]
    class_weight: float = 0.3


@dataclass(frozen=True)
class Suppression:
    """CS: in ``blocks``, the channel of the FFN's output with the largest norm gets the ``target``
    norm of the others.

    It is abnormal if its norm is at least ``channel_threshold`` times the median.
    """

    blocks: Blocks = "auto"
    target: Literal["mean", "median"] = "mean"
    channel_threshold: float = 2.0


@dataclass(frozen=True)
class Method:
    """A method: how the last block is computed, what is fused, and whether CS changes other blocks.

    ``attention`` names an entry of :data:`gclip_core.attention.ATTENTIONS`; ``residual`` and
    ``ffn`` are true if the method keeps these parts of the block. ``summary`` is one sentence for
    people. ``authors``, ``year`` and ``paper`` (an arXiv number or a conference) are empty if no
    paper proposes the method. ``shown`` methods are selected in Compare by default.
    """

    name: str
    title: str
    attention: str
    residual: bool
    ffn: bool
    fusion: Fusion | None = None
    suppression: Suppression | None = None
    calibration: Calibration | None = None
    summary: str = ""
    authors: str = ""
    year: int | None = None
    paper: str = ""
    shown: bool = False

    @property
    def citation(self) -> str:
        """Authors, year and paper in one line; empty where there is no paper."""
        return f"{self.authors} {self.year}, {self.paper}" if self.year else ""


class Cached:
    """A value with a cache of what is computed from it."""

    cache: dict[Hashable, Any]

    def cached(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The value of ``key``; ``make()`` computes it the first time."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]


@dataclass(frozen=True, eq=False)
class Pass(Cached):
    """Block inputs of a batch of B windows of equal size; usually one window, the whole image.

    ``inputs[l]`` is the input of block ``l``, (B, 1+N, D) in the model's dtype; ``corners`` are the
    windows' (top, left) in patches. ``probabilities`` (B, classes) float32 are those of the stem's
    classes, None for a tower without a stem.
    """

    inputs: tuple[Tensor, ...]
    corners: tuple[Grid, ...]
    probabilities: Tensor | None = None
    cache: dict[Hashable, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class Encoded(Cached):
    """An encoded image: the input of every block, in one window or in many.

    ``grid`` is the size of the image and ``window`` that of each window, in patches; they are equal
    if there is one window. ``image_size`` is the size of the image and ``resized`` the size that
    was encoded, in pixels. ``backbone`` is the ``uid`` of the backbone. With CS in other blocks
    than the last, ``suppression`` are its settings and ``without_cs`` is the encoding that it
    resumes from. ``encode_whole`` encodes the image as one window.
    """

    passes: tuple[Pass, ...]
    grid: Grid
    window: Grid
    image_size: Grid
    resized: Grid
    backbone: str
    suppression: Suppression | None = None
    without_cs: "Encoded | None" = field(default=None, repr=False)
    encode_whole: "Callable[[], Encoded] | None" = field(default=None, repr=False)
    cache: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The input of each block in the first window, usually the only one: (1+N, D) each."""
        return tuple(x[0] for x in self.passes[0].inputs)

    @property
    def clean(self) -> "Encoded":
        """The encoding without CS."""
        return self.without_cs or self

    @property
    def whole(self) -> "Encoded":
        """The clean encoding of the whole image as one window, on which AMF chooses its blocks."""
        clean = self.clean
        return clean.cached("whole", clean.encode_whole) if clean.encode_whole else clean


@dataclass(frozen=True)
class GlobalTokens:
    """The global tokens of every block.

    ``scores[l]`` is ``max_j m_j`` of block ``l``: 1 for uniform attention, N if all patches attend
    to one. ``tokens[l]`` are the patches with ``m_j >= threshold``. ``agreement[l]`` is the mean
    cosine between their rows and the class token's row; nan without a global token.
    """

    scores: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]
    agreement: tuple[float, ...]
    threshold: float


@dataclass(frozen=True, eq=False)
class MethodReport:
    """The blocks that AMF and CS use for one image and backbone, and what determined the choice.

    ``channels[l]`` is the channel with the largest norm in block ``l``, and ``ratios[l]`` its norm
    over the median. ``abnormal`` are the blocks whose ratio is at least the threshold,
    ``suppressed`` those that CS changed. Norms before and after CS are (L, D) float32, their
    entropies (L,) in [0, 1].
    """

    fusion: FusionReport
    cs_reason: SuppressionReason
    channels: tuple[int, ...]
    ratios: tuple[float, ...]
    abnormal: tuple[int, ...]
    suppressed: tuple[int, ...]
    norms_before: Tensor
    norms_after: Tensor
    entropy: Tensor
    entropy_after: Tensor

    @property
    def n_blocks(self) -> int:
        """The depth of the tower."""
        return len(self.channels)


@dataclass(frozen=True)
class KnownWords:
    """The words that a backbone was trained on, in lower case.

    ``seen`` are the words of its training photos, each with its synonyms, ``class_words`` the words
    of each class of its stem. ``read_nearest`` reads :attr:`nearest`.
    """

    words: frozenset[str]
    seen: tuple[tuple[str, ...], ...] = ()
    class_words: tuple[tuple[str, ...], ...] = ()
    read_nearest: Callable[[], Mapping[str, str]] = field(default=dict, repr=False)

    @cached_property
    def nearest(self) -> Mapping[str, str]:
        """Other English nouns, each with the nearest known word, or "" if none is near."""
        return self.read_nearest()


@dataclass(frozen=True)
class Vocabulary:
    """Classes, each a tuple of synonyms (the first is its name); hashable.

    ``notes`` are sentences for people on duplicates that were left out.
    """

    classes: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The first word of every class."""
        return tuple(synonyms[0] for synonyms in self.classes)

    @property
    def phrases(self) -> tuple[str, ...]:
        """Every synonym of every class, in order."""
        return tuple(phrase for synonyms in self.classes for phrase in synonyms)

    @property
    def prompt_classes(self) -> tuple[int, ...]:
        """The class of each phrase."""
        return tuple(i for i, synonyms in enumerate(self.classes) for _ in synonyms)

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of each pixel, with the logits and settings that it was computed from.

    ``labels`` (height, width) int16 are at the image's own size; -1 marks a pixel without a class:
    its best score is below ``threshold``, or a background prompt fits it best. ``logits`` (prompts,
    h, w) float32 have an entry for each phrase and each prompt of ``background``;
    ``prompt_classes`` are their classes, -1 for the background. ``unknown`` are phrases that a
    backbone with a known vocabulary was not trained on. ``notes`` are sentences for people.
    ``refined`` names the refinement of the labels (:mod:`gclip_core.refine`), or is "none". Scores
    of classes are :func:`masks.scores` of the logits.
    """

    labels: Tensor
    logits: Tensor
    vocabulary: Vocabulary
    method: Method
    report: MethodReport
    prompt_classes: tuple[int, ...]
    background: tuple[str, ...]
    unknown: tuple[UnknownPhrase, ...]
    notes: tuple[str, ...]
    threshold: float
    refined: str = "none"

    def areas(self) -> tuple[float, ...]:
        """Share of the image's pixels per class, in [0, 1]."""
        counts = (self.labels.flatten() + 1).bincount(minlength=len(self.vocabulary) + 1)
        return tuple((counts[1:].double() / self.labels.numel()).tolist())

    def no_class_area(self) -> float:
        """Share of the image's pixels without a class."""
        return float((self.labels < 0).double().mean())
