"""``python -m evaluation`` from its options to a printed result, one backbone after the other."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from evaluation.benchmark import comparison, report, runner, shares
from evaluation.benchmark.experiment import Experiment, digest
from evaluation.benchmark.rows import Row, ablation_rows, method_rows, sweep_rows
from evaluation.benchmark.shares import Share
from evaluation.benchmark.tally import FILE as COUNTS_FILE
from evaluation.benchmark.tally import Tally, added
from evaluation.errors import EvaluationError
from evaluation.options import opened_backbone, opened_set
from evaluation.photo_set import NAME as PHOTOS
from evaluation.queries import parse_rule
from evaluation.samples import LabelledSet, Protocol
from gclip_core.backbone import Backbone
from gclip_core.errors import BackboneError
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_choice
from gclip_core.registry import BACKBONES
from gclip_core.segmenter import Segmenter
from gclip_core.vocabulary import unknown_phrases


def evaluate(args: argparse.Namespace) -> int:
    """Evaluate each backbone and print its tables; several are compared at the end.

    Returns the exit status: 1 if some backbone could not be loaded.
    """
    names = _backbones(args)
    tallies: list[Tally] = []
    status = 0
    with shares.of_this_process() as share:
        for name in names:
            parts = shares.gather(_evaluate_share(args, name, share))
            errors = [part for part in parts if isinstance(part, BackboneError)]
            if errors and len(names) == 1:
                raise errors[0]
            if errors:
                status = 1
                print(f"left out {name}: {errors[0]}", file=sys.stderr)
            elif parts:  # in the first process
                tallies.append(_add_up(parts))
    if len(tallies) > 1:
        print("\n" + comparison.paper(tallies))
    return status


def _backbones(args: argparse.Namespace) -> list[str]:
    """The names of the backbones, each once; an EvaluationError if other options allow only one."""
    undamaged = [entry.name for entry in BACKBONES.values() if not entry.damage]
    names = undamaged if "all" in args.backbone else list(dict.fromkeys(args.backbone))
    if len(names) > 1 and args.weights:
        raise EvaluationError("--weights is one file, so it needs one --backbone; name just one.")
    if len(names) > 1 and args.out:
        raise EvaluationError("--out is one folder, so it needs one --backbone; leave it out.")
    return names


def _evaluate_share(
    args: argparse.Namespace, name: str, share: Share
) -> tuple[Path, Tally] | BackboneError:
    """The folder of the whole result, and this process's share of it.

    A backbone's error is returned, not raised: the other processes wait for every part.
    """
    try:
        backbone = opened_backbone(args, name)
    except BackboneError as error:
        return error
    experiment = _experiment(args, backbone)
    is_first = share.index == 0  # only the first process prints
    if is_first:
        _note_unknown_words(experiment)
    result = f"{experiment.dataset.name}-{backbone.name}-{digest(experiment.as_json())}"
    whole = args.out or Path("results") / result
    folder = whole
    if share.count > 1:
        folder = whole / f"share-{share.index + 1}-of-{share.count}"
    if args.fresh:
        (folder / COUNTS_FILE).unlink(missing_ok=True)
    show_progress = is_first and not args.quiet
    return whole, runner.run(experiment, folder, share, show_progress=show_progress)


def _add_up(parts: Sequence[tuple[Path, Tally]]) -> Tally:
    """Add the processes' counts, print and write the result."""
    folder, tally = parts[0]
    if len(parts) > 1:
        tally = added([part for _, part in parts])
        tally.save(folder)
    print(report.tables(tally))
    print(f"\nwritten: {report.write_json(tally, folder)}", file=sys.stderr)
    if not tally.complete:
        print("Some images are still missing from this result.", file=sys.stderr)
    return tally


def _note_unknown_words(experiment: Experiment) -> None:
    """Print which phrases are not in the backbone's training words, if those are known."""
    backbone, dataset = experiment.segmenter.backbone, experiment.dataset
    vocabulary = dataset.vocabulary(range(len(dataset.classes)))
    unknown = unknown_phrases(backbone, vocabulary)
    if not unknown:
        return
    shown = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
    print(
        f"note: {backbone.title} was not trained on {len(unknown)} of the "
        f"{len(vocabulary.phrases)} words: {shown}.",
        file=sys.stderr,
    )


# --- from options to an experiment -----------------------------------------------------------


def _experiment(args: argparse.Namespace, backbone: Backbone) -> Experiment:
    dataset = opened_set(args)
    protocol = _protocol(args, dataset)
    segmenter = Segmenter(
        backbone,
        short_side=protocol.short_side,
        window=protocol.window or None,
        stride=protocol.stride,
        templates=args.templates,
        logit_scale=args.logit_scale,
    )
    words = args.words or ("present" if args.dataset == PHOTOS else "all")
    parse_rule(words)
    rows = _rows(args, backbone.n_blocks)
    return Experiment(segmenter, dataset, rows, words, protocol.threshold, args.refine)


def _protocol(args: argparse.Namespace, dataset: LabelledSet) -> Protocol:
    """The data set's protocol with what the command line changes of it."""
    names = [field.name for field in fields(Protocol)]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return replace(dataset.protocol, **given)


def _rows(args: argparse.Namespace, n_blocks: int) -> tuple[Row, ...]:
    """The rows that were asked for: every method, if none was."""
    make = partial(
        gclip,
        amf_blocks=block_choice(args.amf_blocks, n_blocks),
        cs_blocks=block_choice(args.cs_blocks, n_blocks),
        n_fused=args.amf_n_fused,
        heads=args.amf_heads,
        cs_target=args.cs_target,
        global_threshold=args.global_threshold,
        channel_threshold=args.channel_threshold,
    )
    names = args.methods or ()
    if not (names or args.ablate or args.sweep):
        names = METHODS
    rows = method_rows(names, make)
    if args.ablate:
        rows += ablation_rows(make)
    if args.sweep:
        rows += sweep_rows(args.sweep, make, n_blocks, args.amf_n_fused)
    return rows
