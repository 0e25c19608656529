"""Processor time of one thread or wall-clock time of several; peak memory."""

import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Run = Callable[[], Any]


def medians(*runs: Run, repeats: int) -> tuple[float, ...]:
    """Median seconds of each run, taken in turns (A B A B) after one warming round.

    With one thread it is processor time, which depends little on other programs; with several it
    is wall-clock time, since waiting threads use processor time too.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, kept in zip(runs, times, strict=True):
            start = clock()
            run()
            if turn or not repeats:
                kept.append(clock() - start)
    return tuple(statistics.median(kept) for kept in times)


def once(run: Run) -> float:
    """Seconds of one run without warming."""
    return medians(run, repeats=0)[0]


def child(code: str) -> tuple[float, float]:
    """Processor seconds and peak memory in MB of a Python process of its own.

    The peak is ``VmHWM``, since ``ru_maxrss`` starts at the parent's peak.
    """
    wrapped = (
        f"{code}\nimport resource\nuse = resource.getrusage(resource.RUSAGE_SELF)\n"
        "peak = [x for x in open('/proc/self/status') if x.startswith('VmHWM')][0]\n"
        "print(use.ru_utime + use.ru_stime, int(peak.split()[1]) / 1024)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", wrapped], cwd=root, capture_output=True, text=True, check=True
    )
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def machine() -> str:
    """Processor, threads, clock and PyTorch's version in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), cpu)
    threads = torch.get_num_threads()
    clock = "processor time" if threads == 1 else "wall-clock time"
    return f"{cpu}, {threads} thread(s), {clock}, PyTorch {torch.__version__}"
