"""What *before* means in *Side by side* and in a figure."""

from dataclasses import dataclass

from demo.answer import Answer
from gclip_core.types import Method


@dataclass(frozen=True, eq=False)
class Compared:
    """The method before, and what the two sides are called.

    ``subject`` is what makes the difference; empty where nothing can differ.
    """

    before: Method
    titles: tuple[str, str]
    subject: str


def of(answer: Answer) -> Compared:
    """What is compared: what the switches change, or a method with ClearCLIP.

    Where CS repairs a simulation, both sides differ by CS alone.
    """
    question, method = answer.question, answer.question.chosen
    switched, suppressed = question.switched, bool(answer.report.suppressed)
    clearclip, fused = switched[False, False], method.fusion is not None
    if not method.switchable:
        return Compared(clearclip, (clearclip.title, method.title), method.title)
    if suppressed and (question.scene.segmenter.backbone.planted or not fused):
        return Compared(switched[fused, False], ("Without CS", "With CS"), "CS")
    if suppressed:
        return Compared(clearclip, (clearclip.title, method.title), method.title)
    if fused:
        return Compared(clearclip, ("Without AMF", "With AMF"), "AMF")
    return Compared(clearclip, (clearclip.title, clearclip.title), "")
