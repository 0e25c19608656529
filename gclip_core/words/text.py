"""Text embeddings, by a causal text tower with a prefix cache, which computes new tokens only.

No token attends to a later one. So the tokens after the end token need no computation, and the keys
and values of a template's prefix ("a photo of a") are computed once for all phrases. The result is
that of the full computation, apart from rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.attention import Heads
from gclip_core.backbones.backbone import Backbone
from gclip_core.errors import VocabularyError, check_choice

TEMPLATES: dict[str, tuple[str, ...]] = {
    "imagenet80": tuple(t("{}") for t in OPENAI_IMAGENET_TEMPLATES),
    "imagenet7": tuple(t("{}") for t in SIMPLE_IMAGENET_TEMPLATES),
    "plain": ("a photo of a {}.",),
}
"""Sets of sentences in which ``{}`` is replaced by a phrase; the first two are open_clip's."""
TOKENS_PER_BATCH = 1536
"""Approximate number of new tokens of one batch, to fit a processor's cache."""


def embed(backbone: Backbone, phrases: Sequence[str], templates: str = "imagenet80") -> Tensor:
    """Text embedding of each phrase: (len(phrases), E) float32, L2-normalised.

    It is the normalised mean of the normalised embeddings of the phrase in all sentences of
    ``templates``, a name of ``TEMPLATES``; cached. Raises VocabularyError for too long a
    phrase, MethodError for an unknown name.
    """
    check_choice("templates", templates, TEMPLATES)
    sentences = TEMPLATES[templates]
    if not phrases:
        return torch.empty(0, backbone.model.visual.proj.shape[1])
    cache = backbone.text_cache
    embeddings = {phrase: cache.get((sentences, phrase)) for phrase in dict.fromkeys(phrases)}
    missing = [phrase for phrase, embedding in embeddings.items() if embedding is None]
    if missing:
        rows = embed_new(backbone, missing, sentences)
        for phrase, row in zip(missing, rows, strict=True):
            embeddings[phrase] = row.clone()  # a view would keep the whole tensor in memory
            cache.put((sentences, phrase), embeddings[phrase])
    return torch.stack([embeddings[phrase] for phrase in phrases])


@torch.no_grad()
def embed_new(backbone: Backbone, phrases: Sequence[str], sentences: tuple[str, ...]) -> Tensor:
    """As ``embed``, without the cache of phrases."""
    _check_lengths(backbone, phrases, sentences)
    filled = [sentence.replace("{}", phrase) for phrase in phrases for sentence in sentences]
    tokens = backbone.tokenizer(filled).to(backbone.device)

    def compute_prefixes() -> Prefixes:
        before = backbone.tokenizer([sentence.partition("{}")[0] for sentence in sentences])
        return read_prefixes(backbone.model, before.to(backbone.device))

    which = torch.arange(len(sentences), device=backbone.device).repeat(len(phrases))
    prefixes = backbone.prefix_cache.get_or_make(sentences, compute_prefixes)
    each = encode(backbone.model, tokens, prefixes, which)
    each = F.normalize(each.float(), dim=-1).reshape(len(phrases), len(sentences), -1)
    return F.normalize(each.mean(1), dim=-1).cpu()


def _check_lengths(backbone: Backbone, phrases: Sequence[str], sentences: tuple[str, ...]) -> None:
    encode = getattr(backbone.tokenizer, "encode", None)
    if not callable(encode):  # a tokenizer that cannot count tokens
        return
    frame = max(len(encode(sentence.replace("{}", ""))) for sentence in sentences)
    room = backbone.model.context_length - 2 - frame  # without start and end token
    for phrase in phrases:
        length = len(encode(phrase))
        if length > room:
            raise VocabularyError(
                f"'{phrase[:40]}…' is too long: {backbone.title} reads up to {room} tokens of a "
                f"phrase, but this one has {length}. Shorten it, or separate classes with commas."
            )


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The prefix cache: keys and values of every block, for ``n`` prefixes of templates.

    ``tokens`` (n, P) int64 are padded to the longest prefix; ``lengths`` (n,) int64 do not count
    the padding. ``keys[l]`` and ``values[l]`` are (n, H, P, d) in the model's dtype.
    """

    tokens: Tensor
    lengths: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


def read_prefixes(model: nn.Module, tokens: Tensor) -> Prefixes:
    """The prefix cache of token rows (n, context) int64, up to their end tokens."""
    lengths = tokens.argmax(dim=-1)
    tokens = tokens[:, : max(1, int(lengths.max()))]
    x = _embed(model, tokens, torch.arange(tokens.shape[1], device=tokens.device))
    keys, values = [], []
    for block in model.transformer.resblocks:
        heads = blocks.project(block, x)
        keys.append(heads.k.contiguous())
        values.append(heads.v.contiguous())
        mixed = F.scaled_dot_product_attention(heads.q, heads.k, heads.v, is_causal=True)
        x = blocks.finish(block, x, mixed)
    return Prefixes(tokens, lengths, tuple(keys), tuple(values))


def encode(model: nn.Module, tokens: Tensor, prefixes: Prefixes, which: Tensor) -> Tensor:
    """``CLIP.encode_text`` of token rows (n, context) int64: unnormalised (n, E), model's dtype.

    ``which[i]`` is the prefix that row ``i`` should begin with. The cache is used only as far as
    the tokens of both are equal, so a wrong prefix changes no result.
    """
    ends = tokens.argmax(dim=-1)
    span = prefixes.tokens.shape[1]
    alike = tokens[:, :span] == prefixes.tokens[which]
    alike &= torch.arange(span, device=tokens.device) < prefixes.lengths[which, None]
    known = torch.minimum(alike.long().cumprod(dim=-1).sum(-1), ends)
    new = ends + 1 - known
    order = torch.argsort(known * tokens.shape[1] + new)  # rows of equal shape are adjacent
    batch = (new[order].cumsum(0) - 1) // TOKENS_PER_BATCH
    sizes = torch.unique_consecutive(batch, return_counts=True)[1].tolist()
    features = [
        _encode_batch(model, tokens[rows], prefixes, which[rows], known[rows], new[rows])
        for rows in order.split(sizes)
    ]
    return torch.cat(features)[order.argsort()]


def _encode_batch(
    model: nn.Module, tokens: Tensor, prefixes: Prefixes, which: Tensor, known: Tensor, new: Tensor
) -> Tensor:
    """Features of rows sorted by (known, new); their new tokens are packed into one (T, D)."""
    place = torch.arange(tokens.shape[1], device=tokens.device)
    wanted = (place >= known[:, None]) & (place < (known + new)[:, None])
    x = _embed(model, tokens[wanted], wanted.nonzero()[:, 1])
    pairs = torch.stack([known, new], dim=1)
    shapes, counts = torch.unique_consecutive(pairs, dim=0, return_counts=True)
    groups = [(n, *shape) for n, shape in zip(counts.tolist(), shapes.tolist(), strict=True)]
    layers = model.transformer.resblocks
    last = new.cumsum(0) - 1  # the end tokens
    for index, block in enumerate(layers):
        heads = blocks.project(block, x)
        mixed = _attend(heads, prefixes.keys[index], prefixes.values[index], which, groups)
        if index == len(layers) - 1:  # after the last attention only the end tokens matter
            x, mixed = x[last], mixed[:, last]
        x = blocks.finish(block, x, mixed)
    return blocks.normalised(model.ln_final, x) @ model.text_projection


def _attend(
    heads: Heads, keys: Tensor, values: Tensor, which: Tensor, groups: list[tuple[int, int, int]]
) -> Tensor:
    """Causal attention of packed tokens, heads (H, T, d), to their prefixes and to each other.

    A group (n, known, new) is ``n`` consecutive rows that have ``known`` cached and ``new`` new
    tokens each.
    """
    out = torch.empty(heads.q.shape, dtype=heads.q.dtype, device=heads.q.device)
    row = token = 0
    for n, known, new in groups:
        here, prefix = slice(token, token + n * new), which[row : row + n]
        q, k, v = (
            part[:, here].unflatten(1, (n, new)).transpose(0, 1)
            for part in (heads.q, heads.k, heads.v)
        )
        k = torch.cat([keys[prefix, :, :known], k], dim=2)
        v = torch.cat([values[prefix, :, :known], v], dim=2)
        mask = torch.ones(new, known + new, dtype=torch.bool, device=q.device).tril_(known)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out[:, here] = mixed.transpose(0, 1).flatten(1, 2)
        row, token = row + n, token + n * new
    return out


def _embed(model: nn.Module, tokens: Tensor, positions: Tensor) -> Tensor:
    dtype = model.transformer.get_cast_dtype()
    return model.token_embedding(tokens).to(dtype) + model.positional_embedding[positions].to(dtype)
