"""The numbers that docs/METHOD.md states are those of the code."""

from math import prod

import pytest

from evaluation import suggested_words
from gclip_core import METHODS, Segmenter, attention, calibration, masks, refine, word_lists
from gclip_core.suggest import DEFAULT
from gclip_core.text import TEMPLATES
from gclip_core.types import Fusion, Suppression
from tests import ROOT

TEXT = " ".join((ROOT / "docs" / "METHOD.md").read_text("utf-8").split())
NEAREST = sum(len(words) for near, words in word_lists.read("nearest").items() if near)
SIDE = 2 * refine.RADIUS + 1


def dilations() -> str:
    return " and ".join(map(str, refine.DILATIONS))


@pytest.mark.parametrize(
    "sentence",
    [
        # attention and fusion
        f"a Gaussian of the distance on the grid (σ = {attention.GAUSSIAN_SIGMA:g} patches)",
        f"α = {attention.PEARL_ALPHA:g}",
        f"`w = {METHODS['resclip'].fusion.weight:g}`, with the Query-Key maps of blocks 6 to 9",
        f"patch with `m_j ≥ {Fusion().global_threshold:g}` is a global token",
        f"`n_d̂ / median(n) ≥ {Suppression().channel_threshold:g}`",
        # calibration
        f"threshold β = {calibration.THRESHOLD:g} and class weight "
        f"λ = {METHODS['scclip'].calibration.class_weight:g}",
        f"to its {calibration.NEIGHBOURS}th nearest other patch",
        f"the {calibration.LOF_QUANTILE:g} quantile of all scores",
        f"`{calibration.GATE_SHARPNESS:g} (S - mean of S)`",
        f"A grid of fewer than {calibration.NEIGHBOURS + 1} patches raises an error",
        f"`{calibration.SOM_FACTOR:g} Ā[class, j] > Ā[j, j]`",
        # words and masks
        f"the {len(TEMPLATES['imagenet80'])} ImageNet templates of open_clip "
        f"(or into its {len(TEMPLATES['imagenet7'])})",
        f"Logits are {Segmenter.logit_scale:g} × cosine",
        f"So `w = {masks.BACKGROUND_WEIGHT:g}` is the default",
        f"`word_lists/nearest.txt` has {NEAREST} words of ours",
        f"There are at most {Segmenter.max_tokens} patches",
        # suggested words
        f"for other models {len(word_lists.read('everyday'))} everyday words",
        f"everyday words get {DEFAULT.everyday:g} more",
        f'in the class "person", which gets {DEFAULT.people:g} more',
        f"The choice ends at a gain of {DEFAULT.gain:g}",
        f"at least {100 * DEFAULT.share:g} % of the patches best, with a mean probability there of "
        f"{DEFAULT.certainty:g}, stuff of {DEFAULT.stuff:g} (the softmax of "
        f"{DEFAULT.sharpness:g} × fit",
        f"if its mean probability over all patches is {DEFAULT.thing:g} or more",
        f"tries {prod(map(len, suggested_words.TRIED.values()))} combinations of these four "
        f"thresholds ({DEFAULT.gain:g}, {DEFAULT.certainty:g}, {DEFAULT.stuff:g} and "
        f"{DEFAULT.thing:g})",
        f"if it covers {100 * suggested_words.MAIN_SHARE:g} %",
        # edges
        f"for cells of {refine.CELL} × {refine.CELL} pixels",
        f"scaled to a short side of about {refine.SIDE} pixels",
        f"A window has {SIDE} × {SIDE} cells, and `ε` = {refine.EPSILON:g}",
        f"neighbours at distances of {dilations()} pixels",
        f"in a square around it, {refine.SMOOTHING:g} patches a side",
    ],
)
def test_method_states_the_numbers_of_the_code(sentence: str) -> None:
    assert sentence in TEXT
