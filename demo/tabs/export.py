"""Export and share: the figure, a zip, a link, and Python that makes the same labels again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo import widgets, wording
from demo.answer import Answer
from demo.controls import Controls, Tab, in_browser
from demo.engine import Engine
from demo.host.blob_store import LazyBlob
from demo.tabs import again, archive, contents
from demo.tabs.figure import FORMS
from demo.widgets import values

NO_COMMAND = "# The command line has no option for one of these settings: use the Python."
_WHOLE_LINK = "(q) => q.startsWith('?') ? location.origin + location.pathname + q : q"


@dataclass(frozen=True, eq=False)
class ExportContent:
    """Files, which come later, a link, Python and a command (empty for none).

    ``files`` are the FORMS of the figure and a "zip".
    """

    title: str
    words: str
    files: Mapping[str, LazyBlob]
    link: str
    python: str
    command: str
    simulated: str


def build(engine: Engine, controls: Controls) -> Tab:
    """What can be taken along of a result; all of it follows the settings while the tab is open."""
    gr.Markdown(wording.EXPORT_INTRO, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        figures = widgets.figures(elem_id="figures")
    copied: dict[str, Any] = {"interactive": False, "buttons": ["copy"]}
    same = "It opens this page with the same settings. A photo of your own is not in it."
    link = gr.Textbox(label="Link to this view", info=same, elem_id="link", max_lines=4, **copied)
    notes = gr.Markdown("", elem_classes=["gclip-note"], elem_id="lost")
    code = {**copied, "max_lines": 30, "elem_classes": ["code"]}
    python = gr.Textbox(label="Copy as Python", elem_id="python", **code)
    beside = "On the command line, beside the picture from the zip"
    command = gr.Textbox(label=beside, elem_id="command", **code)

    link.change(**in_browser(_WHOLE_LINK, inputs=link, outputs=link))
    return Tab(
        {
            "figures": figures,
            "link": link,
            "notes": notes,
            "python": python,
            "command": command,
        }
    )


def compute(engine: Engine, answer: Answer) -> ExportContent:
    """Texts that make the result again; the figure and a zip, which come later."""
    question, settings = answer.question, answer.question.settings
    files = {form: contents.figure(engine, question, form) for form in FORMS}
    return ExportContent(
        title=answer.mask.title,
        words=settings.words,
        files={**files, "zip": archive.zip_blob(engine, question)},
        link="?" + settings.changed(tab="side").to_query(),
        python=again.python_text(question),
        command=again.command_line(question, archive.picture_name(question)),
        simulated=wording.simulated(question.scene.planted),
    )


def view(content: ExportContent) -> dict[str, Any]:
    """The figure with files to take along, and texts to copy."""
    notes = [
        f"The files contain the mask under **{content.title}**, with the page’s settings.",
        content.simulated,
    ]
    return {
        "figures": values.figures(content.files, content.words),
        "link": content.link,
        "notes": " ".join(notes),
        "python": content.python,
        "command": content.command or NO_COMMAND,
    }
