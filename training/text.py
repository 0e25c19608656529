"""Step 4, `text`: a text tower learns the words' vectors, from names in templates.

A sentence is a name of a word (its plural and synonyms, too) in one of ImageNet's templates or
alone; its target is the word's vector of the first map. The tower is open_clip's, small, and its
table of tokens has only those that training can meet.

    loss = mean(1 - cos(sentence, word)) + 0.2 cross_entropy(20 cos(sentence, all words))
"""

import math
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, SimpleTokenizer
from open_clip.transformer import TextTransformer
from torch import Tensor

from training.state import State, report, seed
from training.words import WIDTH, Words, groups

CONTEXT = 32
TEXT = {"context_length": CONTEXT, "width": 192, "heads": 3, "layers": 3}
TEMPLATES: tuple[str, ...] = (
    *(template("{}") for template in OPENAI_IMAGENET_TEMPLATES),
    "{}", "a {}", "the {}", "a photo of {}", "a photo of a {}.", "a picture of {}",
    "an image of {}", "there is {}", "{} in the scene", "a photo of the {} in the scene",
)  # fmt: skip


class Sentences:
    """Names of words in templates, as rows of the small token table.

    The order of tokens is kept, so that the end token is still the largest.
    """

    def __init__(self, words: Words) -> None:
        names_of = groups(words)
        self.names = [name for names in names_of for name in names]
        self.words = torch.tensor([n for n, names in enumerate(names_of) for _ in names])
        self.first = [self.names.index(names[0]) for names in names_of]
        self._tokenize = SimpleTokenizer(context_length=CONTEXT)
        texts = [*self.names, *(template.format("cat") for template in TEMPLATES)]
        self.ids = np.union1d(self._tokenize(texts).numpy(), [0]).astype(np.int32)

    def encode(self, texts: list[str]) -> Tensor:
        return torch.from_numpy(np.searchsorted(self.ids, self._tokenize(texts).numpy()))

    def draw(self, count: int) -> tuple[list[str], Tensor]:
        """Three names in four in a template; six in ten a word's first name."""
        every, rows, texts = range(len(self.names)), [], []
        for _ in range(count):
            rows.append(random.choice(self.first if random.random() < 0.6 else every))
        for row in rows:
            template = random.choice(TEMPLATES) if random.random() < 0.75 else "{}"
            texts.append(template.format(self.names[row]))
        return texts, self.words[rows]


def encode(tower: TextTransformer, tokens: Tensor) -> Tensor:
    """Unit vectors of token rows, cut after the longest: what comes after an end is never seen."""
    tokens = tokens[:, : int(tokens.argmax(1).max()) + 1]
    length = tokens.shape[1]
    x = tower.token_embedding(tokens) + tower.positional_embedding[:length]
    mask = torch.full((length, length), float("-inf")).triu_(1)
    x = tower.ln_final(tower.transformer(x, attn_mask=mask))
    return F.normalize(x[torch.arange(len(x)), tokens.argmax(1)] @ tower.text_projection, dim=1)


@torch.inference_mode()
def vectors(words: Words, work: Path) -> Tensor:
    """Unit vectors (V, WIDTH) of the words in ImageNet's templates, by `text.pt`."""
    sentences, means = Sentences(words), []
    tower = TextTransformer(vocab_size=len(sentences.ids), output_dim=WIDTH, **TEXT).eval()
    tower.load_state_dict(torch.load(work / "text.pt", weights_only=True)["tower"])
    for start in range(0, len(words.all), 16):
        some = words.all[start : start + 16]
        texts = [template(word) for word in some for template in OPENAI_IMAGENET_TEMPLATES]
        rows = encode(tower, sentences.encode(texts))
        means.append(rows.unflatten(0, (len(some), -1)).mean(1))
    return F.normalize(torch.cat(means), dim=1)


def learn(data: Path, work: Path, steps: int = 2200, size: int = 128) -> None:
    """Write `text.pt` by `first.pt`."""
    words = Words(data)
    seed()
    vectors = torch.load(work / "first.pt", weights_only=True)["vectors"]
    sentences = Sentences(words)
    tower = TextTransformer(vocab_size=len(sentences.ids), output_dim=WIDTH, **TEXT)
    optimiser = torch.optim.AdamW(tower.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=0.01)
    state = State(work, "text", tower=tower, optimiser=optimiser)
    for step in state.steps(steps):
        falling = max(0.02, 0.5 * (1 + math.cos(math.pi * step / steps)))
        optimiser.param_groups[0]["lr"] = 1.5e-3 * min(1, (step + 1) / 100) * falling
        texts, numbers = sentences.draw(size)
        cosines = encode(tower, sentences.encode(texts)) @ vectors.T
        apart = (1 - cosines[torch.arange(size), numbers]).mean()
        loss = apart + 0.2 * F.cross_entropy(20 * cosines, numbers)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 99:
            report(step, {"apart": apart})
    saved = {"tower": tower.state_dict(), "ids": torch.from_numpy(sentences.ids)}
    torch.save(saved, work / "text.pt")
    with torch.inference_mode():
        cosine = (encode(tower, sentences.encode(words.all)) * vectors).sum(1)
    print(f"cosine {cosine.mean():.3f}, least {cosine.min():.3f}")
