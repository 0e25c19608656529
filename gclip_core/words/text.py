"""Text embeddings from a causal text tower; with a prefix cache, only new tokens are computed.

No token attends to a later one. Therefore the tokens after the end token need no computation, and
the keys and values of a template's prefix ("a photo of a") are computed once for all phrases. Apart
from rounding, the result is that of the full computation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES
from torch import Tensor

from gclip_core import blocks
from gclip_core.backbones.backbone import Backbone
from gclip_core.errors import VocabularyError
from gclip_core.types import Module

TEMPLATES: dict[str, tuple[str, ...]] = {
    "imagenet80": tuple(t("{}") for t in OPENAI_IMAGENET_TEMPLATES),
    "imagenet7": tuple(t("{}") for t in SIMPLE_IMAGENET_TEMPLATES),
    "plain": ("a photo of a {}.",),
}
"""Sets of sentences in which a phrase replaces ``{}``; the first two are open_clip's."""
NEW_TOKENS_PER_BATCH = 1536
"""Approximate number of new tokens in a batch, to fit a processor's cache."""


def embed(backbone: Backbone, phrases: Sequence[str], templates: str = "imagenet80") -> Tensor:
    """Text embedding of each phrase: (len(phrases), E) float32, L2-normalised.

    It is the normalised mean of the normalised embeddings of the phrase in all sentences of
    ``templates``, a name in ``TEMPLATES``; it is cached. Raises VocabularyError for a phrase that
    is too long.
    """
    sentences = TEMPLATES[templates]
    if not phrases:
        return torch.empty(0, backbone.model.visual.proj.shape[1])
    cache = backbone.text_cache
    cached = {phrase: cache.get((sentences, phrase)) for phrase in phrases}
    embeddings = {phrase: found for phrase, found in cached.items() if found is not None}
    missing = [phrase for phrase in cached if phrase not in embeddings]
    if missing:
        rows = embed_new(backbone, missing, sentences)
        for phrase, row in zip(missing, rows, strict=True):
            embeddings[phrase] = row.clone()  # a view would keep the whole tensor in memory
            cache.put((sentences, phrase), embeddings[phrase])
    return torch.stack([embeddings[phrase] for phrase in phrases])


@torch.no_grad()
def embed_new(backbone: Backbone, phrases: Sequence[str], sentences: tuple[str, ...]) -> Tensor:
    """Like ``embed``, but without the cache of phrases."""
    _check_lengths(backbone, phrases, sentences)
    filled = [sentence.replace("{}", phrase) for phrase in phrases for sentence in sentences]
    tokens = backbone.tokenizer(filled).to(backbone.device)

    def compute_prefixes() -> Prefixes:
        before = backbone.tokenizer([sentence.partition("{}")[0] for sentence in sentences])
        return read_prefixes(backbone.model, before.to(backbone.device))

    which = torch.arange(len(sentences), device=backbone.device).repeat(len(phrases))
    prefixes = backbone.text_cache.get_or_make(("prefixes", sentences), compute_prefixes)
    each = encode_tokens(backbone.model, tokens, prefixes, which)
    each = F.normalize(each.float(), dim=-1).reshape(len(phrases), len(sentences), -1)
    return F.normalize(each.mean(1), dim=-1).cpu()


def _check_lengths(backbone: Backbone, phrases: Sequence[str], sentences: tuple[str, ...]) -> None:
    encode = backbone.tokenizer.encode
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
    """The prefix cache: keys and values of every block for ``n`` prefixes of templates.

    ``tokens`` (n, P) int64 are padded to the longest prefix; ``lengths`` (n,) int64 exclude the
    padding. ``keys[l]`` and ``values[l]`` are (n, H, P, d) in the model's dtype.
    """

    tokens: Tensor
    lengths: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


def read_prefixes(model: Module, tokens: Tensor) -> Prefixes:
    """The prefix cache of token rows (n, context) int64 up to their end tokens."""
    lengths = tokens.argmax(dim=-1)
    tokens = tokens[:, : max(1, int(lengths.max()))]
    x = _embed(model, tokens, torch.arange(tokens.shape[1], device=tokens.device))
    keys, values = [], []
    for block in model.transformer.resblocks:
        heads = blocks.project(block, x)
        keys.append(heads.k.contiguous())
        values.append(heads.part("v").contiguous())
        mixed = F.scaled_dot_product_attention(heads.q, heads.k, heads.part("v"), is_causal=True)
        x = blocks.finish(block, x, mixed)
    return Prefixes(tokens, lengths, tuple(keys), tuple(values))


def encode_tokens(model: Module, tokens: Tensor, prefixes: Prefixes, which: Tensor) -> Tensor:
    """``CLIP.encode_text`` of token rows (n, context) int64: unnormalised (n, E), model's dtype.

    ``which[i]`` is the prefix with which row ``i`` should begin. The cache is used only as far as
    the tokens of both are equal, so that a wrong prefix changes no result.
    """
    ends = tokens.argmax(dim=-1)
    span = prefixes.tokens.shape[1]
    alike = tokens[:, :span] == prefixes.tokens[which]
    alike &= torch.arange(span, device=tokens.device) < prefixes.lengths[which, None]
    known = torch.minimum(alike.long().cumprod(dim=-1).sum(-1), ends)
    new = ends + 1 - known
    features = model.text_projection.new_empty(len(tokens), model.text_projection.shape[1])
    for length in new.unique().tolist():  # rows with equally many new tokens form a rectangle
        rows = (new == length).nonzero()[:, 0]
        for some in rows.split(max(1, NEW_TOKENS_PER_BATCH // length)):
            places = known[some, None] + torch.arange(length, device=tokens.device)
            x = _embed(model, tokens[some].gather(1, places), places)
            features[some] = _continue(model, x, prefixes, which[some], known[some])
    return features


def _continue(model: Module, x: Tensor, prefixes: Prefixes, which: Tensor, known: Tensor) -> Tensor:
    """Features (n, E) of rows whose new tokens are ``x`` (n, new, D), the last one the end token.

    A new token attends to its row's ``known`` cached tokens, to the new ones before it, and to
    itself.
    """
    new, span = x.shape[1], int(known.max())
    cached = torch.arange(span, device=x.device) < known[:, None]  # (n, span)
    causal = torch.ones(new, new, dtype=torch.bool, device=x.device).tril()
    mask = torch.cat([cached[:, None].expand(-1, new, -1), causal.expand(len(x), -1, -1)], dim=2)
    layers = model.transformer.resblocks
    for block, keys, values in zip(layers, prefixes.keys, prefixes.values, strict=True):
        heads = blocks.project(block, x)
        k = torch.cat([keys[which, :, :span], heads.k], dim=2)
        v = torch.cat([values[which, :, :span], heads.part("v")], dim=2)
        mixed = F.scaled_dot_product_attention(heads.q, k, v, mask[:, None])
        if block is layers[-1]:  # after the last attention, only the end token matters
            x, mixed = x[:, -1:], mixed[:, :, -1:]
        x = blocks.finish(block, x, mixed)
    return model.ln_final(x[:, 0]) @ model.text_projection


def _embed(model: Module, tokens: Tensor, positions: Tensor) -> Tensor:
    dtype = model.transformer.get_cast_dtype()
    return model.token_embedding(tokens).to(dtype) + model.positional_embedding[positions].to(dtype)
