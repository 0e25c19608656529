"""Step ``map`` learns a map from a patch's features to a vector in the space of words.

Masks teach the words that they label, the teacher all others. A new model starts from a random map;
otherwise, the map of the built-in model is trained further. The logit of word k is
``s_k = 40 cos(patch, word k)``. A patch has the label that covers at least 60 % of it. The loss has
these terms:

- all: cross-entropy over all words of masks, except near-synonyms; if the built-in model is trained
  further, also over all words that it can suggest;
- photo: cross-entropy over the words of the patch's photo, as a person would type them, and some of
  its source's other words: for each patch, each is drawn with the probability OTHERS / (number of
  the words of all masks);
- none: ``-log(1 - p)`` of a background patch, where ``p`` is the total probability of its source's
  words; the sum over these patches is divided by the number of all labelled patches;
- teacher: KL(teacher, map) of the probabilities of all words that the map learns, for patches
  without a label; for background patches, over the words that are not their source's;
- near: ``1 - cos(teacher's vector, vector)`` of patches without a label.

    loss = all / 2 + 2 photo + 2 none + teacher + 4 near

Patches without a label come from photos without masks; if the built-in model is trained further,
also from photos with masks. Half of the features are dropped at each step (dropout, Srivastava et
al. 2014): otherwise, a new map soon memorises 2,000 photos.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.backbones.load import load_backbone
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.words import text
from training.data import folder_of, read
from training.fitting import fit
from training.network import FEATURES, MAP, Network, network_of
from training.patches import Patches, stored
from training.words import NONE, WordList

SCALE = 40.0
"""The factor of cosines; it ships as the model's logit scale."""
WEIGHTS = {"all": 0.5, "photo": 2.0, "none": 2.0, "teacher": 1.0, "near": 4.0}
"""Chosen on the half ``choose``, with models trained without it, and on the twelve photos that
ship: ``near`` and ``teacher`` preserve what the teacher knows about words without masks."""
DROPPED = 0.5
"""The share of the features that is dropped."""
LABELLED, FREE = 2048, 1024
"""Patches per step: with a label, and without one."""
OTHERS = 10
"""For a patch's photo, each word of its source is drawn as a further word with the probability
OTHERS / (number of the words of all masks): a source with half of these words adds five on
average."""
RATE, STEPS = 2e-3, 500
"""The learning rate and the steps of a new map."""
RATE_FURTHER, STEPS_FURTHER = 3e-4, 150
"""Those of the built-in's map, which already knows most. 20 photos of garments raised the mean IoU
on 40 others from 54.3 to 68.7 at a rate of 3e-4 (1e-3: 67.0, 3e-3: 65.9), at the cost of 0.2 points
on COCO's photos (0.4, 3.9); measured once, with the map alone, at 320 pixels."""
_NEVER = -1e4
"""The logit of a word that is not compared."""


class Compared:
    """Some words, their vectors (K, WIDTH), and which pairs are too similar to be compared."""

    def __init__(self, words: WordList, vectors: Tensor, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)
        self.vectors = vectors[self.numbers]
        self.place = torch.full((len(words.all),), -1)
        self.place[self.numbers] = torch.arange(len(numbers))
        self.alike = words.alike(vectors)[self.numbers][:, self.numbers].fill_diagonal_(False)

    def logits(self, patches: Tensor) -> Tensor:
        """Logits (n, K) of patches (n, WIDTH)."""
        return SCALE * patches @ self.vectors.T


def mask_terms(
    compared: Compared, vectors: Tensor, label: Tensor, own: Tensor, present: Tensor
) -> dict[str, Tensor]:
    """The terms ``all``, ``photo`` and ``none`` of patches' vectors (n, WIDTH) with labels (n,),
    numbers of words or NONE; ``own`` and ``present`` (n, K) bool are the words of the patch's
    source, and those with which its photo is compared."""
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


def teacher_term(compared: Compared, vectors: Tensor, teacher: Tensor, hidden: Tensor) -> Tensor:
    """The term ``teacher`` of patches' vectors (n, WIDTH), given the teacher's vectors and the
    words that do not count, ``hidden`` (n, K)."""
    ours, theirs = (
        compared.logits(of).masked_fill(hidden, _NEVER).log_softmax(1) for of in (vectors, teacher)
    )
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def run(
    data: Path, work: Path, without: str | None = None, seed: int = 0, steps: int | None = None
) -> None:
    """Learns from all photos that ``without`` does not hold out, and writes ``map.pt``."""
    opened = read(data, without)
    words, model = opened.words(), load_backbone(BUILT_IN, opened.teacher)
    patches = Patches(words, work, opened.masks)
    free = [stored(work, photo)["features"].reshape(-1, FEATURES) for photo in opened.others]
    before = network_of(model, *patches.statistics())
    vectors = text.embed(model, words.all)
    of_masks = patches.words_of.any(0).nonzero().flatten().tolist()
    share = OTHERS / len(of_masks)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    of_all = Compared(words, vectors, range(len(words.all)))
    if opened.is_new:
        network, compared = Network(*patches.statistics()), Compared(words, vectors, of_masks)
        rate, steps = RATE, steps or STEPS
    else:
        network, compared = copy.deepcopy(before), of_all
        rate, steps = RATE_FURTHER, steps or STEPS_FURTHER
        free.append(patches.unknown)
    free = np.concatenate(free)  # patches without a label, (n, FEATURES)

    def losses(step: int) -> dict[str, Tensor]:
        labelled, label, view = patches.sample(rng, LABELLED)
        rows = rng.integers(len(free), size=FREE)
        features = torch.cat([labelled, torch.from_numpy(free[rows].astype(np.float32))])
        dropped = network.mean + F.dropout(features - network.mean, DROPPED)
        of_patches, of_free = network.map_vectors(dropped).split([LABELLED, FREE])
        own = patches.words_of[patches.source[view]]
        sampled = torch.rand(LABELLED, len(compared.numbers)) < share
        own_compared = own[:, compared.numbers]
        present = patches.present[view][:, compared.numbers] | (own_compared & sampled)
        found = mask_terms(compared, of_patches, label, own_compared, present)
        none = label == NONE
        taught = torch.cat([features[LABELLED:], labelled[none]])
        with torch.no_grad():
            theirs = before.map_vectors(taught)
        hidden = torch.zeros(len(taught), len(words.all), dtype=torch.bool)
        hidden[FREE:] = own[none]
        ours = torch.cat([of_free, of_patches[none]])
        found["teacher"] = teacher_term(of_all, ours, theirs, hidden)
        found["near"] = 1 - (of_free * theirs[:FREE]).sum(1).mean()
        return found

    parameters = [p for name, p in network.named_parameters() if name.split(".")[0] in MAP]
    fit(parameters, losses, WEIGHTS, steps, lr=rate)
    torch.save(network.state_dict(), folder_of(work, without, seed) / "map.pt")
