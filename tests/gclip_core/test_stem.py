"""The stem: convolutions, and the blocks of a transformer."""

import torch

from gclip_core.stem import Stem, TransformerTrunk

SMALL = {
    "first": 8,
    "channels": [8, 8, 8, 16, 16, 24, 24],
    "repeats": [1, 1, 2, 1, 2, 2, 1],
    "hidden": 16,
    "pooled": 32,
    "classes": 5,
}


def test_place() -> None:
    """A mark moves the token it is under most."""
    torch.manual_seed(0)
    stem = Stem(32, SMALL).eval()
    blank = torch.zeros(1, 3, 96, 96)
    marked = blank.clone()
    marked[..., 36:44, 52:60] = 1  # inside row 2, column 3
    change = (stem.features(marked) - stem.features(blank)).norm(dim=-1)[0]
    assert change.numel() == 6 * 6, "a token is of sixteen by sixteen pixels"
    assert divmod(int(change.argmax()), 6) == (2, 3)


def test_classified() -> None:
    """Classes are read from the same pass as tokens."""
    stem, pixels = Stem(32, SMALL).eval(), torch.randn(2, 3, 32, 48)
    tokens, classes = stem.classified(pixels)
    assert torch.equal(tokens, stem(pixels))
    assert torch.allclose(classes.sum(1), torch.ones(2))


TRUNK = {"width": 24, "heads": 3, "depth": 2, "patch": 14, "grid": 5}


def _trunk() -> TransformerTrunk:
    torch.manual_seed(0)
    trunk = TransformerTrunk(**TRUNK).eval().requires_grad_(False)
    for parameter in trunk.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return trunk


def test_trunk() -> None:
    """The trunk computes what open_clip's blocks compute of patches of its own size."""
    trunk = _trunk()
    smaller = torch.nn.functional.interpolate(
        torch.randn(2, 3, 4, 6), (64, 96), mode="nearest"
    )  # even areas, so that scaling to 14 pixels a patch can be written down
    x = trunk.embed(smaller)
    for block in trunk.blocks:
        x = block(x)
    patches = trunk(smaller)
    assert patches.shape == (2, 4, 6, 24)
    assert torch.allclose(patches, x[:, 1:].unflatten(1, (4, 6)), atol=1e-5)


def test_trunk_place() -> None:
    """The trunk reads each patch where the convolutions do."""
    trunk = _trunk()
    blank = torch.zeros(1, 3, 64, 96)
    marked = blank.clone()
    marked[..., 32:48, 16:32] = 5.0
    change = (trunk.embed(marked) - trunk.embed(blank))[0, 1:].norm(dim=-1)
    assert change.argmax() == 2 * 6 + 1


def test_trunk_positions() -> None:
    """Positions of the trunk are its own on its own grid and resized on others."""
    trunk = _trunk()
    trunk.patch.weight.zero_()
    trunk.patch.bias.zero_()
    own = trunk.embed(torch.zeros(1, 3, 80, 80))[0, 1:]
    square = trunk.positional_embedding.flatten(1).T
    assert (own - square).abs().mean() < 0.1 * square.abs().mean()
    assert trunk.embed(torch.zeros(1, 3, 48, 112)).shape == (1, 1 + 21, 24)


def test_features() -> None:
    """A stem with a trunk has its features behind those of the convolutions."""
    torch.manual_seed(0)
    stem, pixels = Stem(32, {**SMALL, "transformer": TRUNK}).eval(), torch.randn(1, 3, 32, 48)
    features = stem.features(pixels)
    stages = stem.convolutions(pixels)
    assert torch.equal(features[..., :-24], stages)
    assert torch.equal(features[..., -24:], stem.transformer(pixels))
    assert torch.equal(stem.deep(features), Stem.deep(stem, stages))


def test_trunk_dtype() -> None:
    """The trunk computes in bfloat16 what it computes in float32."""
    trunk, pixels = _trunk(), torch.randn(1, 3, 48, 64)
    exact = trunk(pixels)
    rounded = trunk.to(torch.bfloat16)(pixels.bfloat16()).float()
    cosines = torch.nn.functional.cosine_similarity(exact, rounded, dim=-1)
    assert cosines.min() > 0.99
