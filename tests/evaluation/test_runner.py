"""A run: counts, resuming after a kill, and the rows of ablation and sweep."""

import multiprocessing
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.benchmark import runner
from evaluation.benchmark.rows import SWEEPS, ablation_rows, sweep_rows
from evaluation.benchmark.tally import FILE, Tally, resume
from evaluation.errors import EvaluationError
from gclip_core.methods import METHODS, gclip
from tests.evaluation.runs import PICTURES, assert_same, run_small, small_experiment


def test_every_pixel_is_counted_once_in_every_row(whole: Tally) -> None:
    assert whole.complete
    assert whole.counts.shape[0] == 7
    assert (whole.counts.sum((1, 2)) == PICTURES * 32 * 40).all()


def test_counts_are_those_of_the_segmenter_called_by_hand(whole: Tally) -> None:
    experiment = small_experiment()
    for index, method in enumerate((METHODS["clip"], METHODS["clearclip"], gclip())):
        wanted = np.zeros_like(whole.counts[0])
        for sample in experiment.dataset.samples:
            image, truth = sample.load()
            words = runner.queried_classes(
                truth, experiment.dataset.classes, "present+3", sample.name
            )
            names = [experiment.dataset.classes[c].name for c in words]
            labels = experiment.segmenter.segment(image, names, method).labels.numpy()
            for true, guess in zip(truth.ravel(), np.array(words)[labels].ravel(), strict=True):
                wanted[true, guess] += 1
        assert np.array_equal(whole.counts[index], wanted)


def test_a_pixel_below_the_threshold_is_background() -> None:
    experiment = small_experiment(1)
    dataset = replace(experiment.dataset, background=2)
    _, truth = dataset.samples[0].load()
    under = replace(experiment, dataset=dataset, threshold=1.0)
    counts = runner.count_image(under, dataset.samples[0])
    assert counts[0][:, 2].sum() == truth.size
    without = replace(experiment, threshold=1.0)
    counts = runner.count_image(without, dataset.samples[0])
    assert counts[0][:, -1].sum() == truth.size


def test_a_killed_run_resumes_and_ends_the_same(tmp_path: Path, whole: Tally) -> None:
    def run() -> None:
        torch.set_num_threads(1)  # a fork has no threads of OpenMP, and would wait for them
        runner.run(small_experiment(stuck_at=3), tmp_path, save_every=0.0, show_progress=False)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    deadline = time.monotonic() + 900
    while process.is_alive() and time.monotonic() < deadline:
        if (tmp_path / FILE).is_file() and len(Tally.load(tmp_path).image_miou) >= 2:
            break
        time.sleep(0.02)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    killed = Tally.load(tmp_path)
    assert 2 <= len(killed.image_miou) < PICTURES
    assert_same(run_small(tmp_path), whole)
    assert_same(Tally.load(tmp_path), whole)


def test_a_finished_run_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_small(tmp_path, n=1)
    monkeypatch.setattr(runner, "count_image", None)
    assert_same(run_small(tmp_path, n=1), first)


def test_results_of_other_settings_are_not_resumed(tmp_path: Path) -> None:
    experiment = small_experiment(1)
    runner.run(experiment, tmp_path, show_progress=False)
    other = replace(experiment, threshold=0.5)
    with pytest.raises(EvaluationError, match=r"threshold: 0\.5 here, 0\.0 there.*--fresh"):
        runner.run(other, tmp_path, show_progress=False)


def test_a_damaged_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(EvaluationError, match="damaged"):
        resume(tmp_path, {})


def test_ablation_is_the_2_by_2() -> None:
    rows = ablation_rows(gclip)
    on = {r.label: (r.method.fusion is not None, r.method.suppression is not None) for r in rows}
    assert on == {
        "neither": (False, False),
        "AMF": (True, False),
        "CS": (False, True),
        "AMF + CS": (True, True),
    }


def test_sweeps_cover_every_block_but_the_last() -> None:
    pairs = sweep_rows("amf_blocks", gclip, 12, 2)
    assert pairs[0].method.fusion is None
    assert [r.method.fusion.blocks for r in pairs[1:]] == [(i, i + 1) for i in range(10)]
    assert pairs[6].label == "AMF 6, 7"
    assert all(r.method.suppression is None for r in pairs)
    singles = sweep_rows("amf_blocks", gclip, 24, 1)
    assert [r.method.fusion.blocks for r in singles[1:]] == [(i,) for i in range(23)]
    suppressed = sweep_rows("cs_blocks", gclip, 12, 2)
    assert [r.method.suppression.blocks for r in suppressed[1:]] == [
        tuple(range(i, 11)) for i in range(11)
    ]


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_runs_on_a_real_tower(name: str) -> None:
    experiment = small_experiment(1)
    segmenter, sample = experiment.segmenter, experiment.dataset.samples[0]
    rows = sweep_rows(name, gclip, segmenter.backbone.n_blocks, 2)
    image, truth = sample.load()
    counts = runner.count_image(replace(experiment, rows=rows), sample)
    assert (counts.sum((1, 2)) == truth.size).all()
