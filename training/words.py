"""Step 2, `words`: vectors of the words that CLIP's table lacks; nothing is learned from photos.

A class of ImageNet has a row `f` of weights in the image classifier: what it looks like. Kernel
ridge regression of CLIP's vectors `Y` on the rows `F` of the words that have both, as unit vectors
about their mean, gives the vectors of the others, so that a beaver is near an otter:

    y = f Fᵀ (F Fᵀ + I)⁻¹ Y

The other words, which are stuff (sky, wall), keep their vectors by lot: nearly at right angles to
all others. The map learns where they are.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from training.frozen import efficient_net
from training.vocabulary import Words, names


def regress(rows: Tensor, known: Tensor, vectors: Tensor) -> Tensor:
    """Unit vectors (n, WIDTH) of rows (n, d), by known rows (m, d) that have vectors (m, WIDTH)."""
    mean = known.mean(0)
    rows, known = (F.normalize(of - mean, dim=1) for of in (rows, known))
    ridge = known @ known.T + torch.eye(len(known))
    return F.normalize(rows @ known.T @ torch.linalg.solve(ridge, vectors), dim=1)


def vectors(words: Words, weights: Tensor) -> Tensor:
    """Unit vectors (V, WIDTH) of all words, by the classifier's weights (classes, d)."""
    classes: dict[int, list[int]] = {}
    for number, name in enumerate(words.classes):
        for word in words.of_class(name):
            classes.setdefault(word, []).append(number)
    rows = torch.stack([weights[of_word].mean(0) for of_word in classes.values()])
    of_class, given = torch.tensor([*classes]), words.given[[*classes]]
    out = words.vectors.clone()
    out[of_class[~given]] = regress(rows[~given], rows[given], out[of_class[given]])
    for word, neighbours in names()["neighbours"].items():  # no photo and no mask has these
        out[words.numbers([word])] = F.normalize(out[words.numbers(neighbours)].sum(0), dim=0)
    return out


def run(data: Path, work: Path) -> None:
    """Write `words.pt`: the vectors of all words."""
    words = Words(data)
    torch.save(vectors(words, efficient_net().classes.weight), work / "words.pt")
