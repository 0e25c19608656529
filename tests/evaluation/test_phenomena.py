"""Phenomena of a backbone: global tokens and channels made by hand are found in their blocks."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.datasets import Sample
from evaluation.phenomena import Phenomena, draw, large_dimensions, main, measure, summary
from gclip_core import Segmenter, gclip
from tests.evaluation.sets import plain_set
from tests.models import enlarge_channel, look_at_one_patch, tiny_backbone

CS = gclip(amf=False, cs=True)
SAMPLES = plain_set(2, 32, 48).samples


def prepared(model: torch.nn.Module) -> None:
    """As the paper describes CLIP: global tokens from block 6, an abnormal channel from block 5."""
    look_at_one_patch(model, range(5, 12), sharpness=8.0)  # softly: no row underflows
    enlarge_channel(model, 9, 25.0, range(4, 11))


@pytest.fixture(scope="module")
def phenomena() -> Phenomena:
    segmenter = Segmenter(tiny_backbone(prepare=prepared), short_side=32)
    return measure(segmenter, SAMPLES, CS)


def test_global_tokens(phenomena: Phenomena) -> None:
    assert phenomena.images == 2
    assert phenomena.scores[:5] == pytest.approx(np.ones(5), abs=1e-3)  # uniform
    assert (phenomena.scores[5:] >= 5).all()  # every head looks at the same few of 24 patches
    assert phenomena.tokens[:5].tolist() == [0.0] * 5
    assert (phenomena.tokens[5:] >= 1).all()
    assert np.isnan(phenomena.agreement[:5]).all()
    assert phenomena.agreement[5:] == pytest.approx(np.ones(7), abs=1e-3)  # whoever looks
    assert phenomena.first_blocks == (5, 5)


def test_abnormal_channel(phenomena: Phenomena) -> None:
    """The channel is found where it was put, and CS brings Values of one region together."""
    assert phenomena.report.abnormal == tuple(range(4, 11))
    assert set(phenomena.report.channels[4:11]) == {9}
    assert (phenomena.report.entropy[4:11] < phenomena.report.entropy[:4].min()).all()
    assert (phenomena.report.entropy_after[4:11] > phenomena.report.entropy[4:11]).all()
    sound = tiny_backbone(prepare=lambda model: look_at_one_patch(model, range(5, 12), 8.0))
    healthy = measure(Segmenter(sound, short_side=32), SAMPLES, CS).similarities["without CS"]
    before, after = phenomena.similarities["without CS"], phenomena.similarities["with CS"]
    assert list(phenomena.similarities) == ["without CS", "with CS"]
    assert abs(after[1] - healthy[1]) < 0.2 * abs(before[1] - healthy[1])


def test_image_without_pairs() -> None:
    """An image that has no in-out pair does not spoil the mean."""
    segmenter = Segmenter(tiny_backbone(), short_side=32)
    image, regions = SAMPLES[0].load()
    flat = Sample("flat", lambda: (image, np.zeros_like(regions)))
    both = measure(segmenter, [SAMPLES[0], flat], CS).similarities["without CS"]
    alone = measure(segmenter, [SAMPLES[0]], CS).similarities["without CS"]
    assert both[1] == pytest.approx(alone[1])
    assert not math.isnan(both[0])


def test_summary(phenomena: Phenomena) -> None:
    """The text counts blocks from 1 and has a row for each."""
    text = summary(phenomena)
    scored = "global tokens (score of at least 5)"
    assert f"Images that have {scored} in every block from 6 to 11: 2 of 2." in text
    assert "Abnormal channels (norm of at least 2 × the median): in blocks 5 to 11." in text
    assert "CS changes blocks 5 to 11 (abnormal channels)." in text
    rows = [line.split() for line in text.splitlines() if line[:5].strip().isdigit()]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 13)]
    assert rows[4][4] == "9"
    inside, across = phenomena.similarities["with CS"]
    values = f"in-in {inside:.3f}, in-out {across:.3f}, difference {inside - across:.3f}."
    assert f"Values with CS: {values}" in text


def test_first_blocks(phenomena: Phenomena) -> None:
    """The images in which global tokens begin at a block are counted; dimensions are common."""
    large = ((474, 4, 162), (4, 162))
    mixed = replace(phenomena, images=4, first_blocks=(5, None, 7, 5), dimensions=large)
    lines = summary(mixed).splitlines()
    counts = [line.partition("every block from ")[2] for line in lines if "every block" in line]
    assert counts == ["6 to 11: 2 of 4.", "8 to 11: 1 of 4."]
    assert "Dimensions of patch tokens that are large in every image: 4, 162." in lines
    assert "No image has" in summary(replace(phenomena, first_blocks=(None, None)))


def test_large_dimensions() -> None:
    """Dimensions are large that stand out from the median, the largest first."""
    tokens = torch.randn(25, 64, generator=torch.Generator().manual_seed(0))
    assert large_dimensions(tokens) == ()
    tokens[:, 9] *= 20
    tokens[:, 40] *= 30
    tokens[0, 3] = 1e4  # of the class token
    assert large_dimensions(tokens) == (40, 9)


def test_figure(phenomena: Phenomena) -> None:
    """At most twelve blocks are drawn, the last among them, with a dot where CS changes one."""
    axes = draw(phenomena).axes
    titles = [panel.get_title(loc="left") for panel in axes]
    assert titles == [f"block {i}" for i in range(1, 13)]
    dots = [len(panel.lines[0].get_xdata()) for panel in axes]
    assert dots == [0] * 4 + [1] * 7 + [0]
    deep = measure(Segmenter(tiny_backbone(layers=25), short_side=32), SAMPLES[:1], CS)
    titles = [panel.get_title(loc="left") for panel in draw(deep).axes if panel.get_visible()]
    assert titles == [f"block {i}" for i in range(1, 26, 3)]


def test_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Photos are measured by default; of own images the regions are masks of ``--words``."""
    command = ["--n", "2", "--short-side", "48", "--backbone", "built-in-damaged", "--out", "out"]
    assert main(command) == 0
    assert "Built-in, damaged on purpose · 2 images" in capsys.readouterr().out
    pixels = np.asarray(Image.open("out/channels.png").convert("L"))
    assert pixels.shape[1] > 1500
    assert 0.01 < (pixels < 128).mean() < 0.6
    SAMPLES[0].load()[0].save("picture.png")
    assert main(["picture.png", "--short-side", "48"]) == 0
    assert "add --words" in capsys.readouterr().out
    assert main(["picture.png", "--short-side", "48", "--words", "cat, sky, grass"]) == 0
    assert "Values without CS: in-in" in capsys.readouterr().out


def test_errors(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.png").write_text("no image")
    for arguments in (["x.png"], ["--damage", "7"], ["--cs-blocks", "13"]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith("error: ")
