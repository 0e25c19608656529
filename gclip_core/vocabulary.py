"""What a person typed -> classes and synonyms -> text embeddings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES
from torch import Tensor, nn

from gclip_core.backbone import Backbone
from gclip_core.errors import VocabularyError
from gclip_core.types import Vocabulary

MAX_CLASSES = 500
MAX_CHARACTERS = 200_000
MAX_PHRASE = 300
TOKENS_PER_BATCH = 8192
NEAR_A_KNOWN_WORD = 0.8
"""Cosine to the nearest known word from which a phrase with known tokens counts as known."""


def _templates(functions: Sequence) -> tuple[str, ...]:
    return tuple(template("{}") for template in functions)


TEMPLATES: dict[str, tuple[str, ...]] = {
    "imagenet80": _templates(OPENAI_IMAGENET_TEMPLATES),
    "imagenet7": _templates(SIMPLE_IMAGENET_TEMPLATES),
    "plain": ("a photo of a {}.",),
}
"""Sets of sentences a phrase is put into; the first two are those open_clip ships."""


def parse(words: str | Iterable[str] | Vocabulary) -> Vocabulary:
    """Read words as a person types them.

    Commas and new lines separate classes, ``;`` synonyms, ``#`` starts a comment. A list holds a
    class per item. Duplicates and empties are dropped, and ``notes`` says which.

    Raises:
        VocabularyError: no class left, more than 500, or a phrase longer than 300 characters.
    """
    if isinstance(words, Vocabulary):
        return words
    items = _split_text(words) if isinstance(words, str) else _check_items(words)
    classes: list[tuple[str, ...]] = []
    seen: set[str] = set()
    twice: list[str] = []
    for item in items:
        synonyms = []
        for phrase in map(_clean, item.split(";")):
            if not phrase:
                continue
            if len(phrase) > MAX_PHRASE:
                raise VocabularyError(
                    f"A word or phrase may have up to {MAX_PHRASE} characters, but one of "
                    f"{len(phrase)} came: '{phrase[:40]}…'. Separate classes with commas."
                )
            if phrase.casefold() in seen:
                twice.append(phrase)
                continue
            seen.add(phrase.casefold())
            synonyms.append(phrase)
        if synonyms:
            classes.append(tuple(synonyms))
        if len(classes) > MAX_CLASSES:
            raise VocabularyError(
                f"Up to {MAX_CLASSES} classes can be segmented at once, but more came. "
                "Leave some out."
            )
    if not classes:
        raise VocabularyError(
            "At least one word was expected, but none came. Type the things you look for, "
            "separated by commas: cat, sofa; couch, wall"
        )
    return Vocabulary(tuple(classes), _duplicates_note(twice))


def embed(
    backbone: Backbone, phrases: Sequence[str], templates: str | Sequence[str] = "imagenet80"
) -> Tensor:
    """Text embedding of each phrase: (len(phrases), E) float32, L2-normalised.

    Every phrase goes through all templates, each embedding normalised, averaged, normalised.
    Kept per (backbone, templates, phrase) in the backbone's bounded cache.

    Raises:
        VocabularyError: a phrase too long for the text tower, or an unknown template set.
    """
    sentences = _template_set(templates)
    cache = backbone.text_cache
    found = {phrase: cache.get((sentences, phrase)) for phrase in dict.fromkeys(phrases)}
    missing = [phrase for phrase, embedding in found.items() if embedding is None]
    if missing:
        for phrase, embedding in zip(
            missing, _embed_new(backbone, missing, sentences), strict=True
        ):
            cache.put((sentences, phrase), embedding)
            found[phrase] = embedding
    return torch.stack([found[phrase] for phrase in phrases])


def unknown_phrases(backbone: Backbone, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Phrases the backbone never met: all tokens unseen, or an embedding near no known word.

    Empty for a backbone with an open vocabulary (any CLIP but the built-in one).
    """
    known = backbone.known
    if known is None:
        return ()
    doubtful = [p for p in vocabulary.phrases if p.casefold() not in known.words]
    unseen = {p for p in doubtful if not known.tokens & set(_token_ids(backbone, p))}
    partly = [p for p in doubtful if p not in unseen]
    if partly:
        near = embed(backbone, partly, "plain") @ embed(backbone, sorted(known.words), "plain").T
        unseen |= {
            phrase
            for phrase, cosine in zip(partly, near.max(dim=1).values.tolist(), strict=True)
            if cosine < NEAR_A_KNOWN_WORD
        }
    return tuple(phrase for phrase in doubtful if phrase in unseen)


def _split_text(text: str) -> list[str]:
    if len(text) > MAX_CHARACTERS:
        raise VocabularyError(
            f"The words may have up to {MAX_CHARACTERS:,} characters, but {len(text):,} came."
        )
    lines = (line.partition("#")[0] for line in text.splitlines())
    return [item for line in lines for item in line.split(",")]


def _check_items(words: Iterable[str]) -> list[str]:
    items = []
    for item in words:
        if not isinstance(item, str):
            raise VocabularyError(
                f"Words must be text, but a {type(item).__name__} came. Pass a list of strings."
            )
        items.append(item)
        if len(items) > 100 * MAX_CLASSES:
            break
    return items


def _clean(phrase: str) -> str:
    """One line of visible characters: controls and direction overrides removed, spaces folded."""
    visible = "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") or c == "\u200d" else " "
        for c in unicodedata.normalize("NFC", phrase)
    )
    return re.sub(r"\s+", " ", visible).strip(" \u200d")


def _duplicates_note(twice: list[str]) -> tuple[str, ...]:
    if not twice:
        return ()
    shown = ", ".join(f"'{phrase[:30]}'" for phrase in dict.fromkeys(twice[:5]))
    return (f"Given more than once and kept once: {shown}{', …' if len(twice) > 5 else ''}.",)


def _template_set(templates: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(templates, str):
        return tuple(templates)
    if templates not in TEMPLATES:
        raise VocabularyError(
            f"'{templates[:40]}' is not a template set. Choose one of: {', '.join(TEMPLATES)}."
        )
    return TEMPLATES[templates]


def _embed_new(backbone: Backbone, phrases: list[str], sentences: tuple[str, ...]) -> Tensor:
    """Embed phrases that are in no cache: (len(phrases), E) float32 on the CPU."""
    _check_lengths(backbone, phrases, sentences)
    prompts = [sentence.replace("{}", phrase) for phrase in phrases for sentence in sentences]
    with torch.no_grad():
        each = _encode(backbone, backbone.tokenizer(prompts))
    each = F.normalize(each.float(), dim=-1).reshape(len(phrases), len(sentences), -1)
    return F.normalize(each.mean(1), dim=-1).cpu()


def _encode(backbone: Backbone, tokens: Tensor) -> Tensor:
    """Text features of token rows (n, context), unnormalised (n, E); short ones together."""
    if not pools_at_end_token(backbone.model):
        batches = tokens.split(max(1, TOKENS_PER_BATCH // tokens.shape[1]))
        return torch.cat([backbone.model.encode_text(b.to(backbone.device)) for b in batches])
    ends = tokens.argmax(dim=-1)
    order = ends.argsort()
    out: list[Tensor] = []
    start = 0
    while start < len(order):
        # Sorted by length, so the last row of a batch is its longest.
        size = max(1, TOKENS_PER_BATCH // (int(ends[order[start]]) + 1))
        batch = order[start : start + size]
        out.append(_encode_causal(backbone.model, tokens[batch].to(backbone.device)))
        start += size
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order))
    return torch.cat(out)[inverse.to(out[0].device)]


def _encode_causal(model: nn.Module, tokens: Tensor) -> Tensor:
    """``CLIP.encode_text`` on the first ``max(end token) + 1`` positions only.

    Exact for a causal tower pooled at the end token: what comes later cannot reach it.
    """
    n = int(tokens.argmax(dim=-1).max()) + 1
    dtype = model.transformer.get_cast_dtype()
    x = model.token_embedding(tokens[:, :n]).to(dtype)
    x = x + model.positional_embedding[:n].to(dtype)
    x = model.transformer(x, attn_mask=model.attn_mask[:n, :n])
    x = model.ln_final(x)[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)]
    projection = model.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Linear) else x @ projection


def pools_at_end_token(model: nn.Module) -> bool:
    """Whether the text tower is causal and pooled at the end token, so that it can be cut short."""
    return (
        getattr(model, "attn_mask", None) is not None
        and getattr(model, "text_pool_type", None) == "argmax"
        and hasattr(model, "token_embedding")
    )


def _token_ids(backbone: Backbone, phrase: str) -> list[int]:
    """The phrase's own tokens, without start, end and padding; [] if the tokenizer hides them."""
    encode = getattr(backbone.tokenizer, "encode", None)
    return list(encode(phrase)) if callable(encode) else []


def _check_lengths(backbone: Backbone, phrases: list[str], sentences: tuple[str, ...]) -> None:
    if not callable(getattr(backbone.tokenizer, "encode", None)):
        return
    frame = max(len(_token_ids(backbone, sentence.replace("{}", ""))) for sentence in sentences)
    room = backbone.context_length - 2 - frame
    for phrase in phrases:
        length = len(_token_ids(backbone, phrase))
        if length > room:
            raise VocabularyError(
                f"'{phrase[:40]}…' has {length} tokens, but {backbone.title} reads up to {room} "
                "within its sentences. Use fewer words, or separate classes with commas."
            )
