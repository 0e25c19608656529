"""Reads the command line, builds the studio and the page, and serves it.

``python app.py`` needs no network. Every option can also be given by an environment variable.
"""

import argparse
import contextlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from demo import api, page, theme, wording
from demo.host import files, guard, logs, memory, serve
from demo.host.zero_gpu import encode_on_zero_gpu
from demo.learn import opening as openings
from demo.look import Request, Studio
from demo.settings import Settings
from demo.views import side
from demo.widgets.held import STORE
from gclip_core import load
from gclip_core.backbone import Backbone, load_backbone
from gclip_core.errors import GclipError
from gclip_core.photos import star_photos
from gclip_core.registry import BACKBONES, BUILT_IN

PREFERRED = "openai-vit-b-16"
OPENING_SEED, OPENING_PHOTO = 137, "chelsea"
MAX_SESSIONS = 100
"""Tabs whose last answer is kept in memory (0.7 MB each); Gradio would keep 10,000."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is stopped; what went wrong is one sentence. Returns exit status."""
    args = parser().parse_args(arguments)
    if args.weights_dir:
        os.environ[load.WEIGHTS_FOLDER] = args.weights_dir
    logs.begin(args.quiet)
    memory.prepare()
    started = time.perf_counter()
    try:
        studio = make_studio(args)
    except GclipError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        files.own_folder()
        work_out_opening(studio)
        demo = build(studio)
    except OSError as error:
        print(
            f"error: the folder for temporary files could not be used ({error.strerror}). Free or "
            f"choose one with the environment variable {files.FOLDER}.",
            file=sys.stderr,
        )
        return 2
    print(
        f"{studio.default.title} is loaded; ready in {time.perf_counter() - started:.1f} s.",
        flush=True,
    )
    return serve.serve(demo, launch_settings(args), studio.state, page.routes(), page.head())


def make_studio(args: argparse.Namespace) -> Studio:
    """The studio with its backbone loaded.

    Raises:
        GclipError: the backbone cannot be loaded.
    """
    STORE.bound(memory.limits(args.memory)["held"], memory.ROOM.entered)
    name = default_backbone() if args.backbone == "auto" else args.backbone
    encode = encode_on_zero_gpu()
    # A ZeroGPU is lent to single requests: until then there is none.
    device = default_device(lent=encode is not None) if args.device == "auto" else args.device
    return Studio(
        load_backbone(name, args.weights, device, args.dtype),
        encode=encode,
        bound=args.memory,
        downloads=not args.no_downloads,
        device=device,
        dtype=args.dtype,
    )


def default_device(lent: bool = False) -> str:
    """The GPU of this machine where there is one for itself, else the CPU."""
    return "cuda" if torch.cuda.is_available() and not lent else "cpu"


def default_backbone() -> str:
    """OpenAI ViT-B/16 where its weights are on disk, else the built-in; asks no network."""
    return PREFERRED if load.on_disk(BACKBONES[PREFERRED]) else BUILT_IN


def build(studio: Studio) -> gr.Blocks:
    """The page and its public endpoints."""
    demo = page.build(studio, *opening(studio.default))
    with demo:
        api.add(studio)
    return demo


def opening(backbone: Backbone) -> tuple[Settings, str]:
    """What a visitor sees first, and a sentence on why.

    It is what was baked for the model, else a photo with both switches on and no simulation.
    """
    baked = openings.read(backbone)
    if baked is not None:
        return baked[0], wording.opened(baked[1])
    if backbone.name == BUILT_IN:
        return Settings(seed=OPENING_SEED, amf=False), ""
    words = star_photos()[OPENING_PHOTO].text
    return Settings(source="example", example=OPENING_PHOTO, words=words), ""


def work_out_opening(studio: Studio) -> threading.Thread | None:
    """Make the opening's answer in the background: the first visitor then finds it made.

    None where encodings are made elsewhere, for a request only.
    """
    if not studio.encodes_here:
        return None

    def work() -> None:
        # What goes wrong is told to the visitor who asks for it.
        with contextlib.suppress(GclipError, MemoryError):
            side.see(studio.look(Request(opening(studio.default)[0])))

    thread = threading.Thread(target=work, name="opening", daemon=True)
    thread.start()
    return thread


def launch_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What goes to ``launch()``."""
    return {
        "server_name": args.host,
        "server_port": args.port,
        "share": args.share,
        "root_path": args.root_path or None,
        "auth": _auth(args.auth),
        "inbrowser": args.open,
        "theme": theme.theme(),
        "ssr_mode": False,
        "run_history": False,
        "show_error": False,
        "enable_monitoring": False,
        "max_file_size": guard.MAX_FILE_BYTES,
        "state_session_capacity": MAX_SESSIONS,
        "footer_links": ["api", "settings"],
    }


def parser() -> argparse.ArgumentParser:
    """The command line; each default may come from the environment."""
    made = argparse.ArgumentParser(
        prog="python app.py",
        description="Serve the GCLIP page. Works without a network; weights are only downloaded "
        "when a visitor presses the button for it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog="Each option can be an environment variable instead: GCLIP_HOST, GCLIP_PORT, "
        "GCLIP_BACKBONE, GCLIP_WEIGHTS (a folder), GCLIP_DEVICE, GCLIP_DTYPE, GCLIP_MEMORY, "
        "GCLIP_ROOT_PATH, GCLIP_AUTH, GCLIP_SHARE=1, GCLIP_NO_DOWNLOADS=1, GCLIP_QUIET=1.",
    )

    def option(name: str, default: str, says: str, env: str = "", **more: Any) -> None:
        found = os.environ.get(env or "GCLIP_" + name.upper().replace("-", "_"), default)
        made.add_argument(f"--{name}", default=found, help=says, **more)

    def switch(name: str, says: str) -> None:
        on = os.environ.get("GCLIP_" + name.upper().replace("-", "_")) == "1"
        made.add_argument(f"--{name}", action="store_true", default=on, help=says)

    env = os.environ.get
    option("host", env("GRADIO_SERVER_NAME", "127.0.0.1"),
           "address to listen on; 0.0.0.0 lets other machines in")  # fmt: skip
    made.add_argument(
        "--port", type=int, default=_number(env("GCLIP_PORT", env("GRADIO_SERVER_PORT"))),
        help="port; none takes the first free one from 7860",
    )  # fmt: skip
    option("backbone", "auto", "auto (OpenAI ViT-B/16 where its weights are on disk, else the "
           f"built-in) or one of: {', '.join(BACKBONES)}", choices=["auto", *BACKBONES],
           metavar="NAME")  # fmt: skip
    made.add_argument("--weights", type=Path, help="weight file of that backbone")
    option("weights-dir", "", "folder of local weight files, for machines without a network",
           load.WEIGHTS_FOLDER)  # fmt: skip
    option("device", "auto", "cpu, cuda, mps …; auto takes a GPU that is there")
    option("dtype", "auto", "of the backbone's weights; auto is bfloat16 where the processor has "
           "it", choices=["float32", "bfloat16", "auto"])  # fmt: skip
    option("memory", str(memory.BOUND / 10**9), "memory of the process with the built-in model; "
           "what is kept takes its share of it, and the weights of other backbones come on top",
           type=memory.parsed, metavar="GB")  # fmt: skip
    switch("no-downloads", "visitors may not make this machine download weights")
    switch("share", "open a public link through Gradio's servers")
    option("root-path", "", "path under which a reverse proxy serves the page, such as /gclip")
    option("auth", "", "ask visitors for a name and password (better given by GCLIP_AUTH)",
           metavar="NAME:PASSWORD")  # fmt: skip
    switch("quiet", "log warnings only, not one line a request")
    made.add_argument("--open", action="store_true", help="open the page in a browser")
    return made


def _auth(text: str) -> tuple[str, str] | None:
    name, colon, password = text.partition(":")
    return (name, password) if colon and name and password else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
