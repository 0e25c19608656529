"""How the page looks: a gradio theme, the page's CSS and head tags.

Usage::

    demo.launch(**theme.launch_options())       # theme, css, head belong to launch()

Classes for the layout: ``gclip-fixed`` keeps a panel's least height so that nothing jumps;
``gclip-three`` is a row of three panels that wraps at 320 px each; ``gclip-note`` is small text;
``gclip-warning`` marks a simulation or a fall-back; ``gclip-title`` heads the page.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.themes.utils import colors, sizes

ACCENT = colors.Color(
    name="lagoon",
    c50="#eef6fa",
    c100="#d6e9f2",
    c200="#aed3e4",
    c300="#7db7d1",
    c400="#4b96b8",
    c500="#23789d",
    c600="#176585",
    c700="#14526c",
    c800="#134357",
    c900="#123848",
    c950="#0a2430",
)

CSS = """
.dark { --color-accent: #4b96b8; }
.gradio-container { max-width: 1560px !important; margin: 0 auto !important; }
.gclip-title h1 { font-size: 1.35rem; line-height: 1.3; margin: 0; }
.gclip-title p { margin: 0.1rem 0 0; }
.gclip-note, .gclip-note p { font-size: 0.875rem; line-height: 1.45; margin: 0; }
.gclip-warning { border-left: 4px solid #de852f; padding-left: 0.75rem; }
.gclip-fixed { min-height: 14rem; }
.gclip-three { flex-wrap: wrap; align-items: flex-start; }
.gclip-three > * { flex: 1 1 260px; min-width: min(260px, 100%) !important; }
.prose :is(h1, h2, h3, h4) { text-wrap: balance; }
button:focus-visible, a:focus-visible, input:focus-visible, textarea:focus-visible {
  outline: 3px solid var(--color-accent); outline-offset: 2px; }
@media (max-width: 640px) { .gradio-container { padding: 8px !important; } }
@media (prefers-reduced-motion: reduce) { * { animation-duration: 1ms; transition-duration: 1ms; } }
"""

HEAD = '<meta name="color-scheme" content="light dark">'


def theme() -> gr.themes.Base:
    """A calm theme: one accent, local fonts, text contrast AA in light and dark mode."""
    fonts = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    return gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=colors.zinc,
        text_size=sizes.text_md,
        spacing_size=sizes.spacing_md,
        radius_size=sizes.radius_md,
        font=fonts,
        font_mono=("ui-monospace", "DejaVu Sans Mono", "monospace"),
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        color_accent="*primary_600",
        block_shadow="none",
        block_border_width="1px",
    )


def launch_options() -> dict[str, Any]:
    """Keyword arguments for ``launch()``."""
    return {"theme": theme(), "css": CSS, "head": HEAD}
