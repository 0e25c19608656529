"""Export and share: a zip, a link, and the Python that makes the same labels again."""

import gradio as gr

from demo import wording
from demo.controls import Answer, Controls, Tab
from demo.host.files import zip_file
from demo.look import Look, Studio
from demo.views import export as views

_WHOLE_LINK = "(q) => q.startsWith('?') ? location.origin + location.pathname + q : q"


def build(studio: Studio, controls: Controls) -> Tab:
    """The three ways to take a result along; all follow the settings while the tab is open."""
    gr.Markdown(wording.EXPORT_INTRO, elem_classes=["gclip-note"])
    files = gr.DownloadButton(wording.DOWNLOAD, variant="primary", elem_id="download")
    link = gr.Textbox(
        label=wording.LINK, info=wording.LINK_INFO, interactive=False, buttons=["copy"],
        elem_id="link", max_lines=4,
    )  # fmt: skip
    lost = gr.Markdown("", elem_classes=["gclip-note"], elem_id="lost")
    python = gr.Code(
        label=wording.PYTHON,
        language="python",
        interactive=False,
        elem_id="python",
        wrap_lines=True,
    )

    def show(look: Look) -> Answer:
        view, settings = views.see(look), look.settings
        return {
            files: zip_file(view.zip()),
            link: "?" + settings.changed(tab="side").to_query(),
            lost: " ".join(
                [wording.taken(look.chosen.title)]
                + [wording.SIMULATION] * settings.plant
                + [*settings.lost_in_link()]
            ),
            python: view.python,
        }

    link.change(fn=None, js=_WHOLE_LINK, inputs=link, outputs=link, api_visibility="private")
    return Tab(outputs=[files, link, lost, python], show=show, keep=False)
