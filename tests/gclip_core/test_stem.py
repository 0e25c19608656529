"""The convolutional stem."""

import torch

from gclip_core.stem import Stem

SMALL = {
    "first": 8,
    "channels": [8, 8, 8, 16, 16, 24, 24],
    "repeats": [1, 1, 2, 1, 2, 2, 1],
    "hidden": 16,
    "pooled": 32,
    "classes": 5,
}


def test_a_mark_moves_the_token_it_is_under_most() -> None:
    torch.manual_seed(0)
    stem = Stem(32, SMALL).eval()
    blank = torch.zeros(1, 3, 96, 96)
    marked = blank.clone()
    marked[..., 36:44, 52:60] = 1  # inside row 2, column 3
    change = (stem.features(marked) - stem.features(blank)).norm(dim=-1)[0]
    assert change.numel() == 6 * 6, "a token is of sixteen by sixteen pixels"
    assert divmod(int(change.argmax()), 6) == (2, 3)


def test_classes_are_read_from_the_same_pass_as_tokens() -> None:
    stem, pixels = Stem(32, SMALL).eval(), torch.randn(2, 3, 32, 48)
    tokens, classes = stem.classified(pixels)
    assert torch.equal(tokens, stem(pixels))
    assert torch.allclose(classes.sum(1), torch.ones(2))
