"""``python -m gclip_core.export OUT.onnx``: a backbone's image tower as an ONNX file.

The input is ``pixels``, (1, 3, height, width) float32, normalised as ``Segmenter.pixels`` does, at
one fixed size. The outputs are ``inputs``, those of every block, (L, 1+N, D) float32, from which
every method computes its features, and with the built-in model ``probabilities`` of its stem's
classes, (1, classes), and its stem's ``patches``, (1, h, w, channels).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.load import load_backbone
from gclip_core.backbones.registry import BACKBONES, BUILT_IN
from gclip_core.backbones.stem import Stem
from gclip_core.command import exit_status
from gclip_core.errors import GclipError, check_count
from gclip_core.formats import optional
from gclip_core.types import Size


class Tower(nn.Module):
    """The image tower, as a function of pixels, (1, 3, height, width)."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.visual = backbone.visual

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        conv1, others = self.visual.conv1, ()
        if isinstance(conv1, Stem):
            patches, *others = conv1.classified(pixels)
        else:
            patches = conv1(pixels)
        x = blocks.embed_patches(self.visual, patches[0])
        return torch.stack(blocks.block_inputs(self.visual.transformer.resblocks, x)), *others


def export(backbone: Backbone, file: Path, size: Size) -> None:
    """Writes the image tower for images of ``size`` pixels (height, width), whole or not at all.

    Raises GclipError for a size that is not whole patches, and without onnx and onnxscript.
    """
    for package in ("onnx", "onnxscript"):
        optional(package, "The export")
    for side in size:
        check_count("The side of an image", side)
        if side % backbone.patch:
            raise GclipError(
                f"{side} pixels are not whole patches of {backbone.patch} pixels; take a multiple."
            )
    names = ["inputs", "probabilities", "patches"]
    program = torch.onnx.export(
        Tower(backbone).eval(),
        (torch.zeros(1, 3, *size, dtype=backbone.dtype, device=backbone.device),),
        input_names=["pixels"],
        output_names=names if isinstance(backbone.visual.conv1, Stem) else names[:1],
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".gclip-", dir=file.parent) as unfinished:
        program.save(Path(unfinished, file.name))
        Path(unfinished, file.name).replace(file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status; an error is one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m gclip_core.export", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    names = f"one of {', '.join(BACKBONES)} (default {BUILT_IN})"
    parser.add_argument("--backbone", default=BUILT_IN, metavar="NAME", help=names)
    parser.add_argument("--weights", type=Path, metavar="PATH", help="as of gclip")
    size_help = "of the image in pixels, height first (default 448 448)"
    parser.add_argument("--size", type=int, nargs=2, default=(448, 448), help=size_help)
    return exit_status(_export, parser.parse_args(arguments))


def _export(given: argparse.Namespace) -> None:
    height, width = given.size
    export(load_backbone(given.backbone, given.weights), given.out, (height, width))
    print(f"written: {given.out}")


if __name__ == "__main__":
    sys.exit(main())
