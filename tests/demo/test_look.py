"""A look: every answer depends on its own request only, and what is kept is bounded."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

import gclip_core as gclip
from demo import inputs, variants, wording
from demo.look import MOST_OF_A_BYTE, Request, Studio, changed_share
from demo.settings import Settings
from demo.source import layout, mask_colours
from demo.tabs import attention, channels, common, compare, export, side, why
from demo.widgets.held import Held
from evaluation.photos import star_photos
from gclip_core import GclipError, amf
from gclip_core.cache import BoundedCache
from gclip_core.registry import BUILT_IN
from gclip_core.types import class_shares
from gclip_core.vocabulary import parse, unknown_phrases
from tests.pictures import noise

SEED = 2
PLANTED = {"plant": True, "plant_channel": 77, "plant_gain": 100.0}


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


@pytest.fixture(scope="module")
def words(studio: Studio) -> str:
    return studio.sources.picture(Settings(seed=SEED)).words


def see(studio: Studio, asked: Request) -> side.SideView:
    return side.see(studio.look(asked))


def request(words: str, **changes: object) -> Request:
    return Request(Settings(seed=SEED, words=words, **changes))


def test_side_by_side_is_the_librarys_own_segmentation(studio: Studio, words: str) -> None:
    view = see(studio, request(words))
    seg = gclip.Segmenter(studio.default)
    method = gclip.gclip(amf_blocks="backbone", cs_blocks="backbone")
    image = studio.sources.picture(Settings(seed=SEED)).image
    own = seg.segment(image, words, method, rest="background").labels.numpy()
    clearclip = gclip.METHODS["clearclip"]
    plain = seg.segment(image, words, clearclip, rest="background").labels.numpy()
    assert np.array_equal(view.chosen.labels, own)
    assert np.array_equal(view.plain.labels, plain)
    assert changed_share(plain, own) == pytest.approx((own != plain).mean())


@pytest.mark.parametrize("name", ["coffee", "jockey"])
def test_a_star_photo_is_measured_against_its_own_mask(studio: Studio, name: str) -> None:
    photo = star_photos()[name]
    view = see(studio, Request(Settings(source="example", example=name, words=photo.text)))
    labels = view.chosen.labels
    for index in range(len(photo.words)):
        here, found = photo.labels() == index, (labels == index) & (photo.labels() >= 0)
        iou = (here & found).sum() / (here | found).sum()
        assert view.chosen.iou[index] == pytest.approx(iou)


def test_amf_changes_the_last_blocks_matrix_but_not_the_maps_it_reads(
    studio: Studio, words: str
) -> None:
    views = [see(studio, request(words, amf=amf, cs=False)) for amf in (True, False)]
    look = studio.look(request(words))
    on, off = (common.last_matrix(look, view.chosen.method)[0] for view in views)
    assert not np.allclose(on, off)
    assert not views[0].is_plain and views[1].is_plain
    for one, other in zip(*(view.blocks for view in views), strict=True):
        assert one.block == other.block
        assert np.array_equal(one.received, other.received)


def test_a_matrix_of_many_patches_is_averaged_over_squares_of_the_grid(studio: Studio) -> None:
    look = studio.look(Request(Settings(seed=SEED, words="cat, grass", short_side=256)))
    height, width = look.grid
    square = common.pooled(look.grid)
    assert square == 2, "the fewest that make at most 768 of 32 × 43 patches"
    matrix, patches = common.last_matrix(look, look.chosen)
    assert patches == height * width
    assert len(matrix) == -(-height // square) * -(-width // square) <= common.MAX_PATCHES
    whole = amf.patch_attention(look.segmenter.last_attention(look.trunk(look.chosen), look.chosen))
    corner = whole.numpy().reshape(height, width, height, width)[:2, :2, 2:4, :2]
    assert matrix[0, -(-width // square)] == pytest.approx(corner.mean(), rel=1e-4)


def test_cs_changes_mask_only_where_a_channel_is_abnormal_and_norms_stay_in_view(
    studio: Studio, words: str
) -> None:
    healthy = see(studio, request(words, amf=False))
    assert not healthy.found.suppressed
    assert "no abnormal channel" in healthy.found.cs_reason
    on, off = (see(studio, request(words, amf=False, cs=cs, **PLANTED)) for cs in (True, False))
    assert on.found.suppressed and not off.found.suppressed
    assert not np.array_equal(on.chosen.labels, off.chosen.labels)
    assert on.norms.block == off.norms.block == 6, "a switch does not move the plot"
    assert np.array_equal(on.norms.after, off.norms.after)
    assert not np.array_equal(on.norms.after, on.norms.before)


def test_the_truth_is_one_more_mask_in_the_visitor_s_words(studio: Studio, words: str) -> None:
    look = studio.look(request(words, left="truth"))
    view = compare.see(look)
    assert view.truth is not None and view.truth.title == "Truth"
    assert sum(view.truth.areas) == pytest.approx((view.truth.labels >= 0).mean())
    assert compare.pair(look, view)[0] is view.truth
    unknown = studio.look(Request(Settings(seed=SEED, words="volcano", left="truth")))
    assert compare.see(unknown).truth is None
    assert compare.pair(unknown, compare.see(unknown))[0].title == "ClearCLIP"
    for row, (name, ious) in enumerate(view.iou):
        assert ious == tuple(mask.iou[row] for mask in view.masks.values()), name


def test_compare_takes_one_pass_through_the_tower(words: str) -> None:
    passes = []

    def encode(segmenter: gclip.Segmenter, image: Image.Image) -> gclip.Encoded:
        passes.append(1)
        return segmenter.encode(image)

    view = compare.see(Studio(encode=encode).look(request(words)), tuple(variants.VARIANTS))
    assert len(passes) == 1
    assert [m.title for m in view.masks.values()] == [v.title for v in variants.VARIANTS.values()]
    assert all(m.miou is not None and 0 <= m.miou <= 1 for m in view.masks.values())
    assert all(
        sum(m.areas) + (m.labels < 0).mean() == pytest.approx(1) for m in view.masks.values()
    )


def test_the_trunk_cache_stays_under_its_limit(words: str) -> None:
    studio = Studio()
    studio.encoded.limit = 1_500_000
    for seed in range(6):
        side.see(studio.look(Request(Settings(seed=seed, words=words, **PLANTED))))
    assert studio.encoded.size <= 1_500_000


def test_visitors_at_the_same_time_get_their_own_answers(studio: Studio, words: str) -> None:
    asked = [
        request(words, amf=amf, cs=cs, plant=plant)
        for amf in (True, False)
        for cs in (True, False)
        for plant in (True, False)
    ]
    alone = [see(Studio(studio.default), one).chosen.labels for one in asked]
    together: dict[int, np.ndarray] = {}
    shared = Studio(studio.default)

    def visit(place: int) -> None:
        together[place] = see(shared, asked[place]).chosen.labels

    threads = [threading.Thread(target=visit, args=(place,)) for place in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, labels in enumerate(alone):
        assert np.array_equal(together[place], labels)


def test_attention_shows_the_matrix_that_the_method_uses(studio: Studio, words: str) -> None:
    view = attention.see(studio.look(request(words)))
    seg = gclip.Segmenter(studio.default)
    trunk = seg.encode(studio.sources.picture(Settings(seed=SEED)).image)
    used = seg.last_attention(trunk, gclip.gclip(cs=False, amf_blocks="backbone"))
    assert np.allclose(view.used_fused, used[1:, 1:].numpy(), atol=1e-6)
    assert view.block == view.fusion.blocks[0]


def test_explain_names_the_class_that_the_mask_shows(studio: Studio, words: str) -> None:
    row, column = 150, 200
    shown = see(studio, request(words)).chosen
    explained = why.see(studio.look(request(words)), (row, column), ("amf_cs",))[0]
    assert explained.top[0][0] == shown.names[shown.labels[row, column]]


def test_in_in_is_above_in_out_where_regions_are_things(studio: Studio, words: str) -> None:
    view = channels.see(studio.look(request(words)))
    assert view.regions == "the truth"
    assert all(inside > across for inside, across in view.alike.values())


def test_an_own_mask_counts_only_classes_that_are_named(
    studio: Studio, words: str, tmp_path: Path
) -> None:
    scene = studio.sources.picture(Settings(seed=SEED))
    path = tmp_path / "mask.png"
    mask = Image.fromarray(scene.truth.labels.astype(np.uint8))
    mask.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    mask.save(path)
    assert [c.colour for c in mask_colours(str(path))] == ["#ff0000", "#00ff00", "#0000ff"]
    names = words.split(", ")
    known = compare.see(studio.look(request(words)))
    own = compare.see(
        studio.look(Request(request(words).settings, "", str(path), tuple(enumerate(names))))
    )
    assert own.iou == known.iou
    one = Request(request(words).settings, "", str(path), ((0, names[0]),))
    assert [name for name, _ in compare.see(studio.look(one)).iou] == [names[0]]


def test_a_mask_of_another_size_is_refused_in_words(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.new("L", (8, 8)).save(path)
    asked = Request(Settings(seed=SEED, words="cat"), "", str(path), ((0, "cat"),))
    with pytest.raises(GclipError, match="size"):
        compare.see(studio.look(asked))


def test_a_backbone_that_is_not_here_is_never_fetched_by_asking(studio: Studio) -> None:
    with pytest.raises(GclipError, match="not on this machine"):
        side.see(studio.look(request("cat", backbone="metaclip-vit-l-14")))
    closed = Studio(studio.default, downloads=False)
    with pytest.raises(GclipError, match="switched off"):
        closed.fetch("metaclip-vit-l-14")


@pytest.mark.parametrize("changes", [{}, {"cs": False, "amf_blocks": (2, 3)}, PLANTED])
def test_copy_as_python_makes_the_same_labels(
    studio: Studio, words: str, changes: dict[str, object]
) -> None:
    asked = request(words, **changes)
    look = studio.look(asked)
    view = export.see(look)
    names: dict[str, object] = {}
    exec(compile(view.python, "again.py", "exec"), names)
    assert np.array_equal(names["labels"].numpy(), view.mask.labels)


def test_the_built_in_model_that_fits_the_picture_answers(studio: Studio) -> None:
    drawing = layout(Settings(seed=SEED)).to_json()
    for settings, title in (
        (Settings(seed=SEED), "Built-in (emoji scenes)"),
        (Settings(source="drawing", drawing=drawing), "Built-in (emoji scenes)"),
        (Settings(source="example", example="coffee"), "Built-in (photos)"),
        (
            Settings(source="example", example="coffee", backbone="built-in"),
            "Built-in (emoji scenes)",
        ),
    ):
        assert studio.segmenter(settings).backbone.title == title


def test_the_notice_is_about_the_model_that_answers(studio: Studio) -> None:
    for name, said in ((BUILT_IN, "is a small student"),):
        notice = inputs.notice(studio, name)
        assert said in notice
        assert "OpenAI ViT-B/16" in notice, "what is better, and how to get it"
    assert inputs.notice(studio, "openai-vit-b-16") == ""


def test_the_photo_model_knows_the_words_of_an_everyday_photo(studio: Studio) -> None:
    words = parse(inputs._presets()[wording.PRESET_PHOTO])
    assert len(words) >= 15
    assert unknown_phrases(studio.backbone(BUILT_IN), words) == ()


def test_light_is_a_switch_over_what_is_kept() -> None:
    studio = Studio()
    asked = Settings(seed=1, words="cat, dog")
    assert not studio.is_light(Request(asked))
    look = studio.look(Request(asked))
    look.segment(look.chosen)
    for switch in ({}, {"amf": False}, {"cs": False}, {"tab": "compare"}, {"logit_scale": 20.0}):
        assert studio.is_light(Request(asked.changed(**switch)))
    for work in (
        {"seed": 2}, {"words": "cow"}, {"window": 224}, {"short_side": 448}, {"templates": "plain"},
        {"source": "upload"}, {"backbone": "openai-vit-b-16"},
    ):  # fmt: skip
        assert not studio.is_light(Request(asked.changed(**work))), work


def test_a_picture_too_large_to_be_kept_is_opened_once_for_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its canvas then fetches is made of it while it is open; a small one is asked for."""
    held = Held()
    monkeypatch.setattr(common, "STORE", held)
    web = TestClient(Starlette(routes=[held.route()]))
    studio, opened = Studio(), []
    monkeypatch.setattr(studio.sources, "_pictures", BoundedCache(1, lambda picture: 2))
    upload = studio.sources._upload
    monkeypatch.setattr(
        studio.sources, "_upload", lambda *given: opened.append(given) or upload(*given)
    )
    for size, expected in (((2500, 1700), 1), ((250, 170), 2)):
        path = tmp_path / f"{size[0]}.png"
        noise(170, 250).resize(size).save(path)
        opened.clear()
        look = studio.look(Request(Settings(source="upload", words="cat"), upload=str(path)))
        body = web.get(f"/held/{common.picture(look).name}").content
        assert len(opened) == expected
        with Image.open(io.BytesIO(body)) as shown:
            assert max(shown.size) == min(768, size[0])


def test_what_is_kept_of_a_mask_has_a_byte_a_pixel_and_counts_alike() -> None:
    look = Studio().look(Request(Settings(seed=3, words="cat, grass")))
    mask = look.mask(look.chosen)
    assert mask.labels.dtype == np.int8
    whole = torch.from_numpy(mask.labels.astype(np.int16))
    assert class_shares(whole, 2)[:-1] == mask.areas
    last = torch.full((2, 3), MOST_OF_A_BYTE - 1, dtype=torch.int8)
    assert class_shares(last, MOST_OF_A_BYTE) == (*[0.0] * (MOST_OF_A_BYTE - 1), 1.0, 0.0)
