"""The figure of an answer in its forms, drawn when a browser first fetches one."""

from dataclasses import dataclass

from demo import variants
from demo.answer import compute, resolve
from demo.engine import Engine
from demo.host import memory
from demo.host.blob_store import Blob
from demo.request import Request

MEDIA_TYPES = {"png": "image/png", "pdf": "application/pdf"}


@dataclass(frozen=True)
class Form:
    """A form of the figure as a file; ``dpi`` are those of its pictures."""

    kind: str
    dpi: int
    small: bool = False


FORMS = {
    "preview": Form("png", 130),
    "png": Form("png", 300),
    "pdf": Form("pdf", 300),
    "picture": Form("png", 200, small=True),
}
"""The figure as the page shows it and as files, and the share picture, 1080 pixels wide."""


def figure_blob(engine: Engine, request: Request, name: str) -> Blob:
    """The figure of a request's answer in one of the FORMS."""
    # Imported with the first figure: it takes half a second, and the page starts sooner without.
    from demo import paper as figure  # noqa: PLC0415

    question, form = resolve(engine, request), FORMS[name]
    with engine.turn(question.scene):
        answer = compute(engine, question)
        method, scene, before = question.chosen, question.scene, None
        suppressed = answer.report.suppressed
        compared = variants.compared(method, question.switched, suppressed, scene.planted)
        if compared.subject:
            before = engine.refined(question, compared.before).result
        values = figure.values_between(
            scene.segmenter,
            scene.picture.image,
            engine.trunk(scene, method),
            before,
            answer.mask.result,
            request.address,
        )
    drawn = figure.draw(values, form.small)
    blob = Blob(figure.saved(drawn, form.kind, form.dpi), MEDIA_TYPES[form.kind])
    del drawn
    memory.trim()
    return blob
