"""Masks from the command line: ``gclip IMAGES… --words … --out DIR``.

``python -m gclip_core.command`` is the same command, without an installation.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch
from tqdm import tqdm

from gclip_core import __version__
from gclip_core.backbones.load import Dtype, load_backbone
from gclip_core.backbones.registry import BACKBONES, BUILT_IN
from gclip_core.errors import GclipError, MethodError, VocabularyError, check_between, check_count
from gclip_core.folder import COCO, ENDINGS, Folder, check_outputs, find_photos
from gclip_core.formats import optional
from gclip_core.methods import Method, gclip
from gclip_core.numbering import block_choice
from gclip_core.pixels import images
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.relatives import METHODS
from gclip_core.result import unknown_words
from gclip_core.segmenter import Segmenter
from gclip_core.words.background import BACKGROUND_WEIGHT
from gclip_core.words.text import TEMPLATES
from gclip_core.words.vocabulary import UnknownPhrase, Vocabulary, parse

REFUSED = GclipError, OSError, MemoryError, torch.OutOfMemoryError


def main(arguments: Sequence[str] | None = None) -> int:
    """Segments every usable image, and reports the others.

    Returns 0 if all images were segmented, 1 if one could not be used, 2 for unusable settings,
    130 after Ctrl-C and SIGTERM.
    """
    options = read_options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Set before the first matrix product, it makes results reproducible.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    return exit_status(run, options)


def exit_status(command: Callable[[Any], int | None], options: Any, stopped: str = "") -> int:
    """Runs a command, whose errors are one sentence on stderr.

    Returns its status, else 0; 2 if it was refused; 130 after Ctrl-C, which prints ``stopped``.
    """
    try:
        status = command(options)
        sys.stdout.flush()
        return status or 0
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except REFUSED as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Stopped. {stopped}".rstrip(), file=sys.stderr)
        return 130


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command line; argparse prints its errors and the help."""
    parser = argparse.ArgumentParser(
        prog=None if Path(sys.argv[0]).stem == "gclip" else "python -m gclip_core.command",
        description="Segment images with any words. For every image NAME, DIR gets NAME.png (an "
        "indexed mask: 0 is the first word, 255 is no class; with more than 255 words, it has 16 "
        "bits, and 65535 is no class), NAME-overlay.png and NAME.json; or what --format says. "
        "classes.json has the index and colour of each word, the same for all images in DIR.",
    )
    option = parser.add_argument
    images_help = "an image, or a folder: all PNG, JPEG, WebP and GIF files in it"
    option("images", nargs="+", type=Path, metavar="IMAGE", help=images_help)
    option("--recursive", action="store_true", help="also take the images in subfolders")
    words_help = (
        "classes separated by commas, synonyms by ';' (\"cat, sofa; couch, wall\"), or a .txt file "
        "with them (default: the words suggested for each image)"
    )
    option("--words", help=words_help)
    typed_help = "also use words that the model does not know; by default, they get no pixel"
    option("--as-typed", action="store_true", help=typed_help)
    out_help = "output folder (default: out); input files are never overwritten"
    option("--out", type=Path, default=Path("out"), metavar="DIR", help=out_help)
    overwrite_help = (
        "segment every image; by default, images are skipped whose results are in DIR, from the "
        "same words and options"
    )
    option("--overwrite", action="store_true", help=overwrite_help)

    option = parser.add_argument_group("output").add_argument
    format_help = (
        "coco: annotations.json for all images (needs pycocotools); yolo: labels/NAME.txt and "
        "data.yaml; labelme: NAME.json (both need supervision); default png"
    )
    option("--format", default="png", choices=tuple(ENDINGS), help=format_help)
    polygons_help = (
        "COCO masks as polygons (needs supervision), for tools without run lengths (RLE), such as "
        "Label Studio"
    )
    option("--polygons", action="store_true", help=polygons_help)
    crowd_help = 'words whose COCO annotations are "iscrowd", such as stuff: "sky, grass"'
    option("--crowd", default="", metavar="WORDS", help=crowd_help)
    objects_help = (
        "annotate each connected part of a class that covers at least this share of the image "
        "(such as 0.001), instead of the class: two sheep are two, if they do not touch"
    )
    option("--objects", type=float, metavar="SHARE", help=objects_help)
    cuts_help = (
        "also write the photo of each class, or with --objects of each part, transparent "
        "elsewhere: cut-outs/NAME/1-WORD.png"
    )
    option("--cut-outs", action="store_true", help=cuts_help)

    option = parser.add_argument_group("mask").add_argument
    background_help = "off: every pixel gets one of the words, whatever it shows (default on)"
    option("--background", default="on", choices=("on", "off"), help=background_help)
    weight_help = "from 0 to 1; more leaves more pixels without a class (default %(default)g)"
    option("--background-weight", type=float, default=BACKGROUND_WEIGHT, help=weight_help)
    threshold_help = (
        "a pixel whose best score, from 0 to 1, is below this gets no class (default 0)"
    )
    option("--threshold", type=float, default=0.0, help=threshold_help)
    refine_help = (
        "how the edges of a mask follow the image: 'guided' (guided filter, the default), 'pamr', "
        "or 'none', as in the papers"
    )
    option("--refine", default="guided", choices=("none", *REFINEMENTS), help=refine_help)

    group = parser.add_argument_group("backbone and method")
    add_backbone_options(group)
    names = f"one of {', '.join(METHODS)} (default gclip)"
    group.add_argument("--method", default="gclip", help=names)
    blocks = "'auto', 'backbone' (its own, the default) or numbers from 1, such as '6 7' or '7-11'"
    option = group.add_mutually_exclusive_group().add_argument
    option("--no-amf", action="store_true", help="GCLIP without attention fusion")
    option("--amf-blocks", default="backbone", help=blocks)
    option = group.add_mutually_exclusive_group().add_argument
    option("--no-cs", action="store_true", help="GCLIP without channel suppression")
    option("--cs-blocks", default="backbone", help=blocks)

    option = parser.add_argument_group("sizes and templates").add_argument
    side_help = "length to which an image's shorter side is scaled (default: the backbone's)"
    option("--short-side", type=int, metavar="PIXELS", help=side_help)
    templates_help = "sentences into which each word is put (default imagenet80)"
    option("--templates", default="imagenet80", choices=tuple(TEMPLATES), help=templates_help)
    return parser.parse_args(arguments)


def add_backbone_options(parser: Any) -> None:
    """Adds ``--backbone`` and the other arguments of ``load_backbone`` to a parser or group."""
    option, names = parser.add_argument, f"one of {', '.join(BACKBONES)} (default {BUILT_IN})"
    option("--backbone", default=BUILT_IN, metavar="NAME", help=names)
    weights_help = "weight file, or the folder that has it or that training wrote"
    option("--weights", "--weights-dir", type=Path, metavar="PATH", help=weights_help)
    option("--device", default="cpu", help="cpu, cuda, mps … (default cpu)")
    dtype_help = (
        "of the backbone's weights (default float32); auto: bfloat16 if the device supports it, "
        "but float32 for the built-in model"
    )
    option("--dtype", default="float32", choices=get_args(Dtype), help=dtype_help)


def run(options: argparse.Namespace) -> int:
    """Checks everything that needs no model, loads the model, then segments the images in turn."""
    check_between("--threshold", options.threshold, 0, 1)
    check_between("--background-weight", options.background_weight, 0, 1)
    if options.short_side is not None:
        check_count("--short-side", options.short_side)
    method, formatting = chosen_method(options), format_options(options)
    words = None if options.words is None else read_words(options.words)
    photos, skipped = find_photos(options.images, options.out, options.format, options.recursive)
    if skipped:
        kinds = ", ".join(sorted({file.suffix.lower() for file in skipped}))
        print(f"Skipped: {len(skipped)} ({kinds}). Save them as PNG or JPEG.", file=sys.stderr)
    check_outputs(options.out, photos, options.format)
    if options.out.is_file():
        raise GclipError(f"--out needs a folder, but {options.out} is a file; name another one.")
    options.out.mkdir(parents=True, exist_ok=True)
    backbone = load_backbone(options.backbone, options.weights, options.device, options.dtype)
    segmenter = Segmenter(backbone, options.short_side, options.templates)
    known, unknown = (words, ()) if words is None else known_words(segmenter, words, options)
    if unknown:
        use = "used as typed" if options.as_typed else "given no pixel (see --as-typed)"
        print(f"Words unknown to this model, {use}: {unknown_words(unknown)}.", file=sys.stderr)
    folder = Folder(
        options.out,
        options.format,
        settings_of(options, words, backbone.digest),
        words,
        overwrite=options.overwrite,
        cut_outs=options.cut_outs,
        **formatting,
    )
    n_failed = n_before = 0
    # For tqdm, None means no progress bar without a terminal.
    without_bar = None if len(photos) > 1 else True
    for photo in tqdm(photos, disable=without_bar, leave=False):
        if folder.has(photo):
            n_before += 1
            continue
        try:
            image = images.check(photo.path)
            encoded = segmenter.encode(image)
            result = segmenter.segment(
                encoded,
                known or segmenter.suggest(encoded),
                method,
                threshold=options.threshold,
                background=options.background == "on",
                background_weight=options.background_weight,
                refine=options.refine,
                image=image,
            )
            result = folder.add(photo, image, replace(result, unknown=unknown or result.unknown))
        except (MethodError, VocabularyError):  # from the settings, so the same for every image
            raise
        except REFUSED as error:
            n_failed += 1
            tqdm.write(f"{photo.path}: {str(error) or 'not enough memory'}", file=sys.stderr)
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):  # torch has no class for it on the CPU
                raise
            n_failed += 1
            tqdm.write(f"{photo.path}: not enough memory", file=sys.stderr)
        else:
            shown = f"{photo.path}: {replace(result, unknown=())}"
            tqdm.write(shown.replace("\n", "\n  "))
    folder.finish()
    done, n_done = f"{len(photos)} image{'s' if len(photos) > 1 else ''}", len(photos) - n_failed
    if n_failed:
        done = f"{n_done} of {done}"
    before = f", {n_before} of them before (--overwrite repeats them)" if n_before else ""
    file = options.out / COCO if options.format == "coco" else options.out
    where = f"; the results are in {file}" if n_done else ""
    print(f"{done} segmented{before}{where}", file=sys.stderr)
    return 1 if n_failed else 0


def format_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of the format's function in ``formats``.

    Raises GclipError for one that the format lacks, or a package that it needs.
    """
    if (options.polygons or options.crowd) and options.format != "coco":
        raise GclipError("--polygons and --crowd change --format coco alone; leave them out.")
    if options.format == "png":
        if options.objects is not None:
            raise GclipError("--objects needs --format coco, yolo or labelme; a PNG has classes.")
        return {}
    if options.objects is not None:
        check_between("--objects", options.objects, 0, 1)
    if options.format == "coco" and not options.polygons:
        optional("pycocotools.mask", "--format coco without --polygons")
    else:
        optional("supervision", "--polygons" if options.polygons else f"--format {options.format}")
    chosen: dict[str, Any] = {"objects": options.objects}
    if options.format == "coco":
        crowd = parse(options.crowd).names if options.crowd else ()
        chosen |= {"polygons": options.polygons, "crowd": crowd}
    return chosen


def known_words(
    segmenter: Segmenter, words: Vocabulary, options: argparse.Namespace
) -> tuple[Vocabulary, tuple[UnknownPhrase, ...]]:
    """The words that get pixels, and those that the backbone does not know."""
    unknown = segmenter.prompts(words).unknown
    if options.as_typed or not unknown:
        return words, unknown
    left_out = {entry.phrase for entry in unknown}
    every = (tuple(w for w in synonyms if w not in left_out) for synonyms in words.classes)
    known = tuple(filter(None, every))
    if not known:
        raise VocabularyError(
            f"This model does not know {unknown_words(unknown)}. Choose other words, or add "
            "--as-typed."
        )
    return Vocabulary(known, words.notes), unknown


def settings_of(
    options: argparse.Namespace, words: Vocabulary | None, weights: str
) -> dict[str, Any]:
    """What a result depends on, besides its image."""
    without = "images", "recursive", "out", "overwrite", "words", "weights", "device"
    chosen = {name: value for name, value in vars(options).items() if name not in without}
    classes = None if words is None else [list(synonyms) for synonyms in words.classes]
    return {"version": __version__, "words": classes, "weights": weights, **chosen}


def chosen_method(options: argparse.Namespace) -> Method:
    """The method of a command line. Raises GclipError for an option that it does not have."""
    method = METHODS[options.method]
    if method.name == "gclip":
        return gclip(
            amf=not options.no_amf,
            cs=not options.no_cs,
            amf_blocks=block_choice(options.amf_blocks),
            cs_blocks=block_choice(options.cs_blocks),
        )
    if options.no_amf or options.no_cs or {options.amf_blocks, options.cs_blocks} != {"backbone"}:
        raise GclipError(
            "--no-amf, --no-cs, --amf-blocks and --cs-blocks change GCLIP, not --method "
            f"{method.name}; leave out one of the two."
        )
    return method


def read_words(given: str) -> Vocabulary:
    """The given words, or those of a text file. Raises GclipError if it cannot be read."""
    if not given.endswith(".txt"):
        return parse(given)
    try:
        return parse(Path(given).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise GclipError(
            f"The text file of words {given} cannot be read; check its name."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
