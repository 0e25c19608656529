"""The figure of an answer and its small form, made when a browser first fetches them."""

from dataclasses import dataclass
from functools import partial

from demo.answer import Answer, compute, resolve
from demo.engine import Engine
from demo.host import memory
from demo.host.blob_store import Blob, Later
from demo.request import Question, Request
from demo.tabs import comparison

MEDIA_TYPES = {"png": "image/png", "pdf": "application/pdf"}


@dataclass(frozen=True)
class File:
    """A form of the figure as a file; ``dpi`` are those of its pictures."""

    kind: str
    dpi: int
    small: bool = False


PREVIEW, PNG, PDF = File("png", 130), File("png", 300), File("pdf", 300)
SHARE_PICTURE = File("png", 200, small=True)
"""1080 pixels wide."""


@dataclass(frozen=True, eq=False)
class Figures:
    """The figure as it is shown on the page and as files, and the share picture."""

    preview: Later
    png: Later
    pdf: Later
    picture: Later


def figures(engine: Engine, answer: Answer) -> Figures:
    """The figure of an answer in all its forms."""
    files = (_later(engine, answer.question, file) for file in (PREVIEW, PNG, PDF, SHARE_PICTURE))
    return Figures(*files)


def share_picture(engine: Engine, answer: Answer) -> Later:
    """The small form of the figure."""
    return _later(engine, answer.question, SHARE_PICTURE)


def _later(engine: Engine, question: Question, file: File) -> Later:
    settings, address = question.settings, question.request.address
    key = ("figure", *question.key, settings.refine, question.chosen, address, file)
    make = partial(_blob, engine, question.request, file)
    return engine.blobs.later(key, make, question.nbytes)


def _blob(engine: Engine, request: Request, file: File) -> Blob:
    # matplotlib is imported with the first figure: the page starts without it.
    from evaluation import figure  # noqa: PLC0415

    question = resolve(engine, request)
    with engine.turn(question.scene):
        answer = compute(engine, question)
        compared, scene = comparison.of(answer), question.scene
        before = engine.refined(question, compared.before).result if compared.subject else None
        trunk = engine.trunk(scene, question.chosen)
        values = figure.values_between(
            scene.segmenter,
            scene.picture.image,
            trunk,
            before,
            answer.mask.result,
            request.address,
        )
    drawn = figure.draw(values, file.small)
    blob = Blob(figure.saved(drawn, file.kind, file.dpi), MEDIA_TYPES[file.kind])
    del drawn
    memory.trim()
    return blob
