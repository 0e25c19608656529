"""The lines beside the result: how it went, what was adjusted, what could not be done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gradio as gr

_SCRIPT = """
function draw() {
  const box = element.querySelector('.says');
  if (!box) return;
  const lines = (props.value || {}).lines || [];
  box.replaceChildren(...lines.map(([kind, text]) => {
    const p = document.createElement('p');
    p.className = kind; p.textContent = text;
    return p;
  }));
}
draw();
watch('value', draw);
"""

CSS = """
.says { display: flex; flex-direction: column; gap: 4px; font-size: 13px; line-height: 1.4; }
.says p { margin: 0; overflow-wrap: anywhere; }
.says .status { color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
.says .note, .says .problem { border-left: 3px solid var(--border-color-primary);
  padding: 2px 8px; color: var(--body-text-color); }
.says .problem { border-color: #e0633a; background: rgb(224 99 58 / 12%);
  border-radius: 0 6px 6px 0; padding: 6px 8px; font-weight: 550; }
"""


def build(name: str, label: str) -> gr.HTML:
    """An empty place for lines."""
    return gr.HTML(
        {"lines": []},
        html_template='<div class="says" role="status" aria-live="polite"></div>',
        js_on_load=_SCRIPT,
        apply_default_css=False,
        elem_id=name,
        label=label,
    )


def value(
    status: str = "", notes: Iterable[str] = (), problems: Iterable[str] = ()
) -> dict[str, Any]:
    """Lines in the order problems, notes, status; any text may stand in them."""
    lines = [("problem", text) for text in problems if text]
    lines += [("note", text) for text in notes if text]
    return {"lines": [*lines, *([("status", status)] if status else [])]}
