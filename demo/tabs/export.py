"""Export and share: a zip, a link, and the Python that makes the same labels again."""

from __future__ import annotations

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from demo import wording
from demo.controls import Controls
from demo.service import Request, Service, Status
from demo.tabs import Answer, Tab
from demo.views import export

# The editor's own colours are too faint on white: words of code take the page's text colour.
CSS = """
#python .cm-line, #python .cm-line span { color: var(--body-text-color) !important; }
#lost:not(:has(p)) { display: none; }
"""
_WHOLE_LINK = "(q) => q.startsWith('?') ? location.origin + location.pathname + q : q"


def build(service: Service, controls: Controls) -> Tab:
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

    def show(service: Service, request: Request) -> tuple[Answer, Status]:
        view = service.result(request)
        settings = request.settings
        image = view.picture.image
        data = export.bundle(
            image, view.mask.labels, view.mask.names, settings, settings.words, view.n_blocks,
            view.facts, view.dtype,
        )  # fmt: skip
        path = save_bytes_to_cache(data, wording.ZIP_NAME, get_upload_folder())
        answer: Answer = {
            files: path,
            link: "?" + settings.to_query(),
            lost: " ".join(settings.lost_in_link()),
            python: export.python_text(
                settings, settings.words, (image.height, image.width), view.n_blocks, view.dtype
            ),
        }
        return answer, view.status

    link.change(fn=None, js=_WHOLE_LINK, inputs=link, outputs=link, api_visibility="private")
    return Tab(outputs=[files, link, lost, python], show=show)
