"""From a request to its answer: read once into a question, computed once into a frozen value.

Usage::

    engine = Engine()                                    # once: backbones and bounded caches
    question = resolve(engine, Request(settings, path))  # picture, words and methods, resolved
    answer = compute(engine, question)                   # mask, reports, status
    content = side.compute(engine, answer)               # a tab's own arrays, see demo.tabs
    shown = side.view(content)                           # what its components show
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace

from demo import variants
from demo.engine import Engine, Mask
from demo.host import logs
from demo.host.byte_cache import nbytes
from demo.host.zero_gpu import WITHOUT_GPU
from demo.request import Question, Request, Scene
from demo.settings import MAX_CLASSES, Settings
from gclip_core import vocabulary
from gclip_core.backbone import Backbone
from gclip_core.errors import VocabularyError
from gclip_core.types import (
    Encoded,
    Grid,
    MethodReport,
    Segmentation,
    UnknownPhrase,
    Vocabulary,
)


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

    ``encoded`` is its scene's; while a tab is computed it is not made anew, however small the
    cache. ``mask`` and ``report`` are those of the chosen method. ``gclip`` is the report of GCLIP
    with both switches on: which blocks AMF and CS take, whether or not they are on. ``block``
    (0-based) is the one whose channels are shown. ``offered`` are words that the picture may show.
    """

    question: Question
    encoded: Encoded
    mask: Mask
    report: MethodReport
    gclip: MethodReport
    grid: Grid
    offered: tuple[str, ...]
    status: Status
    block: int


def resolve(engine: Engine, request: Request) -> Question:
    """Read a request once; without words those of the example, or suggested ones, are its words.

    Raises:
        GclipError: the picture, backbone, words or settings cannot be used.
    """
    started, settings = time.perf_counter(), request.settings
    typed = check_words(settings.words) if settings.words.strip() else None
    scene, is_upload = engine.scene(request), settings.source == "upload"
    suggested = engine.suggested(scene) if is_upload else ()
    if typed is None:
        words = known_words(scene.clean.backbone, scene.picture.words)
        words = words or ", ".join(suggested or engine.suggested(scene))
        typed = check_words(words)
        settings = settings.changed(words=words)
        request = replace(request, settings=settings)
    words, replaced = _known(scene.clean.backbone, settings, typed)
    text = settings.words
    if replaced:
        text = ", ".join("; ".join(synonyms) for synonyms in words.classes)
    switched = variants.ablations(settings)
    chosen = variants.chosen(settings, switched)
    rest = settings.rest
    if is_upload and rest == "auto" and _are_suggested(typed, suggested, engine.offered(scene)):
        rest = "background"
    sentence = text, settings.threshold, rest, settings.rest_weight
    clean = scene.clean
    return Question(
        request=request,
        settings=settings,
        scene=scene,
        words=clean.read_words(words, rest),
        replaced=replaced,
        text=text,
        suggested=suggested,
        rest=rest,
        switched=switched,
        chosen=chosen,
        key=(*scene.key, scene.planted, clean.templates, clean.logit_scale, *sentence),
        nbytes=nbytes(request),
        started=started,
    )


def _are_suggested(typed: Vocabulary, suggested: Collection[str], offered: Collection[str]) -> bool:
    """Whether words are the suggested ones left as they are, also with offered ones beside them."""
    named = {phrase.casefold() for phrase in typed.phrases}
    return {*suggested} <= named <= {*suggested, *offered}


def _known(
    backbone: Backbone, settings: Settings, typed: Vocabulary
) -> tuple[Vocabulary, tuple[UnknownPhrase, ...]]:
    """The words with the nearest known ones in the place of unknown ones, which come second."""
    if not settings.nearest:
        return typed, ()
    unknown = vocabulary.describe_unknown(backbone, typed)
    replaced = tuple(phrase for phrase in unknown if phrase.nearest)
    return vocabulary.with_nearest(typed, replaced), replaced


def compute(engine: Engine, question: Question) -> Answer:
    """The answer of a question; what it needs of masks and encodings is cached.

    Raises:
        GclipError: it would cost too much, or cannot be computed with these settings.
    """
    scene, chosen, both = question.scene, question.chosen, question.switched[True, True]
    with engine.turn(scene):
        encoded = engine.encoded(scene)
        mask = engine.refined(question, chosen)
        report = mask.result.report
        gclip = report if chosen is both else engine.report(scene, both)
        offered = engine.offered(scene)
    return Answer(
        question=question,
        encoded=encoded,
        mask=mask,
        report=report,
        gclip=gclip,
        grid=encoded.grid,
        offered=offered,
        status=_status(scene, encoded, mask.result),
        block=question.settings.block_in_view(gclip.n_blocks, gclip.suppressed),
    )


def _status(scene: Scene, encoded: Encoded, result: Segmentation) -> Status:
    backbone, picture = scene.clean.backbone, scene.picture
    uploaded_size = picture.uploaded_size
    return Status(
        title=backbone.title,
        name=backbone.name,
        grid=encoded.grid,
        notes=result.notes,
        unknown=result.unknown,
        no_gpu=encoded in WITHOUT_GPU,
        scaled=(uploaded_size, picture.size) if uploaded_size not in (None, picture.size) else None,
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
