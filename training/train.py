"""Train the built-in model.

    python -m training.train --minutes 95 --folder runs/one [--resume]

One process trains, another composes scenes; `torchrun --nproc-per-node 2 -m training.train
--threads 1 ...` trains in two, each on scenes of its own. Every few minutes it measures itself on
fresh scenes and writes a checkpoint, from which `--resume` goes on: the minutes count over all its
runs.
`FOLDER/log.jsonl` has one line per 20 steps; `python -m training.curves` draws it.
"""

import argparse
import copy
import itertools
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from open_clip.model import CLIP, resize_pos_embed
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, parameters_to_vector, vector_to_parameters

from gclip_core import scenes
from gclip_core.load import has_bfloat16
from training import losses, measure, model
from training.data import Batch, Kind, stream
from training.muon import Muon
from training.prompts import Tokens, all_words

# glibc gives large blocks back to the kernel at once, and a training step asks for them again at
# once: telling it to keep them made a step a third faster.
_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "500000000",
}

# After this share of the time a checkpoint is kept, to be averaged with the last.
_EARLIER = 0.75


@dataclass(frozen=True)
class Phase:
    """A stretch of training: until which share of the time, and the kinds of batch it draws.

    blocks: the image tower's blocks that always run, counted from 0; None for all.
    sometimes: how often, at each step, each of the other blocks runs as well.
    table: images are compared with one learned vector a word, which the text tower follows,
        instead of with the text tower's own embeddings.
    """

    until: float
    kinds: tuple[Kind, ...]
    blocks: tuple[int, ...] | None = None
    table: bool = False
    sometimes: float = 0.0


_FEW = (0, 3, 7, 11)
_TINY = Kind(32, 128, (1.0,), ((27, 37),))
_SMALL = Kind(48, 96, (0.75, 0.25), ((22, 54), (18, 34)))
_MIDDLE = Kind(64, 64, (0.4, 0.35, 0.25), ((20, 66), (18, 42), (17, 34)))
FULL = Kind(96, 40, (0.2, 0.25, 0.25, 0.2, 0.1), ((30, 80), (27, 62), (24, 50), (21, 44), (19, 40)))
_LARGE = Kind(
    144, 16, (0.2, 0.25, 0.25, 0.2, 0.1), ((50, 116), (40, 92), (36, 74), (32, 64), (29, 58))
)
_LARGEST = Kind(
    192, 12, (0.2, 0.25, 0.25, 0.2, 0.1), ((66, 150), (54, 122), (48, 98), (42, 86), (38, 78))
)
PHASES: tuple[Phase, ...] = (
    Phase(0.14, (_TINY,), _FEW, table=True),
    Phase(0.30, (_SMALL,), _FEW, table=True),
    Phase(0.55, (_SMALL, _MIDDLE), _FEW, table=True),
    Phase(0.80, (_MIDDLE, FULL), _FEW, table=True),
    Phase(1.0, (FULL, FULL, _LARGE)),
)
# For a network that has been through these: more scenes, blocks left out at random, larger last.
LONGER: tuple[Phase, ...] = (
    Phase(0.30, (_MIDDLE, FULL), _FEW, sometimes=0.5),
    Phase(0.65, (FULL,), _FEW, sometimes=0.5),
    Phase(0.85, (FULL, _LARGE), _FEW, sometimes=0.5),
    Phase(1.0, (FULL, _LARGE)),
)
# For one that has been through those: what is small in a scene needs a finer grid.
LARGER: tuple[Phase, ...] = (
    Phase(0.40, (FULL, _LARGE), _FEW, sometimes=0.5),
    Phase(0.70, (FULL, _LARGE, _LARGEST)),
    Phase(1.0, (_LARGE, _LARGEST)),
)


@dataclass(frozen=True)
class Recipe:
    """What a run is made of.

    decay_from: the share of the time after which the learning rates fall.
    peak: the highest share of the learning rates.
    """

    minutes: float
    seed: int = 0
    lr: float = 1.5e-3
    muon_lr: float = 5e-3
    warm_up_steps: int = 60
    decay_from: float = 0.55
    peak: float = 1.0
    clip: float = 2.0
    average: float = 0.995
    caption_weight: float = 0.3
    background_weight: float = 0.25
    by_word_weight: float = 0.5
    patch_weight: float = 1.0
    captions_a_batch: int = 32
    followers_a_batch: int = 24


# A learning rate falls sooner than from nothing where there is less to find out, and from lower.
SCHEDULES: dict[str, tuple[tuple[Phase, ...], dict[str, float]]] = {
    "first": (PHASES, {}),
    "longer": (LONGER, {"decay_from": 0.25}),
    "larger": (LARGER, {"decay_from": 0.15, "peak": 0.7}),
}


@dataclass
class Run:
    """Everything that training changes, and a checkpoint keeps."""

    _PARTS = ("net", "averaged", "muon", "adam")
    _COUNTS = ("step", "scenes", "seconds")

    net: CLIP
    averaged: CLIP
    table: torch.nn.Parameter
    muon: Muon
    adam: torch.optim.AdamW
    step: int = 0
    scenes: int = 0
    seconds: float = 0.0

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        parts = {name: getattr(self, name).state_dict() for name in self._PARTS}
        counts = {name: getattr(self, name) for name in self._COUNTS}
        return parts | counts | {"table": self.table.detach(), "random": torch.get_rng_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        for name in self._PARTS:
            getattr(self, name).load_state_dict(state[name])
        for name in self._COUNTS:
            setattr(self, name, state[name])
        self.table.data.copy_(state["table"])
        torch.set_rng_state(state["random"])


def start(recipe: Recipe, tokens: int, device: str, phases: tuple[Phase, ...] = PHASES) -> Run:
    """A fresh network and its optimisers: Muon for the blocks' matrices, AdamW for the rest."""
    torch.manual_seed(recipe.seed)
    net = model.build(tokens)
    made = [scenes.compose(8_000_000 + i, (96, 96), "seen").image for i in range(64)]
    model.initialise(net, torch.from_numpy(np.stack([np.asarray(image) for image in made])))
    if phases[0].blocks is not None:
        model.put_to_sleep(net, phases[0].blocks)
    net = net.to(device)
    size = (len(all_words()), model.CONFIG["embed_dim"])
    table = torch.nn.Parameter(torch.randn(size, device=device) * size[1] ** -0.5)
    matrices, decayed, plain = [], [], [table]
    for name, weight in net.named_parameters():
        if "resblocks" in name and weight.ndim == 2:
            matrices.append(weight)
        elif weight.ndim >= 2 and "embedding" not in name:
            decayed.append(weight)
        else:
            plain.append(weight)
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6)
    averaged = copy.deepcopy(net).eval().requires_grad_(False)
    return Run(net, averaged, table, Muon(matrices, recipe.muon_lr), adam)


def take_over(run: Run, packed: Path) -> None:
    """Begin from a model that `training.pack` wrote, in place of the fresh network.

    Its queries are as long as they were made for segmenting, which changes nothing that training
    sees; its grid of positions is resized to the network's. Optimisers begin anew.
    """
    state = {k: v.float() for k, v in load_file(packed / "model.safetensors").items()}
    if not torch.equal(state.pop("token_ids").long(), torch.from_numpy(Tokens().ids)):
        raise ValueError(f"{packed} was trained for other words: its tokens are not today's.")
    state["token_embedding.weight"] = state.pop("token_rows")
    resize_pos_embed(state, run.net, antialias=False)
    for net in (run.net, run.averaged):
        net.load_state_dict(state)


def rate(recipe: Recipe, step: int, done: float) -> float:
    """Share of the learning rates: a warm-up, a plateau, then a straight way down to 2 % of it."""
    warm = min(1.0, (step + 1) / recipe.warm_up_steps)
    left = (1 - done) / (1 - recipe.decay_from)
    return warm * recipe.peak * min(1.0, 0.02 + 0.98 * max(left, 0.0))


def phase_at(done: float, phases: tuple[Phase, ...] = PHASES) -> Phase:
    """The phase at a share of the time."""
    return next((p for p in phases if done < p.until), phases[-1])


def corner_for(generator: torch.Generator, side: int) -> tuple[int, int] | None:
    """Where a small canvas lies in the grid of learned positions; none for a larger canvas."""
    patch = model.CONFIG["vision_cfg"]["patch_size"]
    room = (model.CONFIG["vision_cfg"]["image_size"] - side) // patch
    if room < 0:
        return None
    y, x = torch.randint(room + 1, (2,), generator=generator).tolist()
    return y, x


def awake(generator: torch.Generator, phase: Phase) -> tuple[int, ...] | None:
    """The blocks that run at this step: those that always do, and each other one by chance."""
    if phase.blocks is None:
        return None
    chance = torch.rand(model.CONFIG["vision_cfg"]["layers"], generator=generator).tolist()
    return tuple(i for i, c in enumerate(chance) if i in phase.blocks or c < phase.sometimes)


def compare(
    run: Run, batch: Batch, phase: Phase, recipe: Recipe
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Embeddings of the words (words, E), of some captions (n, E), and the loss of following.

    While there is a table it stands for the words, there are no captions, and the text tower
    learns, from prompts for some of the words, to say what the table says.
    """
    if not phase.table:
        captions = batch.captions[: recipe.captions_a_batch]
        texts = model.encode_text(run.net, torch.cat([batch.prompts, captions])).float()
        count = len(batch.prompts)
        return texts[:count], texts[count:], None
    words = F.normalize(run.table, dim=-1)
    some = torch.randperm(len(words))[: recipe.followers_a_batch].to(words.device)
    texts = model.encode_text(run.net, batch.prompts[some]).float()
    scale = run.net.logit_scale.exp().detach()
    return words, words[:0], losses.follow(texts, words.detach(), some, scale)


def objective(
    run: Run,
    batch: Batch,
    corner: tuple[int, int] | None,
    recipe: Recipe,
    phase: Phase,
    blocks: tuple[int, ...] | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, and its parts by name."""
    images = model.normalise(batch.pixels)
    pooled, local = model.encode_images(run.net, images, corner, blocks)
    pooled, local = pooled.float(), local.float()
    words, sentences, following = compare(run, batch, phase, recipe)
    scale = run.net.logit_scale.exp()
    things = len(scenes.things())
    seen, behind, by_word = losses.words(scale * pooled @ words.T, batch.present, things)
    weak = losses.patches(local @ words.T, batch.present, scale)
    parts = {"things": seen, "backgrounds": behind, "by_word": by_word, "patches": weak}
    total = (
        seen
        + recipe.background_weight * behind
        + recipe.by_word_weight * by_word
        + recipe.patch_weight * weak
    )
    if following is not None:
        parts["following"] = following
        total = total + following
    else:
        n = len(sentences)
        parts["captions"] = losses.captions(scale * pooled[:n] @ sentences.T, batch.present[:n])
        total = total + recipe.caption_weight * parts["captions"]
    parts["loss"] = total
    return total, {name: part.detach() for name, part in parts.items()}


def update(run: Run, loss: Tensor, recipe: Recipe, share: float) -> None:
    """One step of both optimisers at a share of their learning rates, and of the average."""
    for group in run.muon.param_groups:
        group["lr"] = recipe.muon_lr * share
    for group in run.adam.param_groups:
        group["lr"] = recipe.lr * share
    run.net.zero_grad()
    run.table.grad = None
    loss.backward()
    parameters = [*run.net.parameters(), run.table]
    _share_gradients(parameters)
    clip_grad_norm_(parameters, recipe.clip)
    run.muon.step()
    run.adam.step()
    with torch.no_grad():
        run.net.logit_scale.clamp_(0, math.log(100))
        keep = min(recipe.average, (run.step + 1) / (run.step + 10))
        torch._foreach_lerp_(list(run.averaged.parameters()), list(run.net.parameters()), 1 - keep)


def _share_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Among several processes, make every gradient the mean of theirs."""
    if not dist.is_initialized():
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = parameters_to_vector(grads)
    dist.all_reduce(flat)
    vector_to_parameters(flat / dist.get_world_size(), grads)


def _longest(seconds: float) -> float:
    """The longest time that any of the processes counts, so that all agree on phase and end."""
    if not dist.is_initialized():
        return seconds
    clock = torch.tensor(seconds, dtype=torch.float64)
    dist.all_reduce(clock, dist.ReduceOp.MAX)
    return clock.item()


def train(
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    phases: tuple[Phase, ...] = PHASES,
    validate_every: float = 300.0,
    begin_from: Path | None = None,
) -> Run:
    """Train for `recipe.minutes` in all; leaves `last.pt`, `earlier.pt`, `log.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    together = dist.is_initialized()
    rank, processes = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
    tokens = Tokens()
    run = start(recipe, len(tokens.ids), device, phases)
    if resume:
        run.restore(torch.load(folder / "last.pt", map_location=device, weights_only=True))
    elif begin_from is not None:
        take_over(run, begin_from)
    generator = torch.Generator().manual_seed(recipe.seed + run.step)
    half = has_bfloat16(torch.device(device))
    total, since, last_check = recipe.minutes * 60, time.perf_counter(), run.seconds
    before, recent = run.seconds, []

    def kinds() -> Iterator[Kind]:
        for asked in itertools.count(run.step):
            wanted = phase_at(run.seconds / total, phases).kinds
            yield wanted[asked % len(wanted)]

    batches = stream(workers, 1 + recipe.seed + 1000 * run.step + 100 * rank, kinds())
    while run.seconds < total:
        done = run.seconds / total
        phase = phase_at(done, phases)
        batch = next(batches).to(device)
        corner = corner_for(generator, batch.pixels.shape[1])
        blocks = awake(generator, phase)
        with torch.autocast(device, torch.bfloat16, enabled=half):
            loss, parts = objective(run, batch, corner, recipe, phase, blocks)
        share = rate(recipe, run.step, done)
        update(run, loss, recipe, share)
        run.step += 1
        run.scenes += len(batch.pixels) * processes
        run.seconds = _longest(before + time.perf_counter() - since)
        if rank:
            continue
        recent.append({name: part.item() for name, part in parts.items()})
        if run.step % 50 == 0:
            _log(folder, run, recent, share, batch.pixels.shape[1])
            recent = []
        if run.seconds - last_check > validate_every or run.seconds >= total:
            last_check = run.seconds
            _note(folder, {"step": run.step, **measure.while_training(run.averaged, tokens)})
            _save(run, folder / "last.pt")
            earlier = folder / "earlier.pt"
            if run.seconds > _EARLIER * total and not earlier.exists():
                shutil.copy(folder / "last.pt", earlier)
    return run


def _log(folder: Path, run: Run, recent: list[dict[str, float]], share: float, side: int) -> None:
    last = [r for r in recent if r.keys() == recent[-1].keys()]
    means = {name: round(sum(r[name] for r in last) / len(last), 4) for name in last[0]}
    _note(
        folder,
        {
            "step": run.step,
            "minutes": round(run.seconds / 60, 2),
            "scenes": run.scenes,
            "side": side,
            "rate": round(share, 4),
            "scale": round(run.net.logit_scale.exp().item(), 2),
            **means,
        },
    )


def _note(folder: Path, entry: dict[str, Any]) -> None:
    line = json.dumps(entry)
    print(line, flush=True)
    with (folder / "log.jsonl").open("a") as log:
        log.write(line + "\n")


def _save(run: Run, path: Path) -> None:
    """Write a checkpoint beside the old one, then take its place: a crash leaves one of the two."""
    fresh = path.with_suffix(".new")
    torch.save(run.state(), fresh)
    fresh.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the built-in model.")
    parser.add_argument("--minutes", type=float, required=True, help="in all, over resumed runs")
    parser.add_argument("--folder", type=Path, default=Path("runs/one"))
    parser.add_argument("--resume", action="store_true", help="go on from FOLDER/last.pt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that compose scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    begin = {"dest": "begin_from", "type": Path, "metavar": "FOLDER"}
    parser.add_argument("--from", **begin, help="begin from a packed model")
    later = "later ones are for --from"
    parser.add_argument("--schedule", choices=SCHEDULES, default="first", help=later)
    arguments = parser.parse_args()
    if sys.platform == "linux" and not _MALLOC.keys() <= os.environ.keys():
        command = [sys.executable, "-m", "training.train", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **_MALLOC})
    torch.set_num_threads(arguments.threads)
    if "WORLD_SIZE" in os.environ:  # torchrun started this process, and others like it
        dist.init_process_group("gloo")
    phases, changes = SCHEDULES[arguments.schedule]
    recipe = replace(Recipe(arguments.minutes, arguments.seed), **changes)
    train(
        recipe,
        arguments.folder,
        arguments.resume,
        arguments.device,
        arguments.workers,
        phases=phases,
        begin_from=arguments.begin_from,
    )
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
