"""Phenomena of a backbone: global tokens and channels made by hand are found in their blocks."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.phenomena.__main__ import main
from evaluation.phenomena.measurement import Phenomena, large_dimensions, measure
from evaluation.phenomena.summary import summary
from evaluation.samples import Sample
from gclip_core import Segmenter, gclip, plant_channel
from tests.evaluation.sets import plain_set
from tests.models import enlarge_channel, look_at_one_patch, tiny_backbone

CS = gclip(amf=False, cs=True)


def pictures(n: int = 2) -> Sequence[Sample]:
    return plain_set(n, 32, 48).samples


def prepared(model: torch.nn.Module) -> None:
    """As the paper describes CLIP: global tokens from block 6, an abnormal channel from block 5."""
    look_at_one_patch(model, range(5, 12), sharpness=8.0)  # softly: no row underflows
    enlarge_channel(model, 9, 25.0, range(4, 11))


@pytest.fixture(scope="module")
def phenomena() -> Phenomena:
    segmenter = Segmenter(tiny_backbone(prepare=prepared), short_side=32)
    return measure(segmenter, pictures(), CS)


def test_global_tokens_are_found_where_they_were_put(phenomena: Phenomena) -> None:
    assert phenomena.images == 2
    assert phenomena.scores[:5] == pytest.approx(np.ones(5), abs=1e-3)  # uniform
    assert (phenomena.scores[5:] >= 5).all()  # every head looks at the same few of 24 patches
    assert phenomena.tokens[:5].tolist() == [0.0] * 5
    assert (phenomena.tokens[5:] >= 1).all()
    assert np.isnan(phenomena.agreement[:5]).all()
    assert phenomena.agreement[5:] == pytest.approx(np.ones(7), abs=1e-3)  # whoever looks
    assert phenomena.first_blocks == (5, 5)


def test_the_abnormal_channel_is_found_where_it_was_put(phenomena: Phenomena) -> None:
    assert phenomena.report.abnormal == tuple(range(4, 11))
    assert set(phenomena.report.channels[4:11]) == {9}
    assert (phenomena.report.entropy[4:11] < phenomena.report.entropy[:4].min()).all()
    assert (phenomena.report.entropy_after[4:11] > phenomena.report.entropy[4:11]).all()


def test_a_picture_without_pairs_does_not_spoil_the_mean() -> None:
    segmenter = Segmenter(tiny_backbone(), short_side=32)
    sample = pictures(1)[0]
    image, regions = sample.load()
    flat = Sample("flat", lambda: (image, np.zeros_like(regions)))  # no in-out pair
    both = measure(segmenter, [sample, flat], CS).similarities[0]
    alone = measure(segmenter, [sample], CS).similarities[0]
    assert both.across == pytest.approx(alone.across)
    assert not math.isnan(both.inside)


def test_planting_is_compared_with_before() -> None:
    planted = plant_channel(tiny_backbone(), 3, 100.0, range(6, 11))
    planting = measure(Segmenter(planted, short_side=32), pictures(), CS)
    before, now, with_cs = planting.similarities
    assert [similarity.label for similarity in planting.similarities] == [
        "before planting",
        "without CS",
        "with CS",
    ]
    assert abs(now.across - before.across) > 0.01
    assert abs(with_cs.across - before.across) < 0.1 * abs(now.across - before.across)
    assert planting.report.abnormal == tuple(range(6, 11))
    # Global tokens are decided on the unplanted model.
    plain = measure(Segmenter(tiny_backbone(), short_side=32), pictures(), CS)
    assert planting.scores == pytest.approx(plain.scores)


def test_the_report_counts_blocks_from_1(phenomena: Phenomena) -> None:
    text = summary(phenomena)
    scored = "global tokens (score of at least 5)"
    assert f"Images that have {scored} in every block from 6 to 11: 2 of 2." in text
    assert "Abnormal channels (norm of at least 2 × the median): in blocks 5 to 11." in text
    assert "CS changes blocks 5 to 11 (abnormal channels)." in text
    rows = [line.split() for line in text.splitlines() if line[:5].strip().isdigit()]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 13)]
    assert rows[4][4] == "9"


def test_the_images_in_which_global_tokens_begin_at_a_block_are_counted(
    phenomena: Phenomena,
) -> None:
    lines = summary(replace(phenomena, images=4, first_blocks=(5, None, 7, 5))).splitlines()
    counts = [line.partition("every block from ")[2] for line in lines if "every block" in line]
    assert counts == ["6 to 11: 2 of 4.", "8 to 11: 1 of 4."]


def test_weights_that_a_paper_reports_on_are_compared_with_it(phenomena: Phenomena) -> None:
    def compared(dimensions: tuple[int, ...], scores: list[float]) -> list[bool]:
        known = replace(
            phenomena,
            backbone=replace(phenomena.backbone, name="openai-vit-b-16"),
            dimensions=(dimensions, dimensions[::-1]),
            scores=np.array(scores),
        )
        lines = [line for line in summary(known).splitlines() if "2511.16170" in line]
        return [line.endswith("They agree.") for line in lines]

    stripes = [1.0] * 6 + [9.0] * 6
    assert compared((474, 4, 162), stripes) == [True, True]
    assert compared((474, 4), [9.0] * 12) == [False, False]
    assert "2511.16170" not in summary(phenomena), "the paper is not about these weights"


def test_abnormal_channels_are_compared_with_the_candidates_of_a_paper(
    phenomena: Phenomena,
) -> None:
    for channel, both in ((162, "162"), (9, "none")):
        report = replace(phenomena.report, channels=(channel,) * 12)
        known = replace(
            phenomena, backbone=replace(phenomena.backbone, name="openai-vit-b-16"), report=report
        )
        assert f"Abnormal channels here: {channel}; in both: {both}." in summary(known)


def test_large_dimensions_stand_out_from_the_median() -> None:
    tokens = torch.randn(25, 64, generator=torch.Generator().manual_seed(0))
    assert large_dimensions(tokens) == ()
    tokens[:, 9] *= 20
    tokens[:, 40] *= 30
    assert large_dimensions(tokens) == (40, 9)


def test_photos_are_measured_by_default(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["--n", "2", "--short-side", "48", "--plant", "77:100:7-11", "--out", str(tmp_path)]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "simulation: channel 77 × 100 planted in blocks 7 to 11" in out
    assert "Values before planting" in out
    pixels = np.asarray(Image.open(tmp_path / "channels.png").convert("L"))
    assert pixels.shape[1] > 1500
    assert 0.01 < (pixels < 128).mean() < 0.6


def test_images_with_and_without_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    pictures(1)[0].load()[0].save(path)
    assert main([str(path), "--short-side", "48"]) == 0
    assert "add --words" in capsys.readouterr().out
    assert main([str(path), "--short-side", "48", "--words", "cat, sky, grass"]) == 0
    assert "Values without CS: in-in" in capsys.readouterr().out


def test_an_error_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no image")
    for arguments in ([str(tmp_path / "x.png")], ["--plant", "7"], ["--cs-blocks", "13"]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith("error: ")
