"""Builds the page of an engine and serves it; the first module that needs Gradio."""

import argparse
import sys
import time
from typing import Any

import gradio as gr

from demo import api, document, opening, page, theme
from demo.engine import Engine
from demo.host import files, serve, uploads

MAX_SESSIONS = 100
"""Tabs whose last answer is kept in memory (0.7 MB each); Gradio would keep 10,000."""


def launch(engine: Engine, args: argparse.Namespace, started: float) -> int:
    """Serve the page until it is stopped; ``started`` is when loading began, by ``perf_counter``.

    An error prints one sentence. Returns the exit status.
    """
    try:
        files.own_folder()
        demo = build(engine)
    except OSError as error:
        print(
            f"error: the folder for temporary files could not be used ({error.strerror}). Free or "
            f"choose one with the environment variable {files.FOLDER}.",
            file=sys.stderr,
        )
        return 2
    seconds = time.perf_counter() - started
    print(f"{engine.default.title} is loaded; ready in {seconds:.1f} s.", flush=True)
    return serve.serve(
        demo, launch_settings(args), api.checks(), engine.state, document.routes(engine)
    )


def build(engine: Engine) -> gr.Blocks:
    """The page and its public endpoints."""
    demo = page.Page(engine, opening.settings(engine.default)).blocks
    with demo:
        api.add(engine)
    return demo


def launch_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments for ``launch()``."""
    return {
        "server_name": args.host,
        "server_port": args.port,
        "share": args.share,
        "root_path": args.root_path or None,
        "auth": args.auth,
        "mcp_server": args.mcp,
        "inbrowser": args.open,
        "theme": theme.theme(),
        "head": document.head(),
        "ssr_mode": False,
        "run_history": False,
        "show_error": False,
        "enable_monitoring": False,
        "max_file_size": uploads.MAX_FILE_BYTES,
        "state_session_capacity": MAX_SESSIONS,
        "footer_links": ["api", "settings"],
    }
