"""``python -m tests.load.same``: the same request has the same labels and logits, to the byte.

Requests for small scenes under several methods and words are first answered alone; then threads
ask them at random from one studio, whose kept masks go before every request and whose kept texts,
trunks and words go every now and then, while words of other companies are embedded.
"""

import argparse
import hashlib
import itertools
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from demo.look import Request, Studio
from demo.settings import Settings
from demo.variants import VARIANTS
from gclip_core import load_backbone, vocabulary
from gclip_core.backbone import Backbone
from tests.load.__main__ import SECOND, WORDS, weights_folder

OTHERS = [f"thing {number}" for number in range(200)]


@dataclass(frozen=True)
class Wish:
    """One mask: of which scene, which words, under which variant."""

    seed: int
    words: str
    variant: str


def wishes() -> list[Wish]:
    """Every variant of a few scenes under a few lists of words."""
    return [Wish(*one) for one in itertools.product((1, 2, 3), WORDS, VARIANTS)]


def answer(studio: Studio, wish: Wish) -> str:
    """The digest of a mask's labels, and of the logits that they are the best of."""
    asked = Settings(
        seed=wish.seed,
        words=wish.words,
        scene_size=96,
        short_side=64,
        templates="plain",
        rest=False,
    )
    look = studio.look(Request(asked))
    found = look.segment(VARIANTS[wish.variant].method(asked))
    held = found.labels.numpy().tobytes() + found.logits.numpy().tobytes()
    return hashlib.blake2b(held, digest_size=16).hexdigest()


def forget(studio: Studio, backbone: Backbone) -> None:
    """Let go of every kept text, trunk and mask."""
    for kept in (studio.results, studio.encoded, backbone.text_cache, vocabulary._parsed):
        kept.clear()


def run(backbone: Backbone, requests: int, threads: int) -> tuple[list[Wish], int, int]:
    """Wishes that differed from the answer given alone; how often texts and trunks were let go."""
    studio, alone = Studio(backbone), {}
    for wish in wishes():
        forget(studio, backbone)
        alone[wish] = answer(studio, wish)
    assert len(set(alone.values())) > len(alone) // 2, "the requests differ"

    def ask(number: int) -> tuple[Wish | None, int, int]:
        chance, texts, trunks = random.Random(number), 0, 0
        wish = chance.choice(list(alone))
        studio.results.clear()
        if chance.random() < 0.05:
            backbone.text_cache.clear()
            vocabulary._parsed.clear()
            texts = 1
        if chance.random() < 0.04:
            studio.encoded.clear()
            trunks = 1
        if chance.random() < 0.02:
            vocabulary.embed(backbone, chance.sample(OTHERS, chance.randint(1, 24)), "plain")
        return (None if answer(studio, wish) == alone[wish] else wish), texts, trunks

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(ask, range(requests)))
    differed = [wish for wish, _, _ in found if wish]
    return differed, sum(text for _, text, _ in found), sum(trunk for _, _, trunk in found)


def main() -> int:
    """Run, print what was found, and return 1 if an answer differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.same", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=4, help="threads that ask at once")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch, a request")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        weights = weights_folder(Path(folder)) / f"{SECOND}.safetensors"
        backbone = load_backbone(SECOND, weights, dtype=args.dtype)
        differed, texts, trunks = run(backbone, args.requests, args.clients)
    print(
        f"{SECOND} in {args.dtype} on {args.threads} threads, PyTorch {torch.__version__}: "
        f"{args.requests} requests of {len(wishes())} from {args.clients} clients at once, kept "
        f"texts let go {texts} times and trunks {trunks} times, in "
        f"{time.monotonic() - start:.0f} s: {len(differed)} differed"
    )
    print("\n".join(map(str, differed[:10])))
    return int(bool(differed))


if __name__ == "__main__":
    sys.exit(main())
