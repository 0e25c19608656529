"""Named endpoints for programs: plain typed data in, plain data out; blocks counted from 1."""

from __future__ import annotations

from typing import Any

from demo.service import Service


def add(service: Service) -> None:
    """Register the public endpoints in the page that is being built."""
    import gradio as gr

    def about() -> dict[str, Any]:
        """What runs here: the version, the backbones and which of them are on this machine."""
        return {"backbone": service.default.name}

    gr.api(about, api_name="about", queue=False)
