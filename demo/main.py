"""Reads the command line, loads the backbone, and builds and serves the page.

``python app.py`` needs no network. Every option except ``--weights`` and ``--open`` can also be
given by an environment variable.
"""

import argparse
import atexit
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import torch

from demo import backbones, limits, scene, space
from demo.door import set_up_process
from demo.store import STORE
from gclip_core import BACKBONES, GclipError
from gclip_core.backbones import load
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.segmenter import Segmenter

PREFERRED = "openai-vit-b-16"
OFF = {
    "run_history": False,
    "ssr_mode": False,
    "show_error": False,
    "enable_monitoring": False,
    "max_threads": limits.MAX_STARTED,
    "state_session_capacity": limits.MAX_SESSIONS,
}
"""Arguments of ``launch`` that leave out parts of Gradio, and bound others."""
ABOUT = (
    "Serve the GCLIP page. Works without a network; weights are downloaded only for --backbone, at "
    "the start, and when a visitor presses the button for it."
)
EPILOG = (
    "Each option except --weights and --open can be an environment variable instead: GCLIP_PORT "
    "for --port, GCLIP_NO_DOWNLOADS=1 for --no-downloads; GCLIP_WEIGHTS is the folder of "
    "--weights-dir."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is stopped. Prints an error in one sentence; returns the status."""
    args = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        return serve(args)
    except KeyboardInterrupt:  # while it starts
        print("Stopped.", file=sys.stderr)
        return 130


def serve(args: argparse.Namespace) -> int:
    started = time.perf_counter()
    set_up_log(args.quiet)
    set_up_process()
    if args.weights_dir:
        os.environ[load.WEIGHTS_FOLDER] = args.weights_dir
    try:
        check_address(args.host, args.port or 0)
        os.environ["GRADIO_TEMP_DIR"] = str(STORE.folder)  # whose files Gradio serves
        backbones.HOST = make_host(args)
        title = backbones.get(backbones.HOST.backbone).title
    except (GclipError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    warming = Thread(target=scene.warm, daemon=True)
    if backbones.HOST.encode is Segmenter.encode:  # a ZeroGPU is lent to visitors only
        warming.start()
        atexit.register(warming.join)  # PyTorch aborts if Python ends while a thread computes
    if args.plain:  # either imports Gradio, while the opening is computed
        from demo.plain import build  # noqa: PLC0415

        launch = build().launch
    else:
        from demo.server import make_app  # noqa: PLC0415

        launch = make_app(args.auth).launch
    print(f"{title} is loaded; ready in {time.perf_counter() - started:.1f} s.", flush=True)
    launch(
        server_name=args.host,
        server_port=args.port,
        share=args.share,
        root_path=args.root_path or None,
        inbrowser=args.open,
        auth=args.auth if args.plain else None,  # the server asks for it on all of its routes
        **OFF,
    )
    return 0


def set_up_log(quiet: bool) -> None:
    """Logs to standard error: one line for each answer, or only warnings with ``quiet``."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
    for name in ("demo", "gclip_core"):
        logging.getLogger(name).setLevel(logging.WARNING if quiet else logging.INFO)


def check_address(host: str, port: int) -> None:
    """Raises ValueError if the address cannot be used: better before the backbone is loaded."""
    try:
        family = socket.getaddrinfo(host, port)[0][0]
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"{host}: {error}. Choose another --host or --port.") from error


def make_host(args: argparse.Namespace) -> backbones.Host:
    """Which backbone the page opens with, and where it runs."""
    name = args.backbone
    if name == "auto":  # needs no network
        name = PREFERRED if load.on_disk(BACKBONES[PREFERRED]) else BUILT_IN
    lent, device = space.encoder(), args.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() and not lent else "cpu"
    encode = lent or Segmenter.encode
    return backbones.Host(name, args.weights, device, args.dtype, not args.no_downloads, encode)


def parser() -> argparse.ArgumentParser:
    """The command line; each default may come from the environment."""
    options = argparse.ArgumentParser(
        prog="python app.py",
        description=ABOUT,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog=EPILOG,
    )

    def option(name: str, text: str, default: str | None = None, **more: Any) -> None:
        default = _environment(name) or default or None
        options.add_argument(f"--{name}", default=default, help=text, **more)

    def switch(name: str, text: str) -> None:
        value = _environment(name)
        if value not in ("", "0", "1"):  # "true" must not leave downloads on
            options.error(f"the environment variable of --{name} must be 1 or 0, not “{value}”")
        options.add_argument(f"--{name}", action="store_true", default=value == "1", help=text)

    names = f"auto (OpenAI ViT-B/16 if on disk, else built-in) or one of: {', '.join(BACKBONES)}"
    option("backbone", names, "auto", choices=["auto", *BACKBONES], metavar="NAME")
    options.add_argument("--weights", type=Path, help="weight file, or folder that training wrote")
    local = "folder of local weight files, for machines without a network"
    option("weights-dir", local, os.environ.get(load.WEIGHTS_FOLDER), type=_folder)
    option("device", "cpu, cuda, mps …; auto uses a GPU if there is one", "auto")
    dtype = "of the backbone's weights; auto is bfloat16 if the processor supports it"
    option("dtype", dtype, "auto", choices=get_args(load.Dtype))
    switch("no-downloads", "do not let visitors make this machine download weights")

    host, port = (os.environ.get(f"GRADIO_SERVER_{name}") for name in ("NAME", "PORT"))
    option("host", "address to listen on; 0.0.0.0 lets other machines connect", host or "127.0.0.1")
    option("port", "by default the first free port from 7860", port, type=int)
    switch("share", "open a public link through Gradio's servers")
    option("root-path", "path under which a reverse proxy serves the page, such as /gclip")
    auth = "ask visitors for a name and password (better given by GCLIP_AUTH)%(default).0s"
    # %(default).0s prints nothing; without it the formatter would add the default, the password.
    option("auth", auth, type=_name_and_password, metavar="NAME:PASSWORD")
    switch("plain", "serve a small page of Gradio's own components instead")
    switch("quiet", "log only warnings, not one line per request")
    options.add_argument("--open", action="store_true", help="open the page in a browser")
    return options


def _environment(name: str) -> str:
    """An option's value in the environment; empty if it has none."""
    return os.environ.get("GCLIP_" + name.upper().replace("-", "_"), "")


def _folder(text: str) -> str:
    if text and not Path(text).expanduser().is_dir():
        raise argparse.ArgumentTypeError(f"expected a folder, but there is no “{text}”")
    return text


def _name_and_password(text: str) -> tuple[str, str] | None:
    """None for an empty text; any other text must be a pair, so that no page is left open."""
    name, _, password = text.partition(":")
    if text and not (name and password):
        raise argparse.ArgumentTypeError("expected NAME:PASSWORD, with a colon between them")
    return (name, password) if text else None
