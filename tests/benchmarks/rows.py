"""The rows of the table: what is measured, the baseline, the result and its goal."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from evaluation.photos import star_photos
from gclip_core import (
    BACKBONES,
    METHODS,
    Segmenter,
    gclip,
    load_backbone,
    plant_channel,
    wrap_backbone,
)
from gclip_core import blocks as core_blocks
from gclip_core.registry import OPENAI_MEAN, OPENAI_STD
from gclip_core.types import Vocabulary
from tests.benchmarks import usual
from tests.benchmarks.clock import child, medians, once
from tests.models import normalised, picture, tokenizer

WORDS = (
    *("cat", "dog", "sofa", "wall", "sky", "tree", "grass", "road", "person", "car"),
    *("bicycle", "bus", "train", "table", "window", "boat", "bird", "horse", "sheep", "plant"),
)
AMF_BLOCKS = (5, 6)
CS_BLOCKS = range(6, 11)
AUTO = '`dtype="auto"`'


@dataclass(frozen=True)
class Row:
    """One row of the table; ``met`` is None if this machine cannot run it."""

    what: str
    against: str
    ours: str
    theirs: str
    result: str
    goal: str
    met: bool | None
    note: str = ""


@dataclass
class Bench:
    """Seeded random weights, and the number of runs that a median is taken of."""

    repeats: int
    entry: str = "openai-vit-b-16"

    @property
    def architecture(self) -> str:
        return BACKBONES[self.entry].architecture

    @property
    def name(self) -> str:
        return (
            self.architecture.removesuffix("-quickgelu").replace("-16", "/16").replace("-14", "/14")
        )

    @cached_property
    def model(self) -> nn.Module:
        torch.manual_seed(0)
        config = open_clip.get_model_config(self.architecture)
        return open_clip.CLIP(**config).eval().requires_grad_(False)

    @cached_property
    def segmenter(self) -> Segmenter:
        backbone = wrap_backbone(self.model, tokenizer(), mean=OPENAI_MEAN, std=OPENAI_STD)
        face = Segmenter(backbone, short_side=336)
        face.embed_words(WORDS)
        return face

    @cached_property
    def auto(self) -> Segmenter | None:
        """The same weights loaded with ``dtype="auto"``; None if that is float32 here."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.safetensors"
            save_file(self.model.state_dict(), path)
            backbone = load_backbone(self.entry, path, dtype="auto")
        if backbone.dtype == torch.float32:
            return None
        face = Segmenter(backbone, short_side=336)
        face.embed_words(WORDS)
        return face

    @cached_property
    def text(self) -> Tensor:
        return self.segmenter.embed_words(WORDS)

    def pixels(self, height: int, width: int) -> Tensor:
        return normalised(picture(height, width), OPENAI_MEAN, OPENAI_STD)[None].float()


def faster(
    what: str,
    ours: float,
    theirs: float,
    goal: float,
    against: str = "the usual way",
    note: str = "",
) -> Row:
    ratio = theirs / ours
    return Row(
        what, against, _time(ours), _time(theirs), f"{ratio:.2f} ×", f"≥ {goal:g} ×",
        ratio >= goal, note,
    )  # fmt: skip


def share(what: str, ours: float, whole: float, goal: float, note: str = "") -> Row:
    part = 100 * ours / whole
    return Row(
        what, "a cold request", _time(ours), _time(whole), f"{part:.1f} %", f"≤ {goal:g} %",
        part <= goal, note,
    )  # fmt: skip


def not_run(what: str, goal: float, unit: str = "×") -> Row:
    """A row of ``dtype="auto"`` on a processor without bfloat16 arithmetic."""
    note = "not run: this processor has no bfloat16, so `auto` is float32"
    return Row(what, "the usual way", "", "", "", f"≥ {goal:g} {unit}", None, note)


def at_most(what: str, value: float, goal: float, unit: str, note: str = "") -> Row:
    small = unit == "s" and value < 0.01
    shown = f"{1000 * value:.2f} ms" if small else f"{value:.2f} {unit}".strip()
    return Row(what, "", shown, "", shown, f"≤ {goal:g} {unit}", value <= goal, note)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


# --- rows ----------------------------------------------------------------------------------------


def text(bench: Bench) -> list[Row]:
    """New words, and the same words again."""
    backbone = wrap_backbone(bench.model, tokenizer(), mean=OPENAI_MEAN, std=OPENAI_STD)
    face = Segmenter(backbone)
    first = once(lambda: face.embed_words(WORDS))
    backbone.text_cache.clear()
    new = once(lambda: face.embed_words(WORDS))
    few = WORDS[:2]  # the usual way embeds word by word: its time for 20 is that for 2, times 10
    expected: list[Tensor] = []
    theirs = once(lambda: expected.append(usual.embed(bench.model, few))) * len(WORDS) / len(few)
    error = float((face.embed_words(few) - expected[0]).abs().max())
    (again,) = medians(lambda: face.embed_words(WORDS), repeats=bench.repeats)
    return [
        faster(
            "20 new words, 80 templates", new, theirs, 12,
            note=f"largest difference {error:.0e}; {_time(first)} the first time, with the "
            "templates' prefixes",
        ),
        at_most("the same words again", again, 0.001, "s"),
    ]  # fmt: skip


def image(bench: Bench) -> list[Row]:
    """One variant and five variants of a 336 x 448 picture."""
    shown, pixels = picture(336, 448), bench.pixels(336, 448)
    plain, fused = METHODS["clearclip"], gclip(cs=False, amf_blocks=AMF_BLOCKS)
    repaired = gclip(amf=False, cs_blocks=CS_BLOCKS)
    both = gclip(amf_blocks=AMF_BLOCKS, cs_blocks=CS_BLOCKS)

    def one(face: Segmenter) -> Tensor:
        return face.segment(shown, WORDS, plain).labels

    def five(face: Segmenter) -> None:
        trunk = face.encode(shown)
        for method in (plain, fused, METHODS["maskclip"]):
            face.segment(trunk, WORDS, method)
        upper = face.suppress(trunk, repaired)
        for method in (repaired, both):
            face.segment(upper, WORDS, method)

    def one_usual() -> Tensor:
        return usual.labels(bench.model, pixels, bench.text)

    def five_usual() -> None:
        for blocks in ((), AMF_BLOCKS, (), (), AMF_BLOCKS):
            usual.labels(bench.model, pixels, bench.text, blocks)

    faces = [bench.segmenter, *([bench.auto] if bench.auto else [])]
    runs = [partial(run, face) for face in faces for run in (one, five)]
    times = medians(one_usual, five_usual, *runs, repeats=bench.repeats)
    theirs, theirs_five = times[:2]
    expected = one_usual()
    equal = [100 * float((one(face) == expected).float().mean()) for face in faces]
    rows = []
    for n, (dtype, goal, goal_five) in enumerate((("float32", 1.05, 2.5), (AUTO, 2, 5))):
        what = f"one variant, {bench.name}, 336 × 448, {dtype}"
        what_five = f"five variants of one image, {dtype}"
        if n == len(faces):
            rows += [not_run(what, goal), not_run(what_five, goal_five)]
            continue
        ours, ours_five = times[2 + 2 * n : 4 + 2 * n]
        note = f"labels equal on {equal[n]:.2f} % of pixels"
        rows += [
            faster(what, ours, theirs, goal, note=note),
            faster(what_five, ours_five, theirs_five, goal_five, "the usual way × 5"),
        ]
    return rows


def toggles(bench: Bench) -> list[Row]:
    """AMF, another method and CS, against a cold request of the same picture."""
    shown = picture(336, 448)
    face = bench.segmenter
    planted = Segmenter(
        plant_channel(face.backbone, 100, 6.0, CS_BLOCKS), short_side=face.short_side
    )
    plain, cs = METHODS["clearclip"], gclip(amf=False)
    trunks: dict[str, object] = {}

    def cold() -> None:
        trunks["plain"] = face.encode(shown)
        face.segment(trunks["plain"], WORDS, plain)

    def amf_on() -> None:
        face.segment(trunks["plain"], WORDS, gclip(cs=False))

    def other(name: str) -> None:
        face.segment(trunks["plain"], WORDS, METHODS[name])

    def cold_planted() -> None:
        trunks["planted"] = planted.encode(shown)
        planted.segment(trunks["planted"], WORDS, plain)

    def cs_on() -> None:
        trunks["repaired"] = planted.suppress(trunks["planted"], cs)
        planted.segment(trunks["repaired"], WORDS, cs)

    def cs_again() -> None:
        planted.segment(trunks["repaired"], WORDS, cs)

    others = [partial(other, name) for name in ("maskclip", "naclip", "sclip")]
    whole, amf, maskclip, naclip, sclip, _, first, again = medians(
        cold, amf_on, *others, cold_planted, cs_on, cs_again, repeats=bench.repeats
    )
    return [
        share(
            "AMF on the first time (auto, no global tokens)", amf, whole, 8,
            note="with global tokens AMF measures more blocks, once per image",
        ),
        share("another method: MaskCLIP", maskclip, whole, 8),
        share("another method: NACLIP", naclip, whole, 8),
        share(
            "another method: SCLIP", sclip, whole, 8,
            note="SCLIP has two attentions and the last block's FFN",
        ),
        share("CS on the first time, blocks 7 to 11", first, whole, 50),
        share("CS on again", again, whole, 3),
    ]  # fmt: skip


def methods(bench: Bench) -> list[Row]:
    """The slowest method against ClearCLIP on one kept encoding, labels included; all together."""
    face, shown = bench.segmenter, picture(336, 448)
    kept = face.encode(shown)
    for method in METHODS.values():  # global tokens are measured once for a picture
        face.segment(kept, WORDS, method)
    runs = [partial(face.segment, kept, WORDS, method) for method in METHODS.values()]
    times = dict(zip(METHODS, medians(*runs, repeats=bench.repeats), strict=True))
    slowest = max(times, key=times.__getitem__)
    ratio = times[slowest] / times["clearclip"]
    note = f"{slowest}: {_time(times[slowest])}; ClearCLIP: {_time(times['clearclip'])}"
    built_in = Segmenter(load_backbone("built-in"))
    photo = star_photos()["dog"]
    built_in.embed_words([word for words in photo.words for word in words])

    def all_methods() -> None:
        encoded = built_in.encode(photo.image())
        for method in METHODS.values():
            built_in.segment(encoded, Vocabulary(photo.words), method)

    (every,) = medians(all_methods, repeats=bench.repeats)
    return [
        at_most("the slowest method over ClearCLIP, on a kept encoding", ratio, 5, "×", note),
        at_most(f"all {len(METHODS)} methods of one photo, built-in", every, 2, "s"),
    ]


def sliding(bench: Bench) -> list[Row]:
    """Windows of 224 with stride 112 over 672 x 896."""
    shown, pixels = picture(672, 896), bench.pixels(672, 896)
    settings = {"short_side": 672, "window": 224, "stride": 112}
    faces = [replace(face, **settings) for face in (bench.segmenter, bench.auto) if face]
    runs = [partial(face.segment, shown, WORDS, METHODS["clearclip"]) for face in faces]
    theirs, *ours = medians(
        lambda: usual.labels_by_windows(bench.model, pixels, bench.text, 224, 112),
        *runs,
        repeats=min(1, bench.repeats),
    )
    whats = [f"sliding windows, 672 × 896, 224/112, {dtype}" for dtype in ("float32", AUTO)]
    note = "both do the same multiply-adds, near the processor's limit"
    rows = [faster(whats[0], ours[0], theirs, 1, note=note)]
    rows.append(faster(whats[1], ours[1], theirs, 2) if len(ours) > 1 else not_run(whats[1], 2))
    return rows


def trunk_limit(bench: Bench) -> list[Row]:
    """One pass against the time of its multiply-adds at the measured rate of a matrix product."""
    rows = []
    for dtype, face, goal in (("float32", bench.segmenter, 80), (AUTO, bench.auto, 70)):
        what = f"one trunk pass, {bench.name}, 336 × 448, {dtype}"
        rows.append(_limit(bench, face, what, goal) if face else not_run(what, goal, "%"))
    return rows


def _limit(bench: Bench, face: Segmenter, what: str, goal: float) -> Row:
    visual, pixels = face.backbone.model.visual, bench.pixels(336, 448)
    a = torch.randn(2048, 2048).to(face.backbone.dtype)
    tokens, width = 21 * 28 + 1, visual.conv1.out_channels
    blocks = len(visual.transformer.resblocks) - 1
    products = blocks * (12 * tokens * width**2 + 2 * tokens**2 * width)
    products += (tokens - 1) * width * 3 * visual.conv1.kernel_size[0] ** 2

    @torch.no_grad()
    def one_pass() -> None:
        x = core_blocks.embed_patches(visual, pixels)
        core_blocks.block_inputs(visual.transformer.resblocks, x)

    ours, matmul = medians(one_pass, lambda: a @ a, repeats=bench.repeats)
    rate = 2048**3 / matmul
    part = 100 * products / rate / ours
    return Row(
        what, f"its multiply-adds at {2 * rate / 1e9:.0f} GFLOP/s",
        _time(ours), _time(products / rate), f"{part:.0f} % of the limit", f"≥ {goal:g} %",
        part >= goal,
    )  # fmt: skip


def memory(bench: Bench) -> list[Row]:
    """Peaks of processes of their own."""
    built_in = (
        "from gclip_core import *\nfrom tests.models import picture\n"
        "face = Segmenter(load_backbone('built-in'))\n"
        "face.segment(picture(768, 1024), 'cat, dog, sky')"
    )
    large = (
        "from tests.benchmarks.rows import *\nbench = Bench(1)\n"
        "face = Segmenter(bench.segmenter.backbone, short_side=1024)\n"
        "trunk = face.encode(picture(1024, 1024))\n"
        "face.segment(trunk, WORDS), face.globality(trunk)\n"
        "face.attention_map(trunk, 5), face.last_attention(trunk, METHODS['gclip'])"
    )
    return [
        at_most("peak memory, built-in model", child(built_in)[1] / 1024, 1.0, "GB"),
        at_most(
            "peak memory, ViT-B/16 at 1024 × 1024 with attention maps",
            child(large)[1] / 1024, 2.5, "GB",
        ),
    ]  # fmt: skip


def page(bench: Bench) -> list[Row]:
    """The page with the built-in model, in wall-clock time: the server has all threads."""
    from tests.benchmarks.page import measure

    found = measure(bench.repeats)
    return [
        at_most("page: start of the server", found["start"], 6, "s"),
        at_most("page: first mask of a visit, empty cache", found["first mask"], 2, "s"),
        at_most("page: a switch of AMF or CS, warm", found["switch"], 0.25, "s"),
        at_most("page: all methods of Compare, one press", found["all methods"], 2, "s"),
        at_most("page: first visit on the wire", found["megabytes"], 1.2, "MB"),
        at_most("page: layout shift (CLS) on a desktop", found["shift"], 0.05, ""),
        at_most("page: layout shift (CLS) on a phone", found["shift on a phone"], 0.05, ""),
    ]


SECTIONS: dict[str, Callable[[Bench], list[Row]]] = {
    "text": text,
    "image": image,
    "toggles": toggles,
    "methods": methods,
    "windows": sliding,
    "trunk": trunk_limit,
    "memory": memory,
    "page": page,
}
