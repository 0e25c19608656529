"""``python -m demo.doctor``: tells a host in ten lines what is right and what is wrong here.

Every check says what it found and, where that is a problem, what to do. Exit status 1 when
something keeps the page from working; a missing network or GPU does not.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

State = Literal["ok", "note", "bad"]

_MARKS: dict[State, str] = {"ok": "✓", "note": "·", "bad": "✗"}
_PACKAGES = ("torch", "torchvision", "open_clip_torch", "gradio", "numpy", "pillow")
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One line: whether it is right, what was looked at, what was found and what to do."""

    state: State
    what: str
    found: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per check; 1 when something keeps the page from working."""
    parser = argparse.ArgumentParser(prog="python -m demo.doctor", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address the page will listen on")
    parser.add_argument("--port", type=int, default=7860, help="port the page will listen on")
    given = parser.parse_args(arguments)
    checks: list[Callable[[], Finding]] = [
        python,
        packages,
        requirements,
        built_in,
        local_weights,
        hub,
        processors,
        memory,
        disk,
        lambda: port(given.host, given.port),
    ]
    findings = [_safely(check) for check in checks]
    for finding in findings:
        print(f"{_MARKS[finding.state]} {finding.what:<15} {finding.found}")
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def python() -> Finding:
    """Python 3.11 or later."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    good = sys.version_info >= (3, 11)
    return Finding("ok" if good else "bad", "Python", found + ("" if good else "; 3.11 is needed"))


def packages() -> Finding:
    """The packages that running needs, with their versions."""
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = "pip install -r requirements.txt"
        return Finding("bad", "Packages", f"missing: {', '.join(missing)}; {advice}")
    return Finding("ok", "Packages", ", ".join(found))


def requirements() -> Finding:
    """Whether the installed versions lie within the ranges of requirements.txt."""
    from packaging.requirements import Requirement

    listing = Path(__file__).resolve().parent.parent / "requirements.txt"
    outside = []
    for line in listing.read_text("utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            installed = version(wanted.name)
        except PackageNotFoundError:
            outside.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(installed, prereleases=True):
            outside.append(f"{wanted.name} {installed} is not {wanted.specifier}")
    if outside:
        return Finding("bad", "Requirements", "; ".join(outside))
    return Finding("ok", "Requirements", "every installed version lies in its range")


def built_in() -> Finding:
    """The built-in model segments a scene, and how long that takes."""
    from gclip_core import Segmenter, load_backbone, scenes

    start = time.perf_counter()
    segmenter = Segmenter(load_backbone())
    loaded = time.perf_counter()
    scene = scenes.compose(1)
    segmenter.segment(scene.image, list(scene.words))
    done = time.perf_counter()
    return Finding(
        "ok",
        "Built-in model",
        f"loads in {loaded - start:.1f} s, answers in {done - loaded:.2f} s",
    )


def local_weights() -> Finding:
    """Which real CLIP weights are on this disk."""
    from gclip_core.load import WEIGHTS_FOLDER, on_disk
    from gclip_core.registry import BACKBONES

    there = [entry.name for entry in BACKBONES.values() if entry.tag and on_disk(entry)]
    if there:
        return Finding("ok", "CLIP weights", ", ".join(there))
    folder = os.environ.get(WEIGHTS_FOLDER)
    where = f"none in {WEIGHTS_FOLDER}" if folder else f"none ({WEIGHTS_FOLDER} is not set)"
    return Finding("note", "CLIP weights", f"{where}; the page runs on the built-in model")


def hub() -> Finding:
    """Whether real weights could be downloaded."""
    from huggingface_hub import constants

    host = constants.ENDPOINT.split("//")[-1].split("/")[0]
    name, _, number = host.partition(":")
    try:
        socket.create_connection((name, int(number or 443)), timeout=3).close()
    except OSError:
        return Finding("note", "Weights server", "not reachable; downloads will not work")
    return Finding("ok", "Weights server", "reachable")


def processors() -> Finding:
    """Cores, threads and accelerator."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    found = f"{cores} cores, {torch.get_num_threads()} PyTorch threads, {device}"
    if torch.get_num_threads() > (cores or 1):
        return Finding("note", "Processors", f"{found}; set OMP_NUM_THREADS={cores}")
    return Finding("ok", "Processors", found)


def memory() -> Finding:
    """Free memory, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return Finding("note", "Memory", "this system does not tell; 2 GB free are advised")
    table = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    free, total = table["MemAvailable"] / _GIB, table["MemTotal"] / _GIB
    found = f"{free:.1f} of {total:.1f} GiB free"
    if free < 1:
        return Finding("bad", "Memory", f"{found}; the page needs about 1 GiB")
    return Finding("ok" if free >= 3 else "note", "Memory", found)


def disk() -> Finding:
    """A temporary folder that can be written."""
    folder = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x" * 1024)
    free = shutil.disk_usage(folder).free / _GIB
    state: State = "ok" if free > 1 else "note"
    return Finding(state, "Temporary disk", f"writable, {free:.0f} GiB free")


def port(host: str, number: int) -> Finding:
    """A free port to listen on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            reason = (error.strerror or "unusable").lower()
            advice = "stop what listens there or choose another with --port"
            return Finding("bad", "Port", f"{host}:{number}: {reason}; {advice}")
    return Finding("ok", "Port", f"{host}:{number} is free")


def _safely(check: Callable[[], Finding]) -> Finding:
    """A check that fails is a finding too, never a stack trace."""
    try:
        return check()
    except Exception as error:
        name = getattr(check, "__name__", "check").replace("_", " ").capitalize()
        first = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        return Finding("bad", name, first)


if __name__ == "__main__":
    sys.exit(main())
