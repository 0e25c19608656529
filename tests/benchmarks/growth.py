"""How cost grows with the image, the words, the windows and the blocks, beside the theory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gclip_core import METHODS, Segmenter, masks
from gclip_core import blocks as core_blocks
from tests.benchmarks.clock import medians
from tests.benchmarks.rows import Bench
from tests.models import picture


@dataclass(frozen=True)
class Curve:
    """Measured seconds over ``x``, and the theory's cost in a unit of its own."""

    title: str
    label: str
    theory_label: str
    x: tuple[float, ...]
    seconds: tuple[float, ...]
    theory: tuple[float, ...]

    def fitted(self) -> np.ndarray:
        """The theory in seconds: its unit is the one number that is fitted."""
        cost, seconds = np.asarray(self.theory), np.asarray(self.seconds)
        return cost * float(np.exp(np.mean(np.log(seconds / cost))))


def measure(bench: Bench) -> list[Curve]:
    """Four curves of ViT-B/16."""
    visual = bench.model.visual
    blocks, D = visual.transformer.resblocks, visual.conv1.out_channels

    def block_cost(tokens: int) -> int:
        return 12 * tokens * D**2 + 2 * tokens**2 * D

    @torch.no_grad()
    def run(side: int, depth: int) -> None:
        core_blocks.block_inputs(
            blocks[: depth + 1], core_blocks.embed_patches(visual, bench.pixels(side, side))
        )

    def seconds(runs: Sequence[Callable[[], object]]) -> tuple[float, ...]:
        return medians(*runs, repeats=min(2, bench.repeats))

    sides, depths = (128, 192, 288, 432, 640), (1, 2, 4, 8, 11)
    words, columns = (5, 20, 80, 320), (2, 3, 5, 9)
    logits = [torch.randn(n, 21, 28) for n in words]
    face = Segmenter(bench.segmenter.backbone, short_side=224, window=224, stride=112)

    def window_run(n: int) -> Callable[[], object]:
        shown = picture(224, 112 * (n + 1))
        return lambda: face.dense_features(shown, METHODS["clearclip"])

    return [
        Curve(
            "Image side", "pixels", "12 T D² + 2 T² D, T = tokens", sides,
            seconds([lambda s=s: run(s, 11) for s in sides]),
            tuple(block_cost((s // 16) ** 2 + 1) for s in sides),
        ),
        Curve(
            "Blocks run again", "blocks", "proportional to the blocks", depths,
            seconds([lambda d=d: run(336, d) for d in depths]), depths,
        ),
        Curve(
            "Words already known", "words", "proportional to words × pixels", words,
            seconds([
                lambda x=x: masks.labels(x, range(len(x)), (336, 448)) for x in logits
            ]),
            words,
        ),
        Curve(
            "Windows", "windows", "proportional to the windows", columns,
            seconds([window_run(n) for n in columns]), columns,
        ),
    ]  # fmt: skip


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Four panels, logarithmic both ways: dots measured, lines theory."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(12, 3.2), layout="constrained")
    for axes, curve in zip(figure.subplots(1, len(curves)), curves, strict=True):
        axes.plot(curve.x, curve.fitted(), color="#8a94a6", lw=2, zorder=1)
        axes.scatter(curve.x, curve.seconds, color="#c2410c", s=34, zorder=2)
        axes.set(xscale="log", yscale="log", xlabel=curve.label)
        axes.set_title(curve.title, loc="left", fontsize=11, fontweight="bold")
        axes.set_xticks(curve.x, [f"{x:g}" for x in curve.x])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda s, _: f"{s:g} s" if s >= 1 else f"{1000 * s:g} ms")
        axes.text(
            0.04, 0.93, curve.theory_label, transform=axes.transAxes, fontsize=8, color="#5b6472"
        )
        axes.set_ylabel("processor time")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
