"""The rows of the table: what is measured, the baseline, the result and its goal."""

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import nn

from evaluation.photos import shipped_photos
from gclip_core import METHODS, Segmenter, damage, gclip, load_backbone
from gclip_core.refine import REFINEMENTS, refined
from gclip_core.registry import OPENAI_MEAN, OPENAI_STD
from gclip_core.text import embed
from gclip_core.types import Encoded, Vocabulary
from tests.benchmarks import usual
from tests.models import normalised, picture, wrap_backbone

WORDS = (
    *("cat", "dog", "sofa", "wall", "sky", "tree", "grass", "road", "person", "car"),
    *("bicycle", "bus", "train", "table", "window", "boat", "bird", "horse", "sheep", "plant"),
)
AMF_BLOCKS = (5, 6)
CS_BLOCKS = range(6, 11)
Run = Callable[[], Any]


def medians(*runs: Run, repeats: int) -> tuple[float, ...]:
    """Median processor seconds of each run, taken in turns (A B A B) after one warming round."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, kept in zip(runs, times, strict=True):
            start = time.process_time()
            run()
            if turn or not repeats:
                kept.append(time.process_time() - start)
    return tuple(statistics.median(kept) for kept in times)


def once(run: Run) -> float:
    """Seconds of one run without warming."""
    return medians(run, repeats=0)[0]


def machine() -> str:
    """Processor and PyTorch's version in one line."""
    cpu = Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2].partition("\n")[0]
    return f"{cpu or platform.machine()}, one thread, PyTorch {torch.__version__}"


@dataclass(frozen=True)
class Row:
    """One row of the table; a line of Markdown as a text."""

    what: str
    against: str
    ours: str
    theirs: str
    result: str
    goal: str
    met: bool
    note: str = ""

    def __str__(self) -> str:
        met = "yes" if self.met else "**no**"
        cells = (self.what, self.against, self.ours, self.theirs, self.result, self.goal, met)
        return "| " + " | ".join(cells) + " |"


@dataclass
class Bench:
    """A ViT-B/16 of seeded random weights, and how many runs a median is taken of."""

    repeats: int

    @cached_property
    def model(self) -> nn.Module:
        torch.manual_seed(0)
        config = open_clip.get_model_config("ViT-B-16-quickgelu")
        return open_clip.CLIP(**config).eval().requires_grad_(False)

    @cached_property
    def segmenter(self) -> Segmenter:
        backbone = wrap_backbone(self.model, mean=OPENAI_MEAN, std=OPENAI_STD)
        return Segmenter(backbone, short_side=336)


def faster(what: str, ours: float, theirs: float, goal: float, note: str = "") -> Row:
    ratio = theirs / ours
    result = f"{ratio:.2f} ×", f"≥ {goal:g} ×", ratio >= goal, note
    return Row(what, "the usual way", _time(ours), _time(theirs), *result)


def share(what: str, ours: float, whole: float, goal: float) -> Row:
    part = 100 * ours / whole
    result = f"{part:.1f} %", f"≤ {goal:g} %", part <= goal
    return Row(what, "a cold request", _time(ours), _time(whole), *result)


def at_most(what: str, value: float, goal: float, unit: str, note: str = "") -> Row:
    small = unit == "s" and value < 0.01
    shown = f"{1000 * value:.2f} ms" if small else f"{value:.2f} {unit}".strip()
    return Row(what, "", shown, "", shown, f"≤ {goal:g} {unit}", value <= goal, note)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def text(bench: Bench) -> list[Row]:
    """New words, and the same words again."""
    segmenter = bench.segmenter
    first = once(lambda: embed(segmenter.backbone, WORDS))
    segmenter.backbone.text_cache.clear()
    new = once(lambda: embed(segmenter.backbone, WORDS))
    few = WORDS[:2]  # the usual way embeds word by word: its time for 20 is that for 2, times 10
    theirs = once(lambda: usual.embed(bench.model, few)) * len(WORDS) / len(few)
    error = float((embed(segmenter.backbone, few) - usual.embed(bench.model, few)).abs().max())
    (again,) = medians(lambda: embed(segmenter.backbone, WORDS), repeats=bench.repeats)
    note = f"largest difference {error:.0e}; {_time(first)} the first time, with prefixes"
    return [
        faster("20 new words, 80 templates", new, theirs, 12, note),
        at_most("the same words again", again, 0.001, "s"),
    ]


def image(bench: Bench) -> list[Row]:
    """One variant and five variants of a 336 x 448 picture."""
    shown, segmenter = picture(336, 448), bench.segmenter
    pixels = normalised(shown, OPENAI_MEAN, OPENAI_STD)[None].float()
    text = embed(segmenter.backbone, WORDS)
    plain, fused = METHODS["clearclip"], gclip(cs=False, amf_blocks=AMF_BLOCKS)
    repaired = gclip(amf=False, cs_blocks=CS_BLOCKS)
    both = gclip(amf_blocks=AMF_BLOCKS, cs_blocks=CS_BLOCKS)
    single = partial(segmenter.segment, shown, WORDS, plain)
    single_usual = partial(usual.labels, bench.model, pixels, text)

    def five() -> None:
        trunk = segmenter.encode(shown)
        for method in (plain, fused, METHODS["maskclip"]):
            segmenter.segment(trunk, WORDS, method)
        upper = segmenter.suppress(trunk, repaired)
        for method in (repaired, both):
            segmenter.segment(upper, WORDS, method)

    def five_usual() -> None:
        for blocks in ((), AMF_BLOCKS, (), (), AMF_BLOCKS):
            usual.labels(bench.model, pixels, text, blocks)

    times = medians(single_usual, five_usual, single, five, repeats=bench.repeats)
    theirs, theirs_five, ours, ours_five = times
    equal = 100 * float((single().labels == single_usual()).float().mean())
    note = f"labels equal on {equal:.2f} % of pixels"
    return [
        faster("one variant, ViT-B/16, 336 × 448, float32", ours, theirs, 1.05, note=note),
        faster("five variants of one image, float32", ours_five, theirs_five, 2.5),
    ]


def toggles(bench: Bench) -> list[Row]:
    """AMF, another method and CS, against a cold request of the same picture."""
    shown, segmenter = picture(336, 448), bench.segmenter
    embed(segmenter.backbone, WORDS)
    damaged = replace(segmenter, backbone=damage(segmenter.backbone, 100, 6.0, CS_BLOCKS))
    plain, cs = METHODS["clearclip"], gclip(amf=False)
    kept: dict[str, Encoded] = {}

    def cold(segmenter: Segmenter, name: str) -> None:
        kept[name] = segmenter.encode(shown)
        segmenter.segment(kept[name], WORDS, plain)

    def first_cs() -> None:
        kept["repaired"] = damaged.suppress(kept["damaged"], cs)
        damaged.segment(kept["repaired"], WORDS, cs)

    once_more = {
        "AMF on the first time (auto, no global tokens)": gclip(cs=False),
        "another method: MaskCLIP": METHODS["maskclip"],
        "another method: NACLIP": METHODS["naclip"],
        "another method: SCLIP": METHODS["sclip"],
    }
    whole, *others, _, first, again = medians(
        lambda: cold(segmenter, "plain"),
        *(lambda m=m: segmenter.segment(kept["plain"], WORDS, m) for m in once_more.values()),
        lambda: cold(damaged, "damaged"),
        first_cs,
        lambda: damaged.segment(kept["repaired"], WORDS, cs),
        repeats=bench.repeats,
    )
    return [
        *(share(what, time, whole, 8) for what, time in zip(once_more, others, strict=True)),
        share("CS on the first time, blocks 7 to 11", first, whole, 50),
        share("CS on again", again, whole, 3),
    ]


def methods(bench: Bench) -> list[Row]:
    """The slowest method against ClearCLIP on one kept encoding, labels included; all together."""
    segmenter, shown = bench.segmenter, picture(336, 448)
    kept = segmenter.encode(shown)
    for method in METHODS.values():  # global tokens are measured once for a picture
        segmenter.segment(kept, WORDS, method)
    runs = [partial(segmenter.segment, kept, WORDS, method) for method in METHODS.values()]
    times = dict(zip(METHODS, medians(*runs, repeats=bench.repeats), strict=True))
    slowest = max(times, key=times.__getitem__)
    ratio = times[slowest] / times["clearclip"]
    note = f"{slowest}: {_time(times[slowest])}; ClearCLIP: {_time(times['clearclip'])}"
    built_in = Segmenter(load_backbone("built-in"))
    photo = shipped_photos()["dog"]
    embed(built_in.backbone, [word for words in photo.words for word in words])

    def all_methods() -> None:
        encoded = built_in.encode(photo.image())
        for method in METHODS.values():
            built_in.segment(encoded, Vocabulary(photo.words), method)

    (seconds,) = medians(all_methods, repeats=bench.repeats)
    return [
        at_most("the slowest method over ClearCLIP, on a cached encoding", ratio, 5, "×", note),
        at_most(f"all {len(METHODS)} methods of one photo, built-in", seconds, 2, "s"),
    ]


def refinements(bench: Bench) -> list[Row]:
    """Edges that follow the picture, beyond the plain mask: five words and the background."""
    segmenter = Segmenter(load_backbone("built-in"))
    rows = []
    for size, goals in (((480, 640), (0.06, 0.35)), ((2000, 2000), (0.4, 0.4))):
        shown = picture(*size)
        encoded = segmenter.encode(shown)
        plain = segmenter.segment(encoded, WORDS[:5], background=True)
        names = [name for name in REFINEMENTS if name != "none"]
        whole, *seconds = medians(
            partial(segmenter.segment, encoded, WORDS[:5], background=True),
            *(partial(refined, plain, shown, name) for name in names),
            repeats=bench.repeats,
        )
        for name, extra, goal in zip(names, seconds, goals, strict=True):
            what = f"edges, {REFINEMENTS[name].title}, {size[1]} × {size[0]}"
            note = f"{extra / whole:.1f} × the plain mask of a kept encoding, {_time(whole)}"
            rows.append(at_most(what, extra, goal, "s", note))
    return rows


SECTIONS = {section.__name__: section for section in (text, image, toggles, methods, refinements)}
