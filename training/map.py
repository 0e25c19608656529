"""Step 2, `map`: a map from a patch's features to a vector in the words' space.

It learns from nothing. Masks teach the words that they have, the first model teaches all others.
The logit of word k is `s_k = 40 cos(patch, word k)`. A patch has the label that covers six tenths
of it; a label of few patches has a larger part in a step than in the photos (`patches.py`). The
terms of the loss:

- all: cross-entropy over all words of masks, without those that are nearly the same word;
- photo: the same over the words of the patch's photo, which is what a person types, and about one
  in twelve of its source's other words, by lot for each patch: nine of COCO's, one or two of VOC's;
- none: `-log(1 - p)` of a patch that is none of its source's words, which have the probability `p`
  together; the sum over these patches, divided by the number of all labelled patches;
- first: KL(first model, new one) of the probabilities of all words that the first model has seen,
  for patches of photos without masks, and for patches that are none of their source's words, over
  the other words;
- near: `1 - cos(first model's vector, new one)` of patches of photos without masks.

    loss = all / 2 + 2 photo + 2 none + first + 4 near

Half of the features are dropped at each step (Srivastava et al. 2014): without that, 2,000 photos
are soon learned by heart.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.words import text
from training.data import folder_of, half, without_masks
from training.first import first_model, map_of
from training.fitting import fit
from training.network import FEATURES, MAP, Network
from training.patches import NONE, Patches, read
from training.vocabulary import Words

SCALE = 40.0
"""What cosines are multiplied by; it ships as the model's logit scale."""
WEIGHTS = {"all": 0.5, "photo": 2.0, "none": 2.0, "first": 1.0, "near": 4.0}
"""Chosen on the half `choose`, by models without it, and on the twelve photos that ship: `near` and
`first` keep what has no mask."""
DROPPED = 0.5
"""The part of the features that is dropped."""
LABELLED, FREE = 2048, 1024
"""Patches of a step: of photos with masks, and of those without."""
OTHERS_OF_ALL = 10
"""About so many of all words of masks are drawn to be compared with a patch's photo; of these, only
those of its source count."""
_NEVER = -1e4
"""The logit of a word that is not compared."""


class Compared:
    """Some words, their vectors (K, WIDTH), and which are so alike that they are not compared."""

    def __init__(self, words: Words, vectors: Tensor, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)
        self.vectors = vectors[self.numbers]
        self.place = torch.full((len(words.all),), -1)
        self.place[self.numbers] = torch.arange(len(numbers))
        self.alike = words.alike(vectors)[self.numbers][:, self.numbers].fill_diagonal_(False)

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
    comparable = logits[known].masked_fill(compared.alike[truth], _NEVER)
    of_photo = comparable.masked_fill(~present[known].scatter(1, truth[:, None], True), _NEVER)
    unnamed = logits[~known]
    log_p = unnamed.masked_fill(~own[~known], _NEVER).logsumexp(1) - unnamed.logsumexp(1)
    away = -torch.log1p(-log_p.exp().clamp(max=1 - 1e-4))
    return {
        "all": F.cross_entropy(comparable, truth),
        "photo": F.cross_entropy(of_photo, truth),
        "none": away.sum() / len(label),
    }


def divergence(compared: Compared, vectors: Tensor, first: Tensor, hidden: Tensor) -> Tensor:
    """The term `first` of patches' vectors (n, WIDTH), those of the first model, and the words that
    do not count (n, K)."""
    ours, theirs = (
        compared.logits(of).masked_fill(hidden, _NEVER).log_softmax(1) for of in (vectors, first)
    )
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def learn(
    words: Words,
    vectors: Tensor,
    before: Network,
    patches: Patches,
    free: np.ndarray,
    steps: int,
    seed: int,
) -> Network:
    """A network whose map learned from patches with labels, and from the first model's map `before`
    on patches of photos without masks, `free` (n, FEATURES)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(*patches.statistics())
    of_masks = Compared(words, vectors, patches.words_of.any(0).nonzero().flatten().tolist())
    of_all = Compared(words, vectors, range(len(words.all)))

    def losses(step: int) -> dict[str, Tensor]:
        labelled, label, view = patches.draw(rng, LABELLED)
        rows = rng.integers(len(free), size=FREE)
        features = torch.cat([labelled, torch.from_numpy(free[rows].astype(np.float32))])
        dropped = network.mean + F.dropout(features - network.mean, DROPPED)
        of_patches, of_free = network.map_vectors(dropped).split([LABELLED, FREE])
        own = patches.words_of[patches.source[view]]
        drawn = torch.rand(LABELLED, len(of_masks.numbers)) < OTHERS_OF_ALL / len(of_masks.numbers)
        own_taught = own[:, of_masks.numbers]
        present = patches.present[view][:, of_masks.numbers] | (own_taught & drawn)
        terms = losses_of_masks(of_masks, of_patches, label, own_taught, present)
        none = label == NONE
        told = torch.cat([features[LABELLED:], labelled[none]])
        with torch.no_grad():
            theirs = before.map_vectors(told)
        hidden = torch.zeros(len(told), len(words.all), dtype=torch.bool)
        hidden[FREE:] = own[none]
        ours = torch.cat([of_free, of_patches[none]])
        terms["first"] = divergence(of_all, ours, theirs, hidden)
        terms["near"] = 1 - (of_free * theirs[:FREE]).sum(1).mean()
        return terms

    parameters = [p for name, p in network.named_parameters() if name.split(".")[0] in MAP]
    fit(parameters, losses, WEIGHTS, steps, rate=2e-3)
    return network


def run(
    data: Path, work: Path, without: str | None = None, seed: int = 0, steps: int = 500
) -> None:
    """Write `map.pt`, of photos without those of a half of COCO's."""
    words, held, model = Words(data), half(data, without), first_model(data)
    patches = Patches(words, work, [photo for photo in words.masks if photo.name not in held])
    free = np.concatenate(
        [read(work, photo)["features"].reshape(-1, FEATURES) for photo in without_masks(data)]
    )
    vectors = text.embed(model, words.all)
    network = learn(words, vectors, map_of(model), patches, free, steps, seed)
    torch.save(network.state_dict(), folder_of(work, without, seed) / "map.pt")
