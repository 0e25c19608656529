"""Step ``attention``, for a new model, trains the blocks to attend to patches of the same object.

The twelve blocks are trained on square crops of the photos with masks, together with the class
token and the positional embedding; the map is frozen. First, one linear layer learns to read
attention from the tokens. All blocks start with its Keys, and all but the last with its Queries.
The last block's Queries start at random, are scaled to the same length in all directions, and get
no gradient.

DINO is the teacher. Its affinity of two patches is ``a``. A patch's target is ``A = softmax(10 a)``
over the patches with ``a >= 0``, except those whose true word differs from its own. Here, a
background patch counts as unlabelled. The map gives each patch a vector ``v``; its neighbourhood
has ``r = normalise(A v)``. The terms of the loss are means over patches and crops:

- middle: ``KL(A, attention)`` of two random blocks from 5 to 11 (mean of the heads, among patches);
- averaging: ``|(attention - A) v|² / |A v|²`` of centred ``v``, in the same blocks, which weights
  an error of attention by its effect;
- keys: ``KL(A, Key-Key attention)`` of the last block;
- values: ``1 - cos(Values of the last block, v)``, so that words stay where the map puts them;
- output: ``1 - cos(output of a patch, r)``;
- class: ``1 - cos(output of the class token, mean v)``.

After training, attention is sharpened for grids larger than a crop (``sharpen``).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.attention import softmax_rows
from training.data import TrainingPhoto, folder_of, read
from training.fitting import fit, low_precision
from training.network import BLOCKS, HEADS, WIDTH, Network, restored
from training.patches import labels, stored
from training.words import WordList

WEIGHTS = {
    "middle": 0.6,
    "averaging": 0.6,
    "keys": 0.3,
    "values": 30.0,
    "output": 1.0,
    "class": 1.0,
}
"""Chosen by hand on the half ``choose`` and the twelve photos that ship. ``values`` is by far the
largest, so that nothing is lost of what the map learned from masks."""
TAUGHT = range(4, BLOCKS - 1)
"""Blocks whose attention is taught, from 0; so are the last one's Keys."""
SHARPNESS = 10.0
"""The factor of affinities: of two patches whose affinities differ by 0.23, the nearer one has ten
times the weight."""
QUERY_GAIN = 2.4
"""The length of the last block's Queries: the longer they are, the more local is its attention.
Chosen by hand, like ``WEIGHTS``."""
SIDE, CROPS, QUERIES = 20, 3, 96
"""Patches along a square crop of a photo, crops per step, and patches of a crop whose attention is
taught: few, for speed."""
SHARPER = 2.0
"""The factor of attention's logits after training. Attention is trained on SIDE × SIDE patches; on
two to three times as many, the same logits give a flatter softmax. Chosen on both halves of COCO's
photos, with features at 320 pixels: AMF's mean IoU rises by 0.6; with 3, no further."""
_BLOCKS_A_STEP = 2
"""Random blocks whose attention is taught in one step: few, for speed."""
_READING = 2.5
"""Steps of the layer that reads attention from the tokens, for each step of the blocks."""


class Squares:
    """Square crops of the photos that are large enough, some mirrored: features (B, SIDE, SIDE,
    FEATURES), affinities (B, N, N) and labels (B, N)."""

    def __init__(self, words: WordList, work: Path, photos: Sequence[TrainingPhoto]) -> None:
        self.photos = []
        for photo in photos:
            arrays = stored(work, photo)
            label = labels(words, photo, arrays["labels"][:1])[0]  # (h, w)
            if min(label.shape) >= SIDE:
                features = arrays["features"][0].copy()  # (h, w, FEATURES), without other views
                self.photos.append((features, arrays["affinity"], label))

    def sample(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features, affinities and labels of random crops."""
        parts = [self._part(rng) for _ in range(count)]
        features, affinity, label = (
            torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True)
        )
        return features.float(), affinity.float(), label

    def _part(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        features, affinity, label = self.photos[rng.integers(len(self.photos))]
        height, width = label.shape
        top, left = rng.integers(height - SIDE + 1), rng.integers(width - SIDE + 1)
        places = np.arange(height * width).reshape(height, width)
        places = places[top : top + SIDE, left : left + SIDE]
        if rng.random() < 0.5:
            places = places[:, ::-1]
        features = features.reshape(height * width, -1)[places]
        places = places.flatten()
        return features, affinity[places][:, places], label.flatten()[places]


def affinity_attention(affinity: Tensor, label: Tensor) -> Tensor:
    """The target ``A`` (B, N, N) from affinities (B, N, N) and labels (B, N)."""
    known = label >= 0
    apart = (label[:, :, None] != label[:, None]) & known[:, :, None] & known[:, None]
    hidden = (apart | (affinity < 0)) & ~torch.eye(affinity.shape[1], dtype=torch.bool)
    return (SHARPNESS * affinity).masked_fill(hidden, -torch.inf).softmax(-1)


def divergence(attention: Tensor, target: Tensor) -> Tensor:
    """Kullback-Leibler divergence of attention (B, n, N) from the target, in nats."""
    return (torch.xlogy(target, target) - target * attention.clamp_min(1e-8).log()).sum(-1).mean()


def averaging_error(attention: Tensor, target: Tensor, vectors: Tensor) -> Tensor:
    """The squared error of attention (B, n, N) times centred vectors (B, N, WIDTH), relative to
    the target's square."""
    centred = vectors - vectors.mean(1, keepdim=True)
    error = ((attention - target) @ centred).square().sum((1, 2))
    return (error / (target @ centred).square().sum((1, 2)).clamp_min(1e-6)).mean()


def among_patches(queries: Tensor, keys: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
    """Head mean of attention among patches, of the queries in ``rows``: heads (B, HEADS, 1 + N, d)
    to (B, n, N)."""
    attention = softmax_rows(queries[..., 1:, :][..., rows, :].float(), keys[..., 1:, :].float())
    return attention.mean(1)


def learn_reading(
    network: Network, squares: Squares, rng: np.random.Generator, steps: int
) -> nn.Linear:
    """Trains a layer that reads Queries and Keys from a block's input, to give the target."""
    layer = nn.Linear(WIDTH, 2 * WIDTH)
    nn.init.normal_(layer.weight, std=WIDTH**-0.5)
    nn.init.zeros_(layer.bias)

    def losses(step: int) -> dict[str, Tensor]:
        features, affinity, label = squares.sample(rng, CROPS)
        with torch.no_grad():
            x = network.block_input(network.tokens(features))
            target = affinity_attention(affinity, label)
        stacked = layer(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (2, HEADS, -1))
        attention = among_patches(*stacked.permute(2, 0, 3, 1, 4))
        return {"reading": divergence(attention, target)}

    fit(
        [*layer.parameters()],
        losses,
        {"reading": 1.0},
        steps,
        lr=2e-3,
        betas=(0.9, 0.98),
        max_norm=1.0,
    )
    return layer


@torch.no_grad()
def give_heads(network: Network, layer: nn.Linear, features: Tensor) -> None:
    """Gives the blocks the layer's Queries and Keys, the last one only its Keys, with a little
    noise, so that they do not all learn the same. Whitens the last block's own Queries of patches,
    head by head, and scales them by a gain: no direction is shared by all patches, so each patch is
    most similar to itself.

        W <- gain C^(-1/2) W,   C = mean q qᵀ over the patches of features (B, h, w, FEATURES)
    """
    for number, block in enumerate(network.blocks):
        rows = slice(WIDTH if number == BLOCKS - 1 else 0, 2 * WIDTH)
        noise = 0.004 * torch.randn_like(layer.weight)
        block.attn.in_proj_weight[rows] = (layer.weight + noise)[rows]
        block.attn.in_proj_bias[rows] = layer.bias[rows]
    attn = network.blocks[-1].attn
    attn.in_proj_bias[:WIDTH] = 0
    x = network.block_input(network.tokens(features))
    queries = blocks.project(network.blocks[-1], x).q[:, :, 1:]
    queries = queries.transpose(0, 1).flatten(1, 2)  # (HEADS, B N, d)
    variances, directions = torch.linalg.eigh(queries.mT @ queries / queries.shape[1])
    variances = variances.clamp_min(0.05 * variances.mean(1, keepdim=True))  # limits noise
    change = QUERY_GAIN * (directions * variances.rsqrt()[:, None]) @ directions.mT
    weight = attn.in_proj_weight[:WIDTH].unflatten(0, (HEADS, -1))  # (HEADS, d, WIDTH)
    attn.in_proj_weight[:WIDTH] = (change @ weight).flatten(0, 1)


@torch.no_grad()
def sharpen(network: Network) -> None:
    """Multiplies the logits of the taught blocks, and of the last block's Key-Key attention, by
    SHARPER. QUERY_GAIN has set those of its Query-Query attention."""

    def scale(number: int, rows: slice, factor: float) -> None:
        attn = network.blocks[number].attn
        attn.in_proj_weight[rows] *= factor
        attn.in_proj_bias[rows] *= factor

    for number in TAUGHT:
        scale(number, slice(WIDTH), SHARPER)
    scale(BLOCKS - 1, slice(WIDTH, 2 * WIDTH), SHARPER**0.5)


def terms_of(
    network: Network, before: Network, features: Tensor, affinity: Tensor, label: Tensor
) -> dict[str, Tensor]:
    """All terms of a step on square crops of photos (``Squares``); ``before`` gives the map's
    vectors, which the last block of the network in training no longer gives."""
    with torch.no_grad():
        tokens, vectors = network.tokens(features), before.map_vectors(features).flatten(1, 2)
        target = affinity_attention(affinity, label)
        region = F.normalize(target @ vectors, dim=-1)  # (B, N, WIDTH)
    rows = torch.randperm(target.shape[1])[:QUERIES]
    some = {int(TAUGHT[i]) for i in torch.randperm(len(TAUGHT))[:_BLOCKS_A_STEP]}
    x, middle, averaging = network.block_input(tokens), [], []
    for number, block in enumerate(network.blocks):
        with low_precision():
            heads = blocks.project(block, x)
        if number in some:
            attention = among_patches(heads.q, heads.k, rows)
            middle.append(divergence(attention, target[:, rows]))
            averaging.append(averaging_error(attention, target[:, rows], vectors))
        with low_precision():
            x = blocks.run(block, x, heads).float()
    values = network.vectors(heads.v.float())[:, 1:]
    output = F.normalize(network.ln_post(x) @ network.proj, dim=-1)
    return {
        "middle": torch.stack(middle).mean(),
        "averaging": torch.stack(averaging).mean(),
        "keys": divergence(among_patches(heads.k, heads.k, rows), target[:, rows]),
        "values": 1 - (values * vectors).sum(-1).mean(),
        "output": 1 - (output[:, 1:] * region).sum(-1).mean(),
        "class": 1 - (output[:, 0] * F.normalize(vectors.mean(1), dim=-1)).sum(-1).mean(),
    }


def _without_queries(gradient: Tensor) -> Tensor:
    """A gradient of joined Queries, Keys and Values (3 WIDTH, …), zero for the Queries."""
    gradient = gradient.clone()
    gradient[:WIDTH] = 0
    return gradient


def run(
    data: Path, work: Path, without: str | None = None, seed: int = 0, steps: int = 120
) -> None:
    """Trains the attention of ``map.pt`` and writes ``attention.pt``."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    opened, folder = read(data, without), folder_of(work, without, seed)
    if not opened.is_new:
        raise ValueError(
            "The built-in model keeps its attention when it is trained further: go on with `pack`. "
            "A new model has a first model: `python -m training data DATA --first FOLDER`."
        )
    before, network = (restored(folder / "map.pt") for _ in range(2))
    squares = Squares(opened.words(), work, opened.masks)
    layer = learn_reading(network, squares, rng, int(_READING * steps))
    give_heads(network, layer, squares.sample(rng, 16)[0])
    last = network.blocks[-1].attn
    hooks = [
        parameter.requires_grad_().register_hook(_without_queries)
        for parameter in (last.in_proj_weight, last.in_proj_bias)
    ]
    learned = [
        parameter
        for name, parameter in network.named_parameters()
        if name.startswith(("blocks.", "class_", "positional_"))
    ]
    fit(
        learned,
        lambda step: terms_of(network, before, *squares.sample(rng, CROPS)),
        WEIGHTS,
        steps,
        lr=5e-4,
        betas=(0.9, 0.95),
        max_norm=1.0,
    )
    for hook in hooks:
        hook.remove()
    sharpen(network)
    torch.save(network.state_dict(), folder / "attention.pt")
