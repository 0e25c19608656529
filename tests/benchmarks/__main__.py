"""``python -m tests.benchmarks``: one table of processor seconds, ours beside the usual way.

On one thread, medians of alternating runs (A B A B). Read the ratios: seconds vary by machine.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import open_clip
import torch

from evaluation.photos import shipped_photos
from gclip_core import Segmenter, gclip, load_backbone
from gclip_core.backbones.registry import OPENAI_MEAN, OPENAI_STD
from gclip_core.relatives import METHODS
from gclip_core.words.text import TEMPLATES, embed, embed_new
from gclip_core.words.vocabulary import Vocabulary
from tests.benchmarks import usual
from tests.models import normalised, picture, wrap_backbone

WORDS = (
    *("cat", "dog", "sofa", "wall", "sky", "tree", "grass", "road", "person", "car"),
    *("bicycle", "bus", "train", "table", "window", "boat", "bird", "horse", "sheep", "plant"),
)


def medians(runs: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Median processor seconds of alternating runs, after one warm-up round."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, kept in zip(runs, times, strict=True):
            start = time.process_time()
            run()
            if turn:
                kept.append(time.process_time() - start)
    return [statistics.median(kept) for kept in times]


def compare(what: str, ours: float, theirs: float, against: str) -> None:
    """Prints a row of the table."""
    row = what, against, f"{1000 * ours:.4g}", f"{1000 * theirs:.4g}", f"{ours / theirs:.2g}"
    print(f"| {' | '.join(row)} |", flush=True)


def words(segmenter: Segmenter) -> None:
    """New words, each in 80 sentences; the usual way embeds two, and its time is scaled up."""
    backbone = segmenter.backbone
    error = float((embed(backbone, WORDS[:2]) - usual.embed(backbone.model, WORDS[:2])).abs().max())

    (new,) = medians([lambda: embed_new(backbone, WORDS, TEMPLATES["imagenet80"])], 1)
    (two,) = medians([lambda: usual.embed(backbone.model, WORDS[:2])], 1)
    compare("20 new words", new, two * 10, f"the usual way, which differs by {error:.0e}")


def methods(segmenter: Segmenter, repeats: int) -> None:
    """One method, five methods, and each further method on a kept encoding."""
    model, shown = segmenter.backbone.model, picture(336, 448)
    pixels = normalised(shown, OPENAI_MEAN, OPENAI_STD)[None].float()
    text, blocks = embed(segmenter.backbone, WORDS), (5, 6)
    plain, amf = METHODS["clearclip"], gclip(cs=False, amf_blocks=blocks)
    cs = gclip(amf=False, cs_blocks=range(6, 11))
    both = gclip(amf_blocks=blocks, cs_blocks=range(6, 11))
    encoded = segmenter.encode(shown)

    def five() -> None:
        encoded = segmenter.encode(shown)
        for method in (plain, amf, METHODS["maskclip"]):
            segmenter.segment(encoded, WORDS, method)
        suppressed = cs.encoding(encoded)
        for method in (cs, both):
            segmenter.segment(suppressed, WORDS, method)

    def five_usual() -> None:
        for fused in ((), blocks, (), (), blocks):
            usual.labels(model, pixels, text, fused)

    further = {
        "AMF": amf, "MaskCLIP": METHODS["maskclip"], "NACLIP": METHODS["naclip"],
        "SCLIP": METHODS["sclip"], "CS in five blocks": cs, "ProxyCLIP": METHODS["proxyclip"],
        "RF-CLIP": METHODS["rfclip"],
    }  # fmt: skip
    one, one_usual, *rest = medians(
        [
            lambda: segmenter.segment(shown, WORDS, plain),
            lambda: usual.labels(model, pixels, text),
            five,
            five_usual,
            *(
                lambda method=method: segmenter.segment(encoded, WORDS, method)
                for method in further.values()
            ),
        ],
        repeats,
    )
    compare("one method, 336 × 448", one, one_usual, "the usual way")
    compare("five methods of one photo", rest[0], rest[1], "the usual way")
    for name, seconds in zip(further, rest[2:], strict=True):
        compare(f"then {name}", seconds, one, "one method, from the photo")


def built_in(repeats: int) -> None:
    """All methods on a photo, and edges that follow it."""
    segmenter, photo = Segmenter(load_backbone()), shipped_photos()["dog"]
    vocabulary = Vocabulary(photo.words)

    def segment_all() -> None:
        encoded = segmenter.encode(photo.image())
        for method in METHODS.values():
            segmenter.segment(encoded, vocabulary, method)

    large = picture(2000, 2000)
    encodings = {"its own size": photo.image(), "2000 × 2000": large}
    encode, everything = medians([lambda: segmenter.encode(photo.image()), segment_all], repeats)
    compare(f"all {len(METHODS)} methods, built-in", everything, encode, "its encoding alone")
    for size, image in encodings.items():
        encoded = segmenter.encode(image)
        plain, guided, pamr = medians(
            [
                lambda r=refine, e=encoded, i=image: segmenter.segment(
                    e, WORDS[:10], refine=r, image=i
                )
                for refine in ("none", "guided", "pamr")
            ],
            repeats,
        )
        compare(f"guided edges, 10 words, {size}", guided, plain, "plain masks")
        compare(f"PAMR, 10 words, {size}", pamr, plain, "plain masks")


def main() -> None:
    """Measure everything in about five minutes and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (3)")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = open_clip.CLIP(**open_clip.get_model_config("ViT-B-16-quickgelu")).eval()
    backbone = wrap_backbone(model.requires_grad_(False), OPENAI_MEAN, OPENAI_STD)
    segmenter = Segmenter(backbone, short_side=336)
    print(f"PyTorch {torch.__version__}, one thread, medians of {repeats}, milliseconds\n")
    print("| what | compared with | time | time of the comparison | ratio |")
    print("|---|---|---|---|---|", flush=True)
    words(segmenter)
    methods(segmenter, repeats)
    built_in(repeats)


if __name__ == "__main__":
    main()
