"""From a request to its answer: read once into a question, computed once into a frozen value.

Usage::

    engine = Engine()                                    # once: backbones and bounded caches
    question = resolve(engine, Request(settings, path))  # picture, words and methods, resolved
    answer = compute(engine, question)                   # mask, findings, words to add
    value = side.compute(engine, answer)                 # a tab's own arrays, see demo.tabs
    shown = side.view(value)                             # what its components show
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from demo import cost, variants
from demo.engine import SUGGESTED, Engine, Request, Scene
from demo.host import logs
from demo.host.zero_gpu import WITHOUT_GPU
from demo.settings import MAX_CLASSES, Settings
from demo.variants import Switches
from evaluation import metric
from gclip_core import masks, refine, vocabulary
from gclip_core.backbone import Backbone
from gclip_core.errors import VocabularyError
from gclip_core.types import (
    Grid,
    Method,
    MethodReport,
    Overtaken,
    Segmentation,
    UnknownPhrase,
    Vocabulary,
    class_shares,
)
from gclip_core.vocabulary import ParsedWords

MORE = 6
"""Words that are offered besides those that fill an empty field."""
PLAIN = ("compare", "learn")
"""Tabs whose masks are plain, as in the papers, so that their figures agree with theirs."""


@dataclass(frozen=True, eq=False)
class Question:
    """A request once it is read: its ``settings`` with words, its scene, its methods.

    ``rest`` is the argument of :meth:`Segmenter.segment` for hidden words, which ``words`` have.
    ``replaced`` are the unknown phrases in whose place ``words`` have the nearest known ones.
    ``refine`` names how the edges of its masks follow the picture, "none" on the tabs PLAIN.
    ``switched`` are ClearCLIP without and with (AMF, CS), ``chosen`` is the method that the page's
    switches name. ``started`` is when reading began, by ``perf_counter``; ``was_encoded`` whether
    the picture's encoding was cached by then.
    """

    request: Request
    settings: Settings
    scene: Scene
    words: ParsedWords
    replaced: tuple[UnknownPhrase, ...]
    rest: str
    refine: str
    switched: Mapping[Switches, Method]
    chosen: Method
    started: float
    was_encoded: bool

    @property
    def text(self) -> str:
        """The words that are looked for, as a person would type them."""
        if not self.replaced:
            return self.settings.words
        return ", ".join("; ".join(synonyms) for synonyms in self.words.classes.classes)


@dataclass(frozen=True, eq=False)
class Segmented:
    """A segmentation with its seconds from the cached encoding on, and what is counted of it.

    ``shares`` of the picture are per class, and last that of no class; ``scores`` are against the
    truth, where it is known.
    """

    result: Segmentation
    seconds: float
    shares: tuple[float, ...]
    scores: metric.WordScores


@dataclass(frozen=True, eq=False)
class Mask:
    """The mask of one method: labels (H, W) int16 at the picture's size, -1 for no class.

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


@dataclass(frozen=True)
class Status:
    """How an answer was made: by which backbone (its title, and its name in the table), of how many
    patches.

    ``unknown`` are words that the backbone never met, and that none replaces; ``no_gpu``: none was
    lent; ``scaled``: the (height, width) of an upload and the smaller one that the page works at.
    """

    title: str
    name: str
    grid: Grid
    notes: tuple[str, ...]
    unknown: tuple[UnknownPhrase, ...]
    no_gpu: bool
    scaled: tuple[Grid, Grid] | None


@dataclass(frozen=True, eq=False)
class Answer:
    """What every tab shows of a question.

    ``mask`` and ``report`` are those of the chosen method. ``gclip`` is the report of GCLIP with
    both switches on: which blocks AMF and CS take, whether or not they are on. ``block`` (0-based)
    is the one whose channels are shown. ``overtaken`` are known words that get hardly a pixel;
    ``more_words`` may be added. ``refined`` names how the edges of the mask follow the picture:
    "none" also where that would take too long.
    """

    question: Question
    mask: Mask
    report: MethodReport
    gclip: MethodReport
    grid: Grid
    block: int
    overtaken: tuple[Overtaken, ...]
    more_words: tuple[str, ...]
    refined: str
    status: Status


def resolve(engine: Engine, request: Request) -> Question:
    """Read a request once; without words those of the example, or suggested ones, are its words.

    Raises:
        GclipError: the picture, backbone, words or settings cannot be used.
    """
    started, settings = time.perf_counter(), request.settings
    typed = check_words(settings.words) if settings.words.strip() else None
    scene = engine.scene(request)
    was_encoded = engine.is_encoded(scene)
    if typed is None:
        words = known_words(scene.clean.backbone, scene.picture.words)
        if not words:
            with engine.turn(scene):
                words = ", ".join(engine.suggested(scene))
        request = request.changed(words=words)
        settings, typed = request.settings, check_words(words)
    words, replaced = _known(scene.clean.backbone, settings, typed)
    switched, rest = variants.ablations(settings), _rest(engine, scene, settings, typed)
    return Question(
        request,
        settings,
        scene,
        scene.clean.read_words(words, rest),
        replaced,
        rest,
        "none" if settings.tab in PLAIN else settings.refine,
        switched,
        variants.chosen(settings, switched),
        started,
        was_encoded,
    )


def _rest(engine: Engine, scene: Scene, settings: Settings, typed: Vocabulary) -> str:
    """The argument ``rest`` of ``segment``: "background" for suggested words left as they are, also
    with offered ones beside them."""
    if settings.rest != "auto" or settings.source != "upload":
        return settings.rest
    with engine.turn(scene):
        suggested = set(engine.suggested(scene))
    named = {phrase.casefold() for phrase in typed.phrases}
    as_they_are = suggested <= named <= suggested.union(_offered(engine, scene))
    return "background" if as_they_are else settings.rest


def _known(
    backbone: Backbone, settings: Settings, typed: Vocabulary
) -> tuple[Vocabulary, tuple[UnknownPhrase, ...]]:
    """The words with the nearest known ones in the place of unknown ones, which come second."""
    if not settings.nearest:
        return typed, ()
    unknown = vocabulary.describe_unknown(backbone, typed)
    replaced = tuple(phrase for phrase in unknown if phrase.nearest)
    return vocabulary.with_nearest(typed, replaced), replaced


def _offered(engine: Engine, scene: Scene) -> tuple[str, ...]:
    with engine.turn(scene):
        return engine.suggested(scene, SUGGESTED + MORE, strict=False)


def compute(engine: Engine, question: Question) -> Answer:
    """The answer of a question; what it needs of masks and encodings is cached.

    Raises:
        GclipError: it would cost too much, or cannot be computed with these settings.
    """
    scene, settings, chosen = question.scene, question.settings, question.chosen
    if settings.tab == "compare":
        methods = len(variants.shown(settings.extras))
        cost.check(scene.windows, scene.patches, methods)
    segmented = segment(engine, question, chosen)
    report = segmented.result.report
    gclip = report
    if chosen is not question.switched[True, True]:
        encoded, both = engine.encoded(scene), question.switched[True, True]
        gclip = scene.segmenter.report(encoded, both)
    words = question.words
    known = {word.casefold() for word in words.classes.phrases}
    grid = tuple(engine.encoded(scene).grid)
    return Answer(
        question=question,
        mask=mask_of(segmented),
        report=report,
        gclip=gclip,
        grid=grid,
        block=_block_in_view(question, gclip),
        overtaken=masks.overtaken(segmented.result),
        more_words=_more_words(_offered(engine, scene), known),
        refined=segmented.result.refined,
        status=_status(engine, question, segmented.result, grid),
    )


def segment(engine: Engine, question: Question, method: Method) -> Segmented:
    """The segmentation of a question under ``method``; cached.

    Raises:
        MethodError: ``method`` compares more patches than the page computes.
    """
    scene = question.scene

    def make() -> Segmented:
        if question.refine == "none":
            result, seconds = _segmented(engine, question, method)
        else:
            plain = segment(engine, replace(question, refine="none"), method)
            started = time.perf_counter()
            result = refine.refined(plain.result, scene.picture.image, question.refine)
            seconds = plain.seconds + time.perf_counter() - started
        shares = class_shares(result.labels, len(result.vocabulary.names))
        return Segmented(result, seconds, shares, _scores(scene, result))

    with engine.turn(scene):
        return engine.cache.get_or_make(("segmentation", *result_key(question, method)), make)


def _segmented(engine: Engine, question: Question, method: Method) -> tuple[Segmentation, float]:
    """The plain segmentation, and its seconds from the cached encoding on."""
    scene, settings = question.scene, question.settings
    if method.calibration is not None:
        cost.check_calibration(scene.windows, scene.patches, method)
    engine.encoded(scene)  # shared by all methods: not a part of their times
    started = time.perf_counter()
    trunk, rest_weight = engine.trunk(scene, method), settings.rest_weight
    result = scene.segmenter.segment(
        trunk, question.words, method, settings.threshold, rest_weight=rest_weight
    )
    return result, time.perf_counter() - started


def _scores(scene: Scene, result: Segmentation) -> metric.WordScores:
    truth = scene.picture.truth
    if truth is None:
        return metric.WordScores({}, None, ())
    return metric.against_truth(truth.labels, truth.names, result.labels.numpy(), result.vocabulary)


def result_key(question: Question, method: Method) -> tuple:
    """All that a segmentation depends on."""
    segmenter, settings = question.scene.segmenter, question.settings
    words = question.text, settings.threshold, question.rest, settings.rest_weight
    planted, scale = segmenter.backbone.planted, segmenter.logit_scale
    model = planted, segmenter.templates, scale
    return *question.scene.key, *model, *words, question.refine, method


def mask(engine: Engine, question: Question, method: Method) -> Mask:
    """The mask of a question under ``method``; cached."""
    return mask_of(segment(engine, question, method))


def mask_of(segmented: Segmented) -> Mask:
    """A segmentation as a mask."""
    result, scores = segmented.result, segmented.scores
    return Mask(
        result.method.title,
        result.method,
        result.labels.numpy(),
        result.vocabulary.names,
        segmented.shares,
        scores.iou,
        scores.miou,
        scores.absent,
    )


def _block_in_view(question: Question, gclip: MethodReport) -> int:
    """The block (0-based) whose channels are shown: the chosen one, else the first that CS changes.

    Where CS changes none it is the first of the simulation's blocks, so that the block stays when
    the simulation is switched off.
    """
    settings, n_blocks = question.settings, len(gclip.channels)
    if settings.view_block is not None:
        return min(settings.view_block, n_blocks - 1)
    return min(gclip.suppressed or settings.planted_blocks(n_blocks))


def _more_words(offered: tuple[str, ...], typed: set[str]) -> tuple[str, ...]:
    return tuple(word for word in offered if word.casefold() not in typed)[:MORE]


def _status(engine: Engine, question: Question, result: Segmentation, grid: Grid) -> Status:
    scene = question.scene
    backbone, came, size = scene.clean.backbone, scene.picture.came, scene.picture.size
    return Status(
        title=backbone.title,
        name=backbone.name,
        grid=grid,
        notes=result.notes,
        unknown=result.unknown,
        no_gpu=engine.encoded(scene) in WITHOUT_GPU,
        scaled=(came, size) if came and came != size else None,
    )


def log(view: str, status: Status, was_encoded: bool, milliseconds: float) -> None:
    """Log an answer in one line, without anything that was typed.

    ``was_encoded``: nothing went through the tower for it.
    """
    logs.event(
        "answered",
        view=view,
        backbone=status.name,
        ms=round(milliseconds),
        trunk="kept" if was_encoded else "new",
        patches="{}x{}".format(*status.grid),
    )


def check_words(words: str) -> Vocabulary:
    """Words as they came, parsed, after a look at how many classes they are.

    Raises:
        VocabularyError: none, or more than the page segments at once.
    """
    typed = vocabulary.parse(words)
    if len(typed) > MAX_CLASSES:
        raise VocabularyError(
            f"Up to {MAX_CLASSES} classes are segmented at once here, but {len(typed)} came. "
            "Leave some out."
        )
    return typed


def known_words(backbone: Backbone, words: str) -> str:
    """The words without those that the backbone never met."""
    if not words:
        return ""
    typed = vocabulary.parse(words)
    unknown = vocabulary.unknown_phrases(backbone, typed)
    known = ([phrase for phrase in phrases if phrase not in unknown] for phrases in typed.classes)
    return ", ".join("; ".join(phrases) for phrases in known if phrases)
