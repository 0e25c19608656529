"""Masks from the command line: ``python -m gclip_core.segment IMAGES… --words … --out DIR``."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

import numpy as np

from gclip_core import images, vocabulary
from gclip_core.backbone import load_backbone
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS, find_method, gclip
from gclip_core.numbering import block_choice, block_numbers
from gclip_core.palette import indexed, table
from gclip_core.registry import BACKBONES, BUILT_IN
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, Segmentation


def main(arguments: Sequence[str] | None = None) -> int:
    """Segments every image that can be used, and reports the others.

    Returns 0 if all images were segmented, 1 if one could not be used, 2 for unusable settings.
    """
    given = _parser().parse_args(arguments)
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # before any product: for reproducible results
    try:
        words = None if given.words is None else vocabulary.parse(_words(given.words))
        rest = given.rest
        if rest not in ("auto", "background", "none"):
            rest = vocabulary.parse(_words(rest)).phrases
        method = _method(given)
        backbone = load_backbone(given.backbone, given.weights, given.device, given.dtype)
        segmenter = Segmenter(
            backbone, given.short_side, given.window, given.stride, given.templates
        )
        given.out.mkdir(parents=True, exist_ok=True)
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    failed = 0
    for path, name in zip(given.images, _unique_names(given.images), strict=True):
        try:
            picture = images.check(path)
            encoded = segmenter.encode(picture)
            asked = words or segmenter.suggest(encoded)
            result = segmenter.segment(encoded, asked, method, given.threshold, rest)
            _save(given.out, name, picture, result)
        except (GclipError, OSError) as error:
            failed += 1
            print(f"{path}: {error}", file=sys.stderr)
        else:
            _report(path, result)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gclip_core.segment",
        description="Segment images with any words. For every image NAME, DIR gets NAME.png (an "
        "indexed mask: class 0 is the first word, 255 is none), NAME-overlay.png and NAME.json.",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument(
        "--words",
        help="classes separated by commas, synonyms by ';' (\"cat, sofa; couch, wall\"), "
        "or a text file of them; without it each image gets the words that are suggested for it",
    )
    parser.add_argument(
        "--rest",
        default="auto",
        metavar="WORDS",
        help="hidden words: a pixel that one of them fits best gets no class. 'background' (the "
        "field's list), 'none' (every pixel gets one of the words), 'auto' (background for one "
        "word alone, none for more), or words as in --words",
    )
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    parser.add_argument("--backbone", default=BUILT_IN, help=f"one of {', '.join(BACKBONES)}")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a local weight file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "auto"))
    parser.add_argument("--method", default="gclip", help=f"one of {', '.join(METHODS)}")
    parser.add_argument("--no-amf", action="store_true", help="GCLIP without attention fusion")
    parser.add_argument("--no-cs", action="store_true", help="GCLIP without channel suppression")
    blocks = "'auto', 'backbone' (its default) or numbers from 1, such as '6 7' or '7-11'"
    papers = ", 'paper-from-1' or 'paper-from-0' (the paper's 6 and 7 in either counting)"
    parser.add_argument("--amf-blocks", default="backbone", help=blocks + papers)
    parser.add_argument("--cs-blocks", default="backbone", help=blocks)
    parser.add_argument("--threshold", type=float, default=0.0, help="score from 0 (off) to 1")
    parser.add_argument("--short-side", type=int, metavar="PIXELS")
    parser.add_argument("--window", type=int, metavar="PIXELS")
    parser.add_argument("--stride", type=int, default=112, metavar="PIXELS")
    parser.add_argument("--templates", default="imagenet80", choices=tuple(vocabulary.TEMPLATES))
    return parser


def _words(given: str) -> str:
    """The words themselves, or those in the text file of that name."""
    if len(given) < 1024 and "\n" not in given and Path(given).is_file():
        return Path(given).read_text("utf-8", errors="replace")
    return given


def _method(given: argparse.Namespace) -> Method:
    if given.method != "gclip":
        return find_method(given.method)
    return gclip(
        amf=not given.no_amf,
        cs=not given.no_cs,
        amf_blocks=block_choice(given.amf_blocks),
        cs_blocks=block_choice(given.cs_blocks),
    )


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """Output names: each file's stem, with a number if another image has the same."""
    names: list[str] = []
    for path in paths:
        numbered = (f"{path.stem}-{n}" for n in count(2))
        names.append(next(one for one in chain([path.stem], numbered) if one not in names))
    return names


def _save(folder: Path, name: str, picture: images.Image.Image, result: Segmentation) -> None:
    labels, names = result.labels.numpy(), result.vocabulary.names
    indexed(labels, names).save(folder / f"{name}.png")
    paint = images.Image.fromarray(table(names)[labels])
    share = images.Image.fromarray(np.where(labels < 0, 0, 153).astype(np.uint8))  # of 255
    images.Image.composite(paint, picture, share).save(folder / f"{name}-overlay.png")
    summary = {
        "classes": [list(synonyms) for synonyms in result.vocabulary.classes],
        "areas": dict(zip(names, result.areas(), strict=True)),
        "rest": {"area": result.rest_area(), "words": result.hidden},
        "method": result.method.name,
        "amf_blocks": block_numbers(result.found.fusion.blocks),
        "amf_reason": result.found.fusion.reason,
        "cs_blocks": block_numbers(result.found.suppressed),
        "cs_reason": result.found.cs_reason,
        "unknown": result.unknown,
        "notes": result.notes,
    }
    text = json.dumps(summary, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", "utf-8")


def _report(path: Path, result: Segmentation) -> None:
    areas = ", ".join(
        f"{name} {area:.1%}"
        for name, area in zip(result.vocabulary.names, result.areas(), strict=True)
    )
    rest = result.rest_area()
    print(f"{path}: {areas}" + (f", rest {rest:.1%}" if rest else ""))
    if result.unknown:
        print(f"  this backbone was not trained on: {', '.join(result.unknown)}")
    for note in result.notes:
        print(f"  {note}")


if __name__ == "__main__":
    sys.exit(main())
