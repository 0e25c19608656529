"""Reads the command line, loads the backbone, and builds and serves the page.

``python app.py`` needs no network.
"""

import argparse
import atexit
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import get_args

import torch

from demo import answer, backbones, limits, space
from demo.store import STORE
from demo.turns import TURNS
from gclip_core import BACKBONES, GclipError
from gclip_core.backbones import load
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.segmenter import Segmenter

PRIVATE_NETWORKS = "127.0.0.0/8,::1,10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16"
PREFERRED = "openai-vit-b-16"
LAUNCH = {
    "run_history": False,
    "ssr_mode": False,
    "enable_monitoring": False,
    "max_threads": limits.MAX_STARTED,
    "state_session_capacity": limits.MAX_SESSIONS,
}
"""Arguments of ``launch`` that leave out parts of Gradio, and bound others."""
NOT_VARIABLES = {"weights", "handout", "photos", "words", "heads", "live"}
"""Options that no variable sets; GCLIP_WEIGHTS is the library's."""
EPILOG = (
    "Each option of the page except --weights can be an environment variable instead: "
    "GCLIP_PORT=7861 for --port, GCLIP_NO_DOWNLOADS=1 for --no-downloads. GCLIP_WEIGHTS is a "
    "folder of local weight files, for machines without a network."
)

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is stopped. Prints an error in one sentence; returns the status."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parser()
    try:
        args = options.parse_args([*from_environment(), *given])
    except ValueError as error:
        options.error(str(error))
    if args.handout is None and (args.photos or args.words or args.heads or args.live):
        options.error("PHOTO, --words, --heads and --live need --handout FOLDER")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        serve(args)
    except KeyboardInterrupt:  # while it starts
        print("Stopped.", file=sys.stderr)
        return 130
    except (GclipError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def serve(args: argparse.Namespace) -> None:
    """Loads the backbone, then the page; the examples are computed while nobody waits."""
    started = time.perf_counter()
    set_up_log(args.quiet)
    set_up_process()
    check_address(args.host or "127.0.0.1", args.port or 0)
    os.environ["GRADIO_TEMP_DIR"] = str(STORE.folder)  # whose files Gradio serves
    tempfile.tempdir = str(STORE.folder.parent)  # for uploads that are not complete
    backbones.HOST = make_host(args)
    if args.handout:
        from demo import handout  # noqa: PLC0415 - it imports Gradio

        handout.write(args.handout, args.photos, args.words, args.heads, args.live)
        return
    title = backbones.get(backbones.HOST.backbone).title
    if args.plain:  # either imports Gradio
        from demo.plain import build  # noqa: PLC0415

        launch = build().launch
    else:
        from demo.server import make_app  # noqa: PLC0415

        launch = make_app(args.auth).launch
    if backbones.HOST.encode is Segmenter.encode:  # a ZeroGPU is lent to visitors only
        ending = Event()
        warming = Thread(
            target=answer.warm, args=(lambda: TURNS.places, ending.is_set), daemon=True
        )
        warming.start()

        def stop_warming() -> None:  # PyTorch aborts if Python ends while a thread computes
            ending.set()
            warming.join()

        atexit.register(stop_warming)
    print(f"{title} is loaded; ready in {time.perf_counter() - started:.1f} s.", flush=True)
    launch(
        server_name=args.host,
        server_port=args.port or None,
        share=args.share,
        root_path=args.root_path,
        inbrowser=args.open,
        auth=args.auth if args.plain else None,  # the server asks for it on all of its routes
        **LAUNCH,
    )


def set_up_process() -> None:
    """Lets it open as many files as it may; on a Space, addresses are those that the proxy names.

    Uvicorn takes the last address in the header that it does not trust: a visitor cannot forge it.
    """
    with suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource  # noqa: PLC0415

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if "SPACE_ID" in os.environ:
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS)


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


def from_environment() -> list[str]:
    """Variables with the name of an option as options: ``--port=7861`` for GCLIP_PORT; others are
    not the page's. Raises ValueError for a value that does not fit."""
    options, given = parser(exit_on_error=False), list[str]()
    for name, default in vars(options.parse_args([])).items():
        variable, option = f"GCLIP_{name.upper()}", f"--{name.replace('_', '-')}"
        value = os.environ.get(variable, "")
        if name in NOT_VARIABLES or value in ("", "0"):
            continue
        if name == "port" and value.startswith("tcp://"):
            logger.warning("Ignored: GCLIP_PORT is “%s”, Kubernetes’ address of a Service.", value)
            continue
        words = option if value == "1" and default is False else f"{option}={value}"
        try:
            options.parse_args([words])
        except argparse.ArgumentError as error:
            why = "neither 1 nor 0" if default is False else error.message
            shown = "set to something" if name == "auth" else f"“{value}”"
            raise ValueError(f"{variable} is {shown}, {why}; unset it or use {option}.") from None
        given.append(words)
    return given


def parser(exit_on_error: bool = True) -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser(
        exit_on_error=exit_on_error,
        prog="python app.py",
        description="Serve the GCLIP page. Works without a network; weights are downloaded only "
        "for --backbone, at the start, and when a visitor presses the button for it.",
        epilog=EPILOG,
    )
    add = options.add_argument
    names = f"auto (OpenAI ViT-B/16 if on disk, else built-in) or one of: {', '.join(BACKBONES)}"
    add("--backbone", default="auto", type=_one_of("auto", *BACKBONES), metavar="NAME", help=names)
    add("--weights", type=Path, help="weight file, or folder that training wrote")
    add("--device", default="auto", help="cpu, cuda, mps …; auto (default): a GPU if there is one")
    dtype = "of the backbone's weights; auto (default): bfloat16 if the processor supports it"
    dtypes = get_args(load.Dtype)
    add(
        "--dtype",
        default="auto",
        type=_one_of(*dtypes),
        metavar="{" + ",".join(dtypes) + "}",
        help=dtype,
    )
    no_downloads = "do not let visitors make this machine download weights"
    add("--no-downloads", action="store_true", help=no_downloads)
    add("--host", help="address to listen on (default: this machine only); 0.0.0.0: all networks")
    add("--port", type=_port, help="default: the first free port from 7860")
    add("--share", action="store_true", help="open a public link through Gradio's servers")
    root_path = "path under which a reverse proxy serves the page, such as /gclip"
    add("--root-path", help=root_path)
    auth = "ask visitors for a name and password (better given by GCLIP_AUTH)"
    add("--auth", type=_name_and_password, metavar="NAME:PASSWORD", help=auth)
    plain = "serve a small page of Gradio's own components, with Gradio's limits, instead"
    add("--plain", action="store_true", help=plain)
    add("--quiet", action="store_true", help="log only warnings, not one line per request")
    add("--open", action="store_true", help="open the page in a browser")
    files = options.add_argument_group("the page as files, which need no server")
    add = files.add_argument
    add("--handout", type=Path, metavar="FOLDER", help="write them into a folder, and end")
    add("photos", nargs="*", type=Path, metavar="PHOTO", help="default: the examples")
    words = "lines “NAME: words”, several for several lists of a photo; default: suggested words"
    add("--words", type=Path, metavar="FILE", help=words)
    add("--heads", action="store_true", help="with every head of every block, not only their means")
    add("--live", default="", metavar="URL", help="a page with a server, for visitors’ own photos")
    return options


def _name_and_password(text: str) -> tuple[str, str]:
    name, _, password = text.partition(":")
    if not (name and password):  # no page may be left open by mistake
        raise argparse.ArgumentTypeError("not NAME:PASSWORD, with a colon between them")
    return name, password


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**16):
        raise argparse.ArgumentTypeError("not a number from 0 to 65535")
    return int(text)


def _one_of(*choices: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"not one of {', '.join(choices)}")
        return text

    return check
