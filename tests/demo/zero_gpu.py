"""``python -m tests.demo.zero_gpu``: the page with the real ``spaces`` package, but no GPU.

Stand-ins cover only its first touch of CUDA; the process that gets the GPU computes on the CPU.
"""

import os
import sys
from dataclasses import replace
from typing import Any

import torch

BROKEN = "GPU-broken"
"""A GPU that cannot be used."""


def init(gpu: str) -> None:
    """Called first by the process that gets a GPU."""
    if gpu == BROKEN:
        raise RuntimeError("CUDA error: no device")
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu


def imitate_cuda() -> None:
    """Runs before the package is imported, which expects a PyTorch with CUDA."""
    if torch.version.cuda is None:
        torch.version.cuda, torch._C._cuda_init = "12.8", None
        torch.cuda._is_in_bad_fork = bool  # requested by name in another process, and false
    from spaces.zero import torch as cuda

    cuda.init, cuda.move = init, lambda callback=None: None


if __name__ == "__main__":
    imitate_cuda()
    from demo import backbones, main, space
    from gclip_core import Backbone, load_backbone

    def small(*settings: Any) -> Backbone:
        """Faster on a CPU."""
        return replace(load_backbone(*settings), short_side=112)

    space.DEVICE, backbones.load_backbone = "cpu", small
    sys.exit(main.main())
