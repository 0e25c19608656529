"""Reads the command line, loads the backbone, and has the page built and served.

``python app.py`` needs no network. Every option can also be given by an environment variable.
"""

import argparse
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import torch

from demo import opening
from demo.engine import Engine
from demo.host import logs, memory
from demo.host.zero_gpu import encode_on_zero_gpu
from gclip_core import load
from gclip_core.backbone import load_backbone
from gclip_core.errors import GclipError
from gclip_core.registry import BACKBONES, BUILT_IN

PREFERRED = "openai-vit-b-16"
ABOUT = (
    "Serve the GCLIP page. Works without a network; weights are only downloaded when a visitor "
    "presses the button for it."
)
ENVIRONMENT = (
    "Each option can be an environment variable instead: GCLIP_PORT for --port, "
    "GCLIP_NO_DOWNLOADS=1 for --no-downloads; GCLIP_WEIGHTS is the folder of --weights-dir."
)
SWITCH_SECONDS = 2e-4
"""How long a thread of Python runs before others may. The default of 5 ms is as long as a block of
a tower: a thread that returns from a block would wait so long for the next one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is stopped; an error prints one sentence. Returns the exit status."""
    args = parser().parse_args(arguments)
    if args.mcp and (problem := mcp_problem(args.auth is not None)):
        print(f"error: {problem}", file=sys.stderr)
        return 2
    if args.weights_dir:
        os.environ[load.WEIGHTS_FOLDER] = args.weights_dir
    logs.begin(args.quiet)
    memory.prepare()
    sys.setswitchinterval(SWITCH_SECONDS)
    started = time.perf_counter()
    try:
        engine = make_engine(args)
    except GclipError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    opening.compute_in_background(engine)
    # Importing Gradio needs seconds; meanwhile a thread computes the first answer.
    return importlib.import_module("demo.launch").launch(engine, args, started)


def make_engine(args: argparse.Namespace) -> Engine:
    """The engine with its backbone loaded.

    Raises:
        GclipError: the backbone cannot be loaded.
    """
    name = args.backbone
    if name == "auto":  # asks no network
        name = PREFERRED if load.on_disk(BACKBONES[PREFERRED]) else BUILT_IN
    encode = encode_on_zero_gpu()
    # A ZeroGPU is lent to single requests: until then there is none.
    device = default_device(lent=encode is not None) if args.device == "auto" else args.device
    return Engine(
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


def parser() -> argparse.ArgumentParser:
    """The command line; each default may come from the environment."""
    options = argparse.ArgumentParser(
        prog="python app.py",
        description=ABOUT,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog=ENVIRONMENT,
    )
    _add_model(options)
    _add_server(options)
    return options


def _add_model(options: argparse.ArgumentParser) -> None:
    """Options of the backbone, and of the memory that the page may use."""
    names = f"auto (OpenAI ViT-B/16 if on disk, else built-in) or one of: {', '.join(BACKBONES)}"
    _option(options, "backbone", names, "auto", choices=["auto", *BACKBONES], metavar="NAME")
    options.add_argument("--weights", type=Path, help="weight file of that backbone")
    local = "folder of local weight files, for machines without a network"
    _option(options, "weights-dir", local, os.environ.get(load.WEIGHTS_FOLDER), type=_folder)
    _option(options, "device", "cpu, cuda, mps …; auto is a GPU where there is one", "auto")
    dtype = "of the backbone's weights; auto is bfloat16 where the processor has it"
    _option(options, "dtype", dtype, "auto", choices=get_args(load.Dtype))
    bound = "memory of the process; the weights of other backbones than the built-in come on top"
    default = str(memory.BOUND / 10**9)
    _option(options, "memory", bound, default, type=memory.parsed, metavar="GB")
    _switch(options, "no-downloads", "visitors may not make this machine download weights")


def _add_server(options: argparse.ArgumentParser) -> None:
    """Options of the web server."""
    host, port = (os.environ.get(f"GRADIO_SERVER_{name}") for name in ("NAME", "PORT"))
    _option(options, "host", "address; 0.0.0.0 lets other machines in", host or "127.0.0.1")
    _option(options, "port", "by default the first free one from 7860", port, type=_port)
    _switch(options, "share", "open a public link through Gradio's servers")
    path = "path under which a reverse proxy serves the page, such as /gclip"
    _option(options, "root-path", path)
    auth = "ask visitors for a name and password (better given by GCLIP_AUTH)"
    _option(options, "auth", auth, type=_name_and_password, metavar="NAME:PASSWORD")
    tools = (
        "serve /segment, /suggest and /about as tools of the Model Context Protocol, too; needs "
        "pip install 'gradio[mcp]'"
    )
    _switch(options, "mcp", tools, os.environ.get("GRADIO_MCP_SERVER", "").lower() == "true")
    _switch(options, "quiet", "log warnings only, not one line a request")
    options.add_argument("--open", action="store_true", help="open the page in a browser")


def _option(
    options: argparse.ArgumentParser, name: str, text: str, default: str | None = None, **more: Any
) -> None:
    default = _environment(name) or default or None
    options.add_argument(f"--{name}", default=default, help=text, **more)


def _switch(options: argparse.ArgumentParser, name: str, text: str, default: bool = False) -> None:
    default = default or _environment(name) == "1"
    options.add_argument(f"--{name}", action="store_true", default=default, help=text)


def _environment(name: str) -> str:
    """The environment's value of an option; empty for none."""
    return os.environ.get("GCLIP_" + name.upper().replace("-", "_"), "")


def mcp_problem(login: bool) -> str:
    """Why the Model Context Protocol cannot be served; empty for nothing."""
    if importlib.util.find_spec("mcp") is None:
        return "--mcp needs a package that is not installed: pip install 'gradio[mcp]'."
    if login:
        return "--mcp serves programs that cannot log in: leave --auth out, or --mcp."
    return ""


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) < 2**16):
        raise argparse.ArgumentTypeError(f"a port from 0 to 65535 was expected, but “{text}” came")
    return int(text)


def _folder(text: str) -> str:
    if text and not Path(text).expanduser().is_dir():
        raise argparse.ArgumentTypeError(f"a folder was expected, but there is no “{text}”")
    return text


def _name_and_password(text: str) -> tuple[str, str] | None:
    """None for an empty text; another text that is no pair is refused: no page is left open."""
    name, _, password = text.partition(":")
    if text and not (name and password):
        raise argparse.ArgumentTypeError("NAME:PASSWORD was expected, with a colon between them")
    return (name, password) if text else None
