"""Step 3, `map`: the map from features to words, taught with true masks.

Learned is the map, a linear and a two-layer one, from nothing. A patch has the word that covers six
tenths of it, and is drawn by one over the root of how many have that word. The logit of word k is
`s_k = 40 cos(patch, word k)`. The terms of the loss:

- all: cross-entropy over all words of masks, without those that are nearly the same word;
- photo: the same over the words of the patch's photo, and about ten more of its source: this is
  what a person types;
- none: `-log(1 - p)` of a patch that is none of its source's words, which have the probability `p`
  together. Whatever else it is, is not known;
- words: of photos with a word that no mask has, the cross-entropy over all words at the fifth of
  the patches that are most like it;
- around: there, `-log p` of the two fifths that are least like it, where `p` is the probability of
  the words that are anywhere (sky, tree, wall) together: masks tell which of them it is.

    loss = all / 2 + 2 photo + 2 none + 0.25 words + around / 2

Half of the features are dropped at each step (Srivastava et al. 2014): without that, 2,000 photos
are soon learned by heart.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.data import Photo, folder_of, half
from training.fitting import begin, fit
from training.network import MAP, Network
from training.patches import NONE, Patches, read
from training.vocabulary import Words, names

SCALE = 40.0
"""What cosines are multiplied by."""
WEIGHTS = {"all": 0.5, "photo": 2.0, "none": 2.0, "words": 0.25, "around": 0.5}
DROPPED = 0.5
"""The part of the features that is dropped."""
PATCHES, PHOTOS, OF_PHOTO = 2048, 24, 40
"""Patches of photos with masks in a step, photos with words, and patches of each of these."""
OTHERS = 10
"""About so many words that a photo lacks are compared with its own."""
_FIFTH = 5
"""One in so many patches of a photo with words is taken for its word, and two for none."""


class Compared:
    """Some words, their vectors (K, WIDTH), and which are so alike that they are not compared."""

    def __init__(self, words: Words, vectors: Tensor, numbers: Sequence[int]) -> None:
        self.vectors = vectors[list(numbers)]
        self.place = torch.full((len(words.all),), -1)
        self.place[list(numbers)] = torch.arange(len(numbers))
        self.alike = words.alike(vectors)[list(numbers)][:, list(numbers)].fill_diagonal_(False)

    def logits(self, patches: Tensor) -> Tensor:
        """Logits (n, K) of patches (n, WIDTH)."""
        return SCALE * patches @ self.vectors.T


def losses_of_masks(
    compared: Compared, vectors: Tensor, label: Tensor, own: Tensor, present: Tensor
) -> dict[str, Tensor]:
    """The terms `all`, `photo` and `none` of patches' vectors (n, WIDTH) with labels (n,), numbers
    of words or NONE; `own` and `present` (n, K) bool are the words of the patch's source, and those
    that its photo is compared with."""
    logits, known = compared.logits(vectors), label != NONE
    truth = compared.place[label[known]]
    comparable = logits[known].masked_fill(compared.alike[truth], -torch.inf)
    of_photo = comparable.masked_fill(~present[known].scatter(1, truth[:, None], True), -torch.inf)
    terms = {
        "all": F.cross_entropy(comparable, truth),
        "photo": F.cross_entropy(of_photo, truth),
    }
    unnamed = logits[~known]
    log_p = unnamed.masked_fill(~own[~known], -torch.inf).logsumexp(1) - unnamed.logsumexp(1)
    away = -torch.log1p(-log_p.exp().clamp(max=1 - 1e-4))
    terms["none"] = away.sum() / len(label)
    return terms


def losses_of_words(
    compared: Compared, vectors: Tensor, numbers: Sequence[int], around: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The terms `words` and `around` of a photo's patches (n, WIDTH), the numbers of its words, and
    of those that may be around."""
    own = compared.place[list(numbers)]
    likeness = (vectors.detach() @ compared.vectors[own].T).amax(1).argsort(descending=True)
    fifth = max(1, len(vectors) // _FIFTH)
    alike = compared.alike[own].any(0)
    alike[own] = False
    most = compared.logits(vectors[likeness[:fifth]]).masked_fill(alike, -torch.inf)
    least = compared.logits(vectors[likeness[-2 * fifth :]])
    may_be = compared.place[list(around)]
    return (
        (most.logsumexp(1) - most[:, own].mean(1)).mean(),
        (least.logsumexp(1) - least[:, may_be].logsumexp(1)).mean(),
    )


def learn(
    words: Words, vectors: Tensor, work: Path, masks: Sequence[Photo], steps: int, seed: int
) -> Network:
    """A network whose map learned from photos with masks, and from those with words only."""
    begin(seed)
    rng = np.random.default_rng(seed)
    patches = Patches(words, work, masks)
    network = Network(*patches.statistics())
    with_words = [
        (read(work, photo)["features"][0], words.of_photo(photo)) for photo in words.photos
    ]
    taught = words.numbers(word for photo in masks for word in photo.words.values())
    of_masks = Compared(words, vectors, taught)
    around = words.numbers(names()["anywhere"])
    of_all = Compared(words, vectors, sorted({*words.with_masks, *words.with_photos, *around}))

    def dropped(features: np.ndarray | Tensor) -> Tensor:
        features = torch.as_tensor(features).float().reshape(-1, len(network.mean))
        return network.mean + F.dropout(features - network.mean, DROPPED)

    def losses(step: int) -> dict[str, Tensor]:
        features, label, view = patches.draw(rng, PATCHES)
        own = patches.words_of[patches.source[view]][:, taught]
        others = torch.rand(own.shape) < OTHERS / len(taught)
        present = patches.present[view][:, taught] | (own & others)
        terms = losses_of_masks(
            of_masks, network.map_vectors(dropped(features)), label, own, present
        )
        drawn = [with_words[row] for row in rng.integers(len(with_words), size=PHOTOS)]
        some = [
            of.reshape(-1, of.shape[-1])[rng.permutation(of[..., 0].size)[:OF_PHOTO]]
            for of, _ in drawn
        ]
        vectors_of = network.map_vectors(dropped(np.concatenate(some))).split(list(map(len, some)))
        of_words = [
            losses_of_words(of_all, vectors, numbers, around)
            for vectors, (_, numbers) in zip(vectors_of, drawn, strict=True)
        ]
        terms["words"], terms["around"] = (
            torch.stack(of).mean() for of in zip(*of_words, strict=True)
        )
        return terms

    parameters = [p for name, p in network.named_parameters() if name.split(".")[0] in MAP]
    fit(parameters, losses, WEIGHTS, steps, rate=2e-3)
    return network


def run(
    data: Path, work: Path, without: str | None = None, seed: int = 0, steps: int = 500
) -> None:
    """Write `map.pt` by `words.pt`, of photos without those of a half of COCO's."""
    words, held = Words(data), half(data, without)
    masks = [photo for photo in words.masks if photo.name not in held]
    network = learn(words, torch.load(work / "words.pt"), work, masks, steps, seed)
    torch.save(network.state_dict(), folder_of(work, without, seed) / "map.pt")
