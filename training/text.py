"""Step 5, `text`: a text tower learns the words' vectors, from names in templates.

Learned is a small text tower of open_clip's, whose table of tokens has only those that training can
meet. A sentence is a name of a word (its plural and synonyms, too) in one of ImageNet's templates
or alone; its target is the word's vector (`words.pt`).

    loss = mean(1 - cos(sentence, word)) + 0.2 cross_entropy(20 cos(sentence, all words))
"""

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, SimpleTokenizer
from open_clip.transformer import TextTransformer
from torch import Tensor

from training.fitting import begin, fit, low_precision
from training.vocabulary import WIDTH, Words, groups

CONTEXT = 32
"""Tokens of a sentence at most: the longest template has fewer."""
TEXT = {"context_length": CONTEXT, "width": 192, "heads": 3, "layers": 3}
"""The tower: a quarter of CLIP's layers and three eighths of its width, for 1,764 words."""
_IN_TEMPLATE, _FIRST_NAME = 0.75, 0.6
"""Of the sentences that are drawn these parts have a template, and a word's first name; people type
words alone and by their usual names."""
SENTENCES = 128
"""Sentences of a step."""
_SCALE = 20.0
TEMPLATES: tuple[str, ...] = (
    *(template("{}") for template in OPENAI_IMAGENET_TEMPLATES),
    "{}",
    "a {}",
    "the {}",
    "a photo of {}",
    "a photo of a {}.",
    "a picture of {}",
    "an image of {}",
    "there is {}",
    "{} in the scene",
    "a photo of the {} in the scene",
)


class Sentences:
    """Names of words in templates, as rows of the small token table.

    `ids` (T,) are the tokenizer's ids of the table's rows, in their order, so that the end token is
    still the largest.
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
        """Rows of the token table (B, CONTEXT). Raises ValueError for a token that it lacks."""
        tokens = self._tokenize(texts).numpy()
        unknown = np.setdiff1d(tokens, self.ids)
        if len(unknown):
            raise ValueError(
                f"Words and templates of training were expected, but {texts} have the tokens "
                f"{unknown.tolist()} beside theirs."
            )
        return torch.from_numpy(np.searchsorted(self.ids, tokens))

    def draw(self, count: int) -> tuple[list[str], Tensor]:
        """Sentences and the numbers of their words (count,)."""
        all_rows, rows, texts = range(len(self.names)), [], []
        for _ in range(count):
            rows.append(random.choice(self.first if random.random() < _FIRST_NAME else all_rows))
        for row in rows:
            template = random.choice(TEMPLATES) if random.random() < _IN_TEMPLATE else "{}"
            texts.append(template.format(self.names[row]))
        return texts, self.words[rows]


def encode(tower: TextTransformer, tokens: Tensor) -> Tensor:
    """Unit vectors (B, WIDTH) of token rows (B, CONTEXT), cut after the longest sentence: causal
    attention reads nothing after the end token, which is the largest."""
    tokens = tokens[:, : int(tokens.argmax(1).max()) + 1]
    length = tokens.shape[1]
    x = tower.token_embedding(tokens) + tower.positional_embedding[:length]
    mask = torch.full((length, length), float("-inf")).triu_(1)
    with low_precision():
        x = tower.transformer(x, attn_mask=mask)
    x = tower.ln_final(x.float())
    return F.normalize(x[torch.arange(len(x)), tokens.argmax(1)] @ tower.text_projection, dim=1)


def run(data: Path, work: Path, seed: int = 0, steps: int = 1200) -> None:
    """Write `text.pt` by `words.pt`: the tower, and the tokenizer's ids of its token table."""
    begin(seed)
    words = Words(data)
    sentences, targets = Sentences(words), torch.load(work / "words.pt")
    tower = TextTransformer(vocab_size=len(sentences.ids), output_dim=WIDTH, **TEXT)

    def losses(step: int) -> dict[str, Tensor]:
        texts, numbers = sentences.draw(SENTENCES)
        cosines = encode(tower, sentences.encode(texts)) @ targets.T  # (SENTENCES, V)
        apart = (1 - cosines[torch.arange(len(texts)), numbers]).mean()
        return {"apart": apart, "words": F.cross_entropy(_SCALE * cosines, numbers)}

    fit([*tower.parameters()], losses, {"apart": 1.0, "words": 0.2}, steps, rate=1.5e-3)
    saved = {"tower": tower.state_dict(), "ids": torch.from_numpy(sentences.ids)}
    torch.save(saved, work / "text.pt")
    with torch.inference_mode():
        cosine = (encode(tower, sentences.encode(words.all)) * targets).sum(1)
    print(f"cosine of words alone {cosine.mean():.3f}, least {cosine.min():.3f}")
