"""What an answer changes around the tabs: photo, words, switches that do nothing, share picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from demo import wording
from demo.answer import Answer
from demo.engine import Engine
from demo.host.blob_store import LazyBlob
from demo.tabs import contents
from demo.widgets import values
from demo.widgets.values import Json
from gclip_core.types import Method, UnknownPhrase

Offer = tuple[str, list[Json]]
"""A line of text with its choices."""
MORE = 6
"""Words that are offered besides those of the answer."""


@dataclass(frozen=True, eq=False)
class AroundContent:
    """What an answer changes of the input: the photo, which comes later, and words.

    ``words`` are those of the answer, ``more_words`` may be added. In the place of ``replaced`` the
    nearest known ones are used; ``unknown`` stay as typed. ``cs_changes``: CS changes
    something, whether or not it is on. ``share`` is the share picture.
    """

    picture: LazyBlob
    title: str
    is_upload: bool
    words: str
    replaced: Sequence[UnknownPhrase]
    unknown: Sequence[UnknownPhrase]
    more_words: Sequence[str]
    method: Method
    cs_changes: bool
    share: LazyBlob


def compute(engine: Engine, answer: Answer) -> AroundContent:
    """What an answer changes of the input."""
    question = answer.question
    known = {word.casefold() for word in question.words.classes.phrases}
    return AroundContent(
        picture=contents.picture(engine, answer)["picture"],
        title=question.scene.picture.title,
        is_upload=question.settings.source == "upload",
        words=question.settings.words,
        replaced=question.replaced,
        unknown=answer.status.unknown,
        more_words=[word for word in answer.offered if word.casefold() not in known][:MORE],
        method=question.chosen,
        cs_changes=bool(answer.gclip.suppressed),
        share=contents.figure(engine, question, "picture"),
    )


def view(content: AroundContent) -> dict[str, Any]:
    """What an answer changes of the input and beside it, by the names of its parts."""
    chips, (reasons, idle) = _chips(content), _reasons(content.method, content.cs_changes)
    return {
        "photo": {"kind": "photo", "picture": content.picture, "title": content.title},
        "suggested": content.words,
        "chips": values.offers(chips),
        "reasons": values.offers(reasons, idle),
        "share": values.share(content.share, content.words, content.is_upload),
    }


def _chips(content: AroundContent) -> list[Offer]:
    """What is used in the place of unknown words, then other words that the picture may show."""
    undo = [{"label": "Undo", "nearest": False}]
    rows = [(wording.replaced(phrase), undo) for phrase in content.replaced]
    for phrase in content.unknown:
        if phrase.nearest:
            use = [{"label": f"Use {phrase.nearest}", "nearest": True}]
            rows.append((wording.not_replaced(phrase), use))
    more = [{"label": f"+ {word}", "add": word} for word in content.more_words]
    return [*rows, ("", more)]


def _reasons(method: Method, cs_changes: bool) -> tuple[list[Offer], Sequence[str]]:
    """Why a switch does nothing, with what one press would change; and which switches."""
    if not method.switchable:
        return [(wording.unused(method), [])], ("amf", "cs")
    if cs_changes:
        return [], ()
    return [(wording.CS_IDLE, [{"label": wording.SEE_REPAIR}])], ("cs",)
