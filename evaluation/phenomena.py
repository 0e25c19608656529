"""Global tokens and abnormal channels of a backbone, block by block (the paper's Figs. 1 and 3).

``python -m evaluation.phenomena --backbone NAME [IMAGES…]`` prints them: the attention that the
most attended patch receives, the agreement of global tokens with the class token, the FFN's weight
norms and their entropy, and the similarity of the last block's Values within and across regions,
without and with CS. With ``--out`` it draws the norms.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from evaluation import EvaluationError, options
from evaluation.datasets import Sample
from evaluation.metric import IGNORE
from evaluation.photos import NAME as PHOTOS
from evaluation.tables import counted, grid
from gclip_core import amf, cs, images
from gclip_core.backbone import Backbone
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_choice, block_numbers, named
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, MethodReport, Suppression

LARGE = 3.0
"""A dimension is large if its mean magnitude is at least this multiple of the median's."""


# --- measuring -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Phenomena:
    """Measurements of one backbone; figures by block are means over the images.

    A patch whose score is at least ``threshold`` is a global token; a channel whose norm is at
    least ``channel_threshold`` times the median is abnormal. ``scores``, ``tokens`` and
    ``agreement`` are (L,) float64: the attention that the most attended patch receives (1 =
    uniform), the number of global tokens, and their cosine with the class token's row (nan without
    tokens). ``dimensions`` are, for each image, the large dimensions of patch tokens at the input
    of the last block, largest first; ``first_blocks`` the first block ``auto`` would fuse (0-based,
    None without global tokens). ``similarities`` are in-in and in-out of the last block's Values,
    without CS and with it; empty if no image has regions.
    """

    backbone: Backbone
    images: int
    threshold: float
    channel_threshold: float
    scores: NDArray[np.float64]
    tokens: NDArray[np.float64]
    agreement: NDArray[np.float64]
    dimensions: tuple[tuple[int, ...], ...]
    first_blocks: tuple[int | None, ...]
    report: MethodReport
    similarities: dict[str, tuple[float, float]]


def measure(
    segmenter: Segmenter, samples: Iterable[Sample], cs_method: Method, threshold: float = 5.0
) -> Phenomena:
    """Measures a backbone on images; their truth gives the regions (negative: none).

    ``cs_method`` is the method that applies CS.

    Raises:
        EvaluationError: there are no images.
    """
    scores, tokens, agreement, dimensions, firsts = [], [], [], [], []
    report: MethodReport | None = None
    values: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        image, regions = sample.load()
        encoded = segmenter.encode(image)
        globality = segmenter.globality(encoded, threshold)
        scores.append(globality.scores)
        tokens.append([len(indices) for indices in globality.tokens])
        agreement.append(globality.agreement)
        dimensions.append(large_dimensions(encoded.whole.inputs[-1]))
        by_block = globality.tokens
        firsts.append(amf.first_global_block(by_block.__getitem__, len(by_block)))
        report = report or segmenter.report(encoded, cs_method)
        if (regions >= 0).any():
            labels = cs.majority_labels(torch.from_numpy(np.array(regions)), encoded.grid)
            for label, method in (("without CS", METHODS["clearclip"]), ("with CS", cs_method)):
                pair = cs.in_in_out(segmenter.values(encoded, method), labels)
                values.setdefault(label, []).append(pair)
    if report is None:
        raise EvaluationError("At least one image was expected, but none came.")
    return Phenomena(
        backbone=segmenter.backbone,
        images=len(scores),
        threshold=threshold,
        channel_threshold=(cs_method.suppression or Suppression()).channel_threshold,
        scores=np.array(scores).mean(0),
        tokens=np.array(tokens, float).mean(0),
        agreement=_mean_of_known(agreement),
        dimensions=tuple(dimensions),
        first_blocks=tuple(firsts),
        report=report,
        similarities={label: tuple(_mean_of_known(pairs)) for label, pairs in values.items()},
    )


def large_dimensions(tokens: Tensor) -> tuple[int, ...]:
    """Dimensions of large mean magnitude over the patches of (1+N, D) tokens, largest first."""
    size = tokens[1:].float().abs().mean(0)
    order = size.argsort(descending=True)
    return tuple(order[: int((size >= LARGE * size.quantile(0.5)).sum())].tolist())


def _mean_of_known(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Mean of each column without nan; nan if a column has nothing else."""
    return np.ma.masked_invalid(np.array(rows, float)).mean(0).filled(np.nan)


# --- the report ----------------------------------------------------------------------------------

LEGEND = """\
score: attention that the most attended patch receives, 1 = uniform. agreement: cosine of the rows
of global tokens with the class token's row. max/median and entropy: of the weight norms of the
FFN's output channels. Scores, tokens and agreement are means over the images."""


def summary(phenomena: Phenomena) -> str:
    """A table by block and sentences; blocks count from 1."""
    report = phenomena.report
    head = ["block", "score", "global tokens", "agreement"]
    cells = [[*head, "largest channel", "max/median", "entropy", "with CS"]]
    for block in range(phenomena.backbone.n_blocks):
        cells.append(
            [
                str(block + 1),
                f"{phenomena.scores[block]:.2f}",
                f"{phenomena.tokens[block]:.1f}",
                _number(phenomena.agreement[block]),
                str(report.channels[block]),
                f"{report.ratios[block]:.2f}",
                f"{float(report.entropy[block]):.4f}",
                f"{float(report.entropy_after[block]):.4f}",
            ]
        )
    title = f"{phenomena.backbone.title} · {counted(phenomena.images, 'image')}"
    large = set.intersection(*map(set, phenomena.dimensions))
    sentences = [
        *_on_tokens(phenomena),
        "Dimensions of patch tokens that are large in every image: "
        f"{', '.join(map(str, sorted(large))) or 'none'}.",
        f"Abnormal channels (norm of at least {phenomena.channel_threshold:g} × the median): in "
        f"{named(block_numbers(report.abnormal))}.",
        f"CS changes {named(block_numbers(report.suppressed))} ({report.cs_reason}).",
    ]
    for label, (inside, across) in phenomena.similarities.items():
        sentences.append(
            f"Values {label}: in-in {_number(inside)}, in-out {_number(across)}, difference "
            f"{_number(inside - across)}."
        )
    if not phenomena.similarities:
        sentences.append(
            "In-in and in-out need regions: add --words, or use a data set with truth."
        )
    return "\n\n".join([title, grid(cells), LEGEND, "\n".join(sentences)])


def _on_tokens(phenomena: Phenomena) -> list[str]:
    """In how many images global tokens begin at each block."""
    firsts, last = phenomena.first_blocks, phenomena.backbone.n_blocks - 1
    tokens = f"global tokens (score of at least {phenomena.threshold:g})"
    known = sorted({block for block in firsts if block is not None})
    if not known:
        return [
            f"No image has {tokens} in consecutive blocks up to {last}, so AMF's `auto` fuses the "
            "middle blocks."
        ]
    return [
        f"Images that have {tokens} in every block from {block + 1} to {last}: "
        f"{firsts.count(block)} of {phenomena.images}."
        for block in known
    ]


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


# --- the figure ----------------------------------------------------------------------------------

SOFT, BLUE, ORANGE, INK = "#6b7684", "#2459b3", "#c8530f", "#16202b"
COLUMNS = 6


def draw(phenomena: Phenomena) -> Figure:
    """Norms of every output channel by block: a line each; after CS, where it changes one, a dot.

    Of a deep tower every second or third block is drawn, and always the last.
    """
    report = phenomena.report
    step = math.ceil(report.n_blocks / 12)
    blocks = range((report.n_blocks - 1) % step, report.n_blocks, step)
    rows = math.ceil(len(blocks) / COLUMNS)
    lowest, highest = float(report.norms_before.min()), float(report.norms_before.max())
    is_wide = highest > 10 * lowest  # on a linear axis the ordinary channels would be invisible
    floor = 0.5 * max(lowest, 1e-6) if is_wide else 0.0
    figure = Figure(figsize=(13, 1 + 2.2 * rows), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    title = "weight norms of the FFN's output channels, and their entropy; dot and →: with CS"
    figure.suptitle(f"{phenomena.backbone.title}: {title}", x=0.012, ha="left", fontsize=11)
    cells = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes in cells.flat[len(blocks) :]:
        axes.set_visible(False)
    for axes, block in zip(cells.flat, blocks, strict=False):
        before, after = report.norms_before[block].numpy(), report.norms_after[block].numpy()
        channels, changed = np.arange(len(before)), ~np.isclose(before, after)
        axes.vlines(channels, floor, before, color=BLUE, linewidth=0.8, alpha=0.6)
        axes.vlines(channels[changed], floor, before[changed], color=ORANGE, linewidth=2.4)
        axes.plot(channels[changed], after[changed], "o", color=INK, markersize=5, zorder=3)
        note = f"channel {report.channels[block]}: {report.ratios[block]:.1f} × median\nentropy "
        note += f"{report.entropy[block]:.3f}"
        if changed.any():
            note += f" → {report.entropy_after[block]:.3f}"
        axes.set_title(f"block {block + 1}", loc="left", fontsize=10, fontweight="bold", pad=25)
        axes.text(0, 1.03, note, transform=axes.transAxes, fontsize=8, color=SOFT, in_layout=False)
        axes.set_yscale("log" if is_wide else "linear")
        axes.set_ylim(floor, (2 if is_wide else 1.06) * highest)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, colors=SOFT)
    figure.supxlabel("output channel", fontsize=9)
    figure.supylabel("norm", fontsize=9)
    return figure


# --- the command ---------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    return options.run(_measure, parser().parse_args(arguments))


def _measure(args: argparse.Namespace) -> None:
    backbone = options.opened_backbone(args, args.backbone)
    segmenter = Segmenter(backbone, short_side=args.short_side)
    cs_blocks = block_choice(args.cs_blocks, backbone.n_blocks)
    cs_method = gclip(amf=False, cs=True, cs_blocks=cs_blocks)
    samples = [_own_image(path, args.words, segmenter) for path in args.images]
    samples = samples or options.opened_set(args).samples
    phenomena = measure(segmenter, samples, cs_method, args.global_threshold)
    print(summary(phenomena))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        draw(phenomena).savefig(args.out / "channels.png", dpi=160)
        print(f"\nwritten: {args.out / 'channels.png'}", file=sys.stderr)


def _own_image(path: Path, words: str | None, segmenter: Segmenter) -> Sample:
    """An image of the user's; its regions are ClearCLIP's masks of ``words``, if given."""

    def load() -> tuple[Image.Image, NDArray[np.int16]]:
        image = images.check(path)
        if not words:
            return image, np.full((image.height, image.width), IGNORE, np.int16)
        return image, segmenter.segment(image, words, METHODS["clearclip"]).labels.numpy()

    return Sample(path.name, load)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation.phenomena",
        description="Global tokens and abnormal channels of a backbone, block by block (blocks "
        "count from 1), measured on the given images or on those of a data set.",
    )
    command.add_argument("images", nargs="*", type=Path, help="image files")
    options.add_backbone_options(command)
    options.add_set_options(command, default=PHOTOS, n=12)
    command.add_argument("--words", help="words whose masks are the regions of in-in and in-out")
    command.add_argument("--short-side", type=int, help="pixels (default: the backbone's)")
    options.add_gclip_options(command)
    command.add_argument("--out", type=Path, help="folder for the figure (default: only print)")
    return command


if __name__ == "__main__":
    sys.exit(main())
