"""What is inside a backbone: global tokens and abnormal channels, block by block.

``python -m evaluation.phenomena --backbone NAME [IMAGES…]`` prints and draws, for any backbone,
what Figs. 1 and 3 of the paper show: how much the most attended patch draws, how global tokens
agree with the class token, the FFN's weight norms and their entropy, and how alike the last
block's Values are within things and across them, with Channel Suppression and without.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gclip_core import amf, cs, images
from gclip_core.backbone import Backbone, load_backbone
from gclip_core.errors import EvaluationError, GclipError
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_indices, block_numbers
from gclip_core.registry import BACKBONES, BUILT_IN
from gclip_core.segmenter import Segmenter
from gclip_core.types import Found, Grid, Method, Suppression, Trunk

SCENES = 12


@dataclass(frozen=True, eq=False)
class Picture:
    """An image to look into; ``regions`` (H, W) integers are its things, negative for none."""

    name: str
    image: Image.Image
    regions: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class Similarity:
    """Mean cosine of the last block's Values within regions, and across them."""

    label: str
    inside: float
    across: float


@dataclass(frozen=True, eq=False)
class Example:
    """One picture's attention, for the figure: ``received`` (L, N) and ``maps`` (L, N, N)."""

    picture: Picture
    grid: Grid
    received: Tensor
    maps: Tensor
    tokens: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found in one backbone; per-block figures are means over the pictures.

    ``threshold`` makes a patch a global token, ``channel_threshold`` a channel abnormal.
    ``scores``, ``tokens`` and ``agreement`` are (L,) float64: the most attended patch's share (1 =
    uniform), how many global tokens there are, and their cosine with the class token's row, nan
    without any. ``first_blocks`` are the blocks ``auto`` would begin to fuse at (0-based), by
    picture. ``similarity`` is empty when no picture has regions.
    """

    backbone: Backbone
    pictures: int
    threshold: float
    channel_threshold: float
    scores: NDArray[np.float64]
    tokens: NDArray[np.float64]
    agreement: NDArray[np.float64]
    first_blocks: tuple[int | None, ...]
    found: Found
    similarity: tuple[Similarity, ...]
    example: Example


def inspect(
    segmenter: Segmenter, pictures: Iterable[Picture], suppressing: Method, threshold: float = 5.0
) -> Inspection:
    """Look into a backbone with these pictures; ``suppressing`` is the method that applies CS.

    Raises:
        EvaluationError: no picture.
    """
    scores, tokens, agreement, firsts = [], [], [], []
    example: Example | None = None
    found: Found | None = None
    values: dict[str, list[tuple[float, float]]] = {}
    for picture in pictures:
        trunk = segmenter.encode(picture.image)
        seen = segmenter.globality(trunk, threshold)
        scores.append(seen.scores)
        tokens.append([len(t) for t in seen.tokens])
        agreement.append(seen.agreement)
        firsts.append(amf.first_global_block([bool(t) for t in seen.tokens]))
        found = found or segmenter.findings(trunk, suppressing)
        example = example or _example(segmenter, picture, trunk, seen.tokens)
        for label, pair in _similarities(segmenter, picture, trunk, suppressing):
            values.setdefault(label, []).append(pair)
    if example is None or found is None:
        raise EvaluationError("At least one image to look into was expected, but none came.")
    return Inspection(
        backbone=segmenter.backbone,
        pictures=len(scores),
        threshold=threshold,
        channel_threshold=(suppressing.suppression or Suppression()).channel_threshold,
        scores=np.array(scores).mean(0),
        tokens=np.array(tokens, float).mean(0),
        agreement=_mean_of_known(np.array(agreement, float)),
        first_blocks=tuple(firsts),
        found=found,
        similarity=tuple(
            Similarity(label, *_mean_of_known(np.array(pairs))) for label, pairs in values.items()
        ),
        example=example,
    )


def _example(
    segmenter: Segmenter, picture: Picture, trunk: Any, tokens: tuple[tuple[int, ...], ...]
) -> Example:
    whole: Trunk = trunk.clean
    clean = replace(segmenter, backbone=replace(segmenter.backbone, planted=()))
    maps = torch.stack(
        [
            amf.patch_attention(clean.attention_map(whole, block))
            for block in range(segmenter.backbone.n_blocks)
        ]
    )
    return Example(picture, whole.grid, segmenter.received(trunk), maps, tokens)


def _similarities(
    segmenter: Segmenter, picture: Picture, trunk: Any, suppressing: Method
) -> list[tuple[str, tuple[float, float]]]:
    """In-in and in-out of one picture's Values: as they are, with CS, and before planting."""
    if picture.regions is None:
        return []
    plain = METHODS["clearclip"]
    labels = cs.majority_labels(torch.from_numpy(np.array(picture.regions)), trunk.grid)
    ways: list[tuple[str, Segmenter, Method]] = []
    if segmenter.backbone.planted:
        unplanted = replace(segmenter, backbone=replace(segmenter.backbone, planted=()))
        ways.append(("before planting", unplanted, plain))
    ways += [("as it is", segmenter, plain), ("with CS", segmenter, suppressing)]
    return [
        (label, cs.in_in_out(looker.values(trunk, method), labels))
        for label, looker, method in ways
    ]


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over rows (n, k) without nan; nan where a column has nothing else."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(0)
    count = known.sum(0)
    return np.divide(total, count, out=np.full(values.shape[1], np.nan), where=count > 0)


# --- in words --------------------------------------------------------------------------------


def report(found: Inspection) -> str:
    """The inspection as a table and sentences; blocks counted from 1."""
    f = found.found
    head = [
        "block", "score", "global tokens", "agreement",
        "largest channel", "max/median", "entropy", "with CS",
    ]  # fmt: skip
    body = [
        [
            str(block + 1),
            f"{found.scores[block]:.2f}",
            f"{found.tokens[block]:.1f}",
            _number(found.agreement[block]),
            str(f.channels[block]),
            f"{f.ratios[block]:.2f}",
            f"{float(f.entropy[block]):.4f}",
            f"{float(f.entropy_after[block]):.4f}",
        ]
        for block in range(found.backbone.n_blocks)
    ]
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    table = [
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
        for row in [head, *body]
    ]
    table.insert(1, "─" * len(table[0]))
    many = "image" if found.pictures == 1 else "images"
    title = f"{found.backbone.title} · {found.pictures} {many}"
    return "\n".join([title, *_planted_lines(found), "", *table, "", *_sentences(found)])


def _planted_lines(found: Inspection) -> list[str]:
    return [
        f"simulation: channel {p.channel} × {p.gain:g} planted in blocks "
        + ", ".join(map(str, block_numbers(p.blocks)))
        for p in found.backbone.planted
    ]


def _sentences(found: Inspection) -> list[str]:
    known = [block for block in found.first_blocks if block is not None]
    n = len(found.first_blocks)
    if known:
        counts = {block: known.count(block) for block in sorted(set(known))}
        where = ", ".join(f"block {b + 1} ({c} of {n} images)" for b, c in counts.items())
        lines = [f"Global tokens (score ≥ {found.threshold:g}) stay from: {where}."]
    else:
        lines = [
            f"Global tokens (score ≥ {found.threshold:g}): in no image from a middle block on."
        ]
    abnormal = block_numbers(found.found.abnormal)
    lines.append(
        f"Abnormal channel: in blocks {', '.join(map(str, abnormal))}."
        if abnormal
        else "Abnormal channel: none in this model."
    )
    lines.append(f"CS: {found.found.cs_reason}.")
    if not found.similarity:
        lines.append("In-in and in-out need regions: name --words, or a data set with truth.")
    for s in found.similarity:
        lines.append(
            f"Values {s.label}: in-in {_number(s.inside)}, in-out {_number(s.across)}, "
            f"apart {_number(s.inside - s.across)}."
        )
    return lines


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


# --- the command line ------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; what went wrong is one sentence on stderr. Returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        _run(args)
    except GclipError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(args: argparse.Namespace) -> None:
    from evaluation.plants import planted
    from evaluation.runner import threads

    backbone = load_backbone(args.backbone, args.weights, args.device, args.dtype)
    with threads(args.threads, backbone):
        _look(args, planted(backbone, args.plant))


def _look(args: argparse.Namespace, backbone: Backbone) -> None:
    segmenter = Segmenter(backbone, short_side=args.short_side)
    blocks = (
        args.cs_blocks
        if args.cs_blocks in ("auto", "backbone")
        else block_indices(args.cs_blocks, backbone.n_blocks)
    )
    suppressing = gclip(amf=False, cs=True, cs_blocks=blocks)
    found = inspect(segmenter, _pictures(args, segmenter), suppressing, args.global_threshold)
    print(report(found))
    if args.out:
        from evaluation import figures

        written = figures.draw_inspection(found, args.out)
        print("\nwritten: " + ", ".join(map(str, written)), file=sys.stderr)


def _pictures(args: argparse.Namespace, segmenter: Segmenter) -> Iterable[Picture]:
    if args.images:
        return (_picture(path, args.words, segmenter) for path in args.images)
    from evaluation import scene_set
    from evaluation.datasets import find_dataset, open_dataset

    if args.dataset == scene_set.SCENES:
        samples = scene_set.scene_set(args.n, args.style, (192, 256)).samples
    elif args.root is None:
        raise EvaluationError(f"{args.dataset} needs --root, the folder that holds its files.")
    else:
        samples = open_dataset(find_dataset(args.dataset), args.root).samples[: args.n]
    return (Picture(sample.name, *sample.load()) for sample in samples)


def _picture(path: Path, words: str | None, segmenter: Segmenter) -> Picture:
    image = images.check(path)
    if not words:
        return Picture(path.name, image)
    labels = segmenter.segment(image, words, METHODS["clearclip"]).labels
    return Picture(path.name, image, labels.numpy())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.phenomena",
        description="Global tokens and abnormal channels of a backbone, block by block (blocks "
        "are counted from 1). Without images, emoji scenes are looked into.",
    )
    parser.add_argument("images", nargs="*", type=Path, help="image files")
    parser.add_argument(
        "--backbone", default=BUILT_IN, choices=list(BACKBONES), metavar="NAME",
        help=f"one of: {', '.join(BACKBONES)}",
    )  # fmt: skip
    parser.add_argument("--weights", type=Path, help="weight file of the backbone")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "auto"])
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's; built-in: 1)")
    parser.add_argument(
        "--words", help="words whose masks are the images' regions, for in-in and in-out"
    )
    parser.add_argument("--dataset", default="scenes", help="look into a data set's images instead")
    parser.add_argument("--root", type=Path, help="folder that holds the data set")
    parser.add_argument("--n", type=int, default=SCENES, help=f"how many of them ({SCENES})")
    parser.add_argument("--style", default="held-out", help="style of the scenes")
    parser.add_argument("--short-side", type=int, help="pixels (default: the backbone's)")
    parser.add_argument(
        "--plant", action="append", default=[], metavar="CHANNEL:GAIN:BLOCKS",
        help="simulate an abnormal channel, for example 7:100:7-11",
    )  # fmt: skip
    parser.add_argument("--cs-blocks", default="backbone", metavar="BLOCKS",
                        help="'backbone', 'auto' or numbers such as '7-11'")  # fmt: skip
    parser.add_argument("--global-threshold", type=float, default=5.0)
    parser.add_argument("--out", type=Path, help="folder for the figures; none: only print")
    return parser


if __name__ == "__main__":
    sys.exit(main())
