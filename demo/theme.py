"""How the page looks: a calm gradio theme with one accent; its CSS is `web/page.css`."""

import gradio as gr
from gradio.themes.utils import colors

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


def theme() -> gr.themes.Base:
    """A calm theme: one accent, local fonts, text contrast AA in light and dark mode."""
    fonts = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    return gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        font=fonts,
        font_mono=("ui-monospace", "DejaVu Sans Mono", "monospace"),
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_title_text_color="*neutral_700",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_500",
        color_accent="*primary_600",
    )
