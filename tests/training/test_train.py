"""The training script: its maths against open_clip's own, its data, and that a short run learns."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

from gclip_core import assets, scenes
from training import curves, icons, losses, model, pack, train
from training.data import Composer, Kind, duotone, render
from training.muon import Muon, orthogonal
from training.prompts import IMAGENET, Tokens, all_words, caption, names_of, prompt
from training.things import SECONDS, THINGS

WORDS = len(all_words())
SMALL = Kind(32, 8, (0.5, 0.5), ((20, 34), (16, 24)))


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens()


def test_our_functions_are_open_clips_forward_pass(tokens: Tokens) -> None:
    torch.manual_seed(0)
    net = model.build(len(tokens.ids)).eval()
    images = torch.randn(2, 3, 192, 192)
    rows = torch.from_numpy(tokens.encode(["a photo of a cat", "grass"]))
    with torch.no_grad():
        pooled, local = model.encode_images(net, images)
        assert torch.allclose(pooled, net.encode_image(images, normalize=True), atol=1e-5)
        texts = model.encode_text(net, rows)
        assert torch.allclose(texts, net.encode_text(rows, normalize=True), atol=1e-5)
    assert local.shape == (2, 576, 128)
    assert torch.allclose(local.norm(dim=-1), torch.ones(2, 576), atol=1e-5)


def test_a_sleeping_block_changes_nothing(tokens: Tokens) -> None:
    net = model.build(len(tokens.ids)).eval()
    awake = (0, 3, 7, 11)
    model.put_to_sleep(net, awake)
    images = torch.randn(1, 3, 192, 192)
    with torch.no_grad():
        all_run = model.encode_images(net, images)
        few_run = model.encode_images(net, images, blocks=awake)
    assert torch.allclose(all_run[1], few_run[1], atol=1e-5)


def test_a_small_canvas_takes_a_window_of_the_positions() -> None:
    table = torch.arange(1 + 144.0)[:, None]
    tower = SimpleNamespace(positional_embedding=table, grid_size=(12, 12))
    window = model.positions(tower, (2, 3), (4, 5))
    assert window[:, 0].tolist() == [0, 1 + 53, 1 + 54, 1 + 55, 1 + 65, 1 + 66, 1 + 67]
    assert model.positions(tower, (12, 12), None).equal(table)
    assert model.positions(tower, (18, 18), None).shape == (325, 1)


def test_whitening_makes_patches_white() -> None:
    made = [np.asarray(scenes.compose(i, (96, 96), "seen").image) for i in range(24)]
    pixels = torch.from_numpy(np.stack(made))
    layer = model.whitening(pixels, 64, 8)
    out = F.conv2d(model.normalise(pixels), layer, stride=8).transpose(0, 1).flatten(1)
    spread = torch.cov(out).diagonal()
    assert 0.5 < spread.min() <= spread.max() < 1.05
    off = torch.corrcoef(out) - torch.eye(64)
    assert off.abs().max() < 0.05


def test_orthogonal_updates() -> None:
    torch.manual_seed(0)
    for shape in [(2, 32, 32), (3, 64, 16), (1, 16, 64)]:
        singular = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert singular.min() > 0.2
        assert singular.max() < 1.4


def test_muon_takes_a_stacked_weight_as_three() -> None:
    torch.manual_seed(0)
    stacked = torch.nn.Parameter(torch.zeros(48, 16))
    parts = [torch.nn.Parameter(torch.zeros(16, 16)) for _ in range(3)]
    gradient = torch.randn(48, 16)
    stacked.grad = gradient.clone()
    for part, g in zip(parts, gradient.chunk(3), strict=True):
        part.grad = g.clone()
    Muon([stacked], lr=0.1).step()
    Muon(parts, lr=0.1).step()
    assert torch.allclose(stacked, torch.cat(list(parts)), atol=1e-6)


def test_no_loss_punishes_a_word_that_is_true() -> None:
    """Raising a true word's score never raises a loss; raising an untrue one's never lowers it."""
    torch.manual_seed(0)
    present = torch.zeros(3, 6, dtype=torch.bool)
    present[0, [0, 4]] = present[1, [1, 5]] = present[2, [2, 4]] = True
    scores = torch.randn(3, 6, requires_grad=True)
    sum(losses.words(scores, present, things=4)).backward()
    assert (scores.grad[present] <= 0).all()
    assert (scores.grad[~present] >= 0).all()


def test_a_caption_true_of_two_images_is_wrong_for_neither() -> None:
    present = torch.tensor([[1, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=torch.bool)
    scores = torch.tensor([[5.0, 5.0, -5.0], [5.0, 5.0, -5.0], [-5.0, -5.0, 5.0]])
    assert losses.captions(scores, present) < 0.01


def test_patches_that_divide_the_image_among_its_words_lose_least() -> None:
    """A background that claims every patch leaves a thing nothing to win."""
    present = torch.tensor([[True, True, False]])
    shared = torch.tensor([[[0.9, 0.0, 0.0]] * 8 + [[0.0, 0.9, 0.0]] * 8])
    spread = torch.tensor([[[0.8, 0.9, 0.0]] * 8 + [[0.0, 0.9, 0.0]] * 8])
    scale = torch.tensor(20.0)
    assert losses.patches(shared, present, scale) < losses.patches(spread, present, scale)


def test_every_prompt_and_caption_has_its_tokens(tokens: Tokens) -> None:
    rng = np.random.default_rng(0)
    for word in all_words():
        texts = [t.format(name) for t in IMAGENET for name in names_of(word)]
        tokens.encode(texts)
        tokens.encode([prompt(rng, word) for _ in range(20)])
    for seed in range(600):
        seen = rng.permutation(len(scenes.things()))[: 1 + seed % 5].tolist()
        behind = rng.permutation(len(scenes.backgrounds()))[: 1 + seed % 2].tolist()
        said = caption(rng, seen, behind)
        tokens.encode([said])
        named = ((word.name, *word.synonyms) for word in (scenes.things()[i] for i in seen))
        assert all(any(name in said for name in names) for names in named), said
    assert tokens.ids[0] == 0
    assert tokens.ids[-1] == 49407, "the end token is the largest"
    assert (np.diff(tokens.ids) > 0).all()


def test_batches_say_what_is_in_them(tokens: Tokens) -> None:
    composer = Composer(3, "twemoji")
    batch = composer.batch(SMALL, tokens)
    assert batch.pixels.shape == (8, 32, 32, 3)
    assert batch.present.shape == (8, WORDS)
    things = batch.present[:, : len(scenes.things())].sum(1)
    assert set(things.tolist()) <= {1, 2}
    assert len(batch.prompts) == WORDS and len(batch.captions) == 8
    again = Composer(3, "twemoji").batch(SMALL, tokens)
    assert batch.pixels.equal(again.pixels)


def test_training_sees_no_held_out_art() -> None:
    assert {s.name for s in scenes.styles_for("seen")}.isdisjoint({"emojione", "openmoji"})


def test_icons_are_shapes_of_every_thing_under_licences_that_suit() -> None:
    drawn = [[d.pixels for d in drawings if d.ink] for drawings in icons.load()]
    assert len(drawn) == len(scenes.things()) and all(drawn), "each thing has an icon"
    for cell in (cell for cells in drawn for cell in cells):
        assert cell.shape == (128, 128, 4)
        visible = cell[cell[..., 3] > 128][:, :3].astype(int)
        assert np.ptp(visible, axis=1).mean() < 2, "grey, but for what compression does to it"
        assert 0.03 < (cell[..., 3] > 128).mean() < 0.99
    licences = {made.licence for made in icons.PACKAGES.values()}
    assert not {name for name in licences if "SA" in name or "NC" in name}


def test_second_drawings_are_the_trained_styles_own() -> None:
    index = json.loads(assets.path("emoji", icons.INDEX).read_text())
    collections = {collection for _, collection, _ in index["icons"]}
    seen = {style.name for style in scenes.styles_for("seen")}
    assert collections == seen | set(icons.PACKAGES)
    assert set(SECONDS) <= {thing.name for thing in THINGS}


def test_an_icon_is_drawn_in_two_colours() -> None:
    icon = next(drawing.pixels for drawing in icons.load()[0] if drawing.ink)
    solid = (icon[..., 3] == 255) & ((icon[..., 0] < 4) | (icon[..., 0] > 251))
    rng = np.random.default_rng(3)
    painted = duotone(rng, icon)
    assert len(np.unique(painted[solid][:, :3] // 8, axis=0)) <= 2 * 32, "two, lit from above"
    assert (painted[..., 3] == icon[..., 3]).all()


def test_sprites_keep_their_size() -> None:
    rng = np.random.default_rng(0)
    for longer in (16, 40, 110):
        drawn = render(rng, icons.Drawing(scenes.sprite("twemoji", 3), ink=False), longer)
        assert abs(max(drawn.shape[:2]) - longer) <= 1
        assert (drawn[..., :3].max(-1) <= drawn[..., 3]).mean() > 0.95, "premultiplied"


def test_the_schedule() -> None:
    settings = train.Recipe(minutes=1)
    assert train.rate(settings, 0, 0.0) < 0.05
    assert train.rate(settings, 500, settings.decay_from - 0.01) == 1
    assert abs(train.rate(settings, 500, 1.0) - 0.02) < 1e-9
    assert train.phase_at(0.0) is train.PHASES[0]
    assert train.phase_at(1.0) is train.PHASES[-1]
    assert train.rate(replace(settings, peak=0.7), 500, 0.0) == 0.7
    for phases, _ in train.SCHEDULES.values():
        assert phases[-1].blocks is None and not phases[-1].table, "the whole network at the end"
        assert [p.until for p in phases] == sorted(p.until for p in phases)


def test_blocks_are_left_out_by_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    phase = train.Phase(1.0, (SMALL,), (0, 11), sometimes=0.5)
    drawn = [train.awake(generator, phase) for _ in range(400)]
    assert all(blocks is not None and blocks[0] == 0 and blocks[-1] == 11 for blocks in drawn)
    assert abs(np.mean([len(blocks) for blocks in drawn if blocks]) - (2 + 10 / 2)) < 0.3
    assert train.awake(generator, train.PHASES[-1]) is None


def test_training_can_begin_from_a_packed_model(tmp_path: Path, tokens: Tokens) -> None:
    """The network says of a picture what the packed one says of it."""
    first = train.start(train.Recipe(1), len(tokens.ids), "cpu")
    torch.save({"averaged": first.averaged.state_dict()}, tmp_path / "last.pt")
    pack.pack([tmp_path / "last.pt"], tmp_path / "out", seen=4)
    second = train.start(train.Recipe(1, seed=1), len(tokens.ids), "cpu")
    images = torch.randn(2, 3, 192, 192)
    with torch.no_grad():
        told = model.encode_images(first.averaged, images)
        other = model.encode_images(second.net, images)
        train.take_over(second, tmp_path / "out")
        again = model.encode_images(second.net, images)
    for one, different, same in zip(told, other, again, strict=True):
        assert torch.allclose(one, same, atol=0.01), "float16"
        assert not torch.allclose(one, different, atol=0.1)


def test_whitening_queries_changes_no_output(tokens: Tokens) -> None:
    """Every direction of a head's queries is as long as every other, and the network says the same.

    The keys of a trained network are not its queries: here they are made to differ.
    """
    torch.manual_seed(1)
    net = train.start(train.Recipe(1), len(tokens.ids), "cpu").averaged
    last = net.visual.transformer.resblocks[-1]
    torch.nn.init.orthogonal_(last.attn.in_proj_weight, 2.0)
    torch.nn.init.normal_(last.attn.in_proj_bias)
    images = torch.randn(2, 3, 192, 192)
    with torch.no_grad():
        before = net.encode_image(images)
        queries = pack.patch_queries(net, 4)
        pack.change_queries(last, pack.whitening(queries, 1.5))
        after = net.encode_image(images)
        white = pack.patch_queries(net, 4)
    assert torch.allclose(before, after, atol=1e-4 * before.abs().max().item())
    moment = torch.einsum("nhi,nhj->hij", white, white) / len(white)
    eye = 1.5**2 * torch.eye(moment.shape[-1]).expand_as(moment)
    assert (moment - eye).abs().max() < 0.05


def tiny_phases(until: float) -> tuple[train.Phase, ...]:
    return (
        train.Phase(until, (SMALL,), (0, 11), table=True),
        train.Phase(1.0, (SMALL,)),
    )


@pytest.mark.long
def test_a_run_can_be_interrupted_and_packed(tmp_path: Path, tokens: Tokens) -> None:
    phases = tiny_phases(0.5)
    run = None
    for more in (0.2, 0.3):
        minutes = run.seconds / 60 + more if run else more
        run = train.train(
            train.Recipe(minutes), tmp_path, run is not None, phases=phases, validate_every=1e9
        )
    assert run.step >= 2, "each of the two stretches took a step"
    losses_seen, checks = curves.read(tmp_path / "log.jsonl")
    assert checks or not losses_seen, "a check before any losses has no place on the curves"
    pack.pack([tmp_path / "last.pt"], tmp_path / "out")
    import gclip_core

    loaded = gclip_core.load_backbone("built-in", weights=tmp_path / "out" / "model.safetensors")
    ours = gclip_core.Segmenter(loaded, templates=("a photo of a {}.",)).embed_words(["cat"])
    rows = torch.from_numpy(tokens.encode(["a photo of a cat."]))
    with torch.no_grad():
        theirs = model.encode_text(run.averaged, rows)
    assert torch.allclose(ours, theirs, atol=0.01), "float16 and the scattered table"


def _train_together(rank: int, folder: Path, meeting: Path) -> None:
    """One of two processes: a few steps, and then its weights, written under its rank."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    run = train.train(
        train.Recipe(0.1), folder, phases=(train.Phase(1.0, (SMALL,)),), validate_every=1e9
    )
    torch.save(run.state(), folder / f"rank-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.long
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """Each on scenes of its own, they count each other's, stay alike, and one of them writes."""
    mp.spawn(_train_together, args=(tmp_path, tmp_path / "meeting"), nprocs=2)
    one, other = (torch.load(tmp_path / f"rank-{r}.pt", weights_only=True) for r in (0, 1))
    assert one["step"] == other["step"] >= 1
    assert one["scenes"] == other["scenes"] == 2 * SMALL.batch * one["step"]
    assert all(torch.equal(value, other["net"][name]) for name, value in one["net"].items())
    log = (tmp_path / "log.jsonl").read_text().splitlines()
    assert sum("seen mIoU" in line for line in log) == 1, "checked once, by one of the two"


@pytest.mark.long
def test_two_minutes_of_training_learn(tmp_path: Path) -> None:
    """The loss falls by a third; backgrounds, the easy words, are nearly all told apart.

    Chance is one in 13 for a background; things take longer than two minutes.
    """
    kind = Kind(32, 64, (1.0,), ((27, 37),))
    run = train.train(
        train.Recipe(2.0),
        tmp_path,
        phases=(train.Phase(1.0, (kind,), (0, 3, 7, 11), table=True),),
        validate_every=1e9,
    )
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    seen = [e["loss"] for e in entries if "loss" in e]
    assert seen[-1] < 0.67 * seen[0]
    made = [scenes.compose(7_000_000 + i, (32, 32), "seen", things=1) for i in range(100)]
    pixels = torch.from_numpy(np.stack([np.asarray(s.image) for s in made]))
    count = len(scenes.things())
    with torch.no_grad():
        pooled, _ = model.encode_images(run.averaged, model.normalise(pixels), (4, 4))
        best = (pooled @ F.normalize(run.table, dim=-1)[count:].T).argmax(1).tolist()
    names = [b.name for b in scenes.backgrounds()]
    right = [names[b] in s.backgrounds for b, s in zip(best, made, strict=True)]
    assert np.mean(right) > 0.4
