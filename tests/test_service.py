"""The service: every answer depends on its own request only, and what is kept is bounded."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gclip_core as gclip
from demo import variants
from demo.service import Request, Service
from demo.settings import Settings
from demo.source import mask_colours
from demo.views import export
from gclip_core import GclipError
from gclip_core.photos import star_photos

SEED = 2
PLANTED = {"plant": True, "plant_channel": 77, "plant_gain": 100.0}


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


@pytest.fixture(scope="module")
def words(service: Service) -> str:
    return service.sources.picture(Settings(seed=SEED)).words


def request(words: str, **changes: object) -> Request:
    return Request(Settings(seed=SEED, words=words, **changes))


def test_side_by_side_is_the_librarys_own_segmentation(service: Service, words: str) -> None:
    view = service.side(request(words))
    seg = gclip.Segmenter(service.default)
    method = gclip.gclip(amf_blocks="backbone", cs_blocks="backbone")
    own = seg.segment(view.picture.image, words, method).labels.numpy()
    plain = seg.segment(view.picture.image, words, gclip.METHODS["clearclip"]).labels.numpy()
    assert np.array_equal(view.chosen.mask.labels, own)
    assert np.array_equal(view.plain.mask.labels, plain)
    assert view.changed == pytest.approx((own != plain).mean())


@pytest.mark.parametrize("name", ["coffee", "jockey"])
def test_a_star_photo_is_measured_against_its_own_mask(service: Service, name: str) -> None:
    photo = star_photos()[name]
    view = service.side(Request(Settings(source="example", example=name, words=photo.text)))
    labels = view.chosen.mask.labels
    for index in range(len(photo.words)):
        here, found = photo.labels() == index, (labels == index) & (photo.labels() >= 0)
        iou = (here & found).sum() / (here | found).sum()
        assert view.chosen.mask.iou[index] == pytest.approx(iou)


def test_amf_changes_the_last_blocks_matrix_but_not_the_maps_it_reads(
    service: Service, words: str
) -> None:
    on, off = (service.side(request(words, amf=amf, cs=False)).chosen for amf in (True, False))
    assert not np.allclose(on.matrix, off.matrix)
    for one, other in zip(on.maps[:-1], off.maps[:-1], strict=True):
        assert one.block == other.block
        assert np.array_equal(one.received, other.received)


def test_cs_changes_norms_and_mask_only_where_a_channel_is_abnormal(
    service: Service, words: str
) -> None:
    healthy = service.side(request(words, amf=False)).chosen
    assert not healthy.found.suppressed
    assert "no abnormal channel" in healthy.found.cs_reason
    on, off = (
        service.side(request(words, amf=False, cs=cs, **PLANTED)).chosen for cs in (True, False)
    )
    assert on.found.suppressed
    assert not np.array_equal(on.found.norms_after, off.found.norms_after)
    assert not np.array_equal(on.mask.labels, off.mask.labels)


def test_compare_takes_one_pass_through_the_tower(words: str) -> None:
    passes = []

    def encode(segmenter: gclip.Segmenter, image: Image.Image) -> gclip.Encoded:
        passes.append(1)
        return segmenter.encode(image)

    view = Service(encode=encode).compare(request(words), tuple(variants.VARIANTS))
    assert len(passes) == 1
    assert [m.title for m in view.masks] == [v.title for v in variants.VARIANTS.values()]
    assert all(m.miou is not None and 0 <= m.miou <= 1 for m in view.masks)
    assert all(abs(sum(m.areas) - 1) < 1e-6 for m in view.masks)


def test_the_trunk_cache_stays_under_its_limit(words: str) -> None:
    service = Service(trunk_bytes=1_500_000)
    for seed in range(6):
        service.side(Request(Settings(seed=seed, words=words, **PLANTED)))
    assert service.trunks.size <= 1_500_000


def test_visitors_at_the_same_time_get_their_own_answers(service: Service, words: str) -> None:
    asked = [
        request(words, amf=amf, cs=cs, plant=plant)
        for amf in (True, False)
        for cs in (True, False)
        for plant in (True, False)
    ]
    alone = [Service(service.default).side(one).chosen.mask.labels for one in asked]
    together: dict[int, np.ndarray] = {}
    shared = Service(service.default)

    def visit(place: int) -> None:
        together[place] = shared.side(asked[place]).chosen.mask.labels

    threads = [threading.Thread(target=visit, args=(place,)) for place in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, labels in enumerate(alone):
        assert np.array_equal(together[place], labels)


def test_attention_shows_the_matrix_that_the_method_uses(service: Service, words: str) -> None:
    view = service.attention(request(words), block=None, head=None)
    seg = gclip.Segmenter(service.default)
    trunk = seg.encode(view.picture.image)
    used = seg.last_attention(trunk, gclip.gclip(cs=False, amf_blocks="backbone"))
    assert np.allclose(view.used_fused, used[1:, 1:].numpy(), atol=1e-6)
    assert view.block == view.amf_blocks[0]


def test_explain_names_the_class_that_the_mask_shows(service: Service, words: str) -> None:
    row, column = 150, 200
    shown = service.side(request(words)).chosen.mask
    explained = service.explain(request(words), row, column, ("amf_cs",))[0]
    assert explained.top[0][0] == shown.names[shown.labels[row, column]]


def test_in_in_is_above_in_out_where_regions_are_things(service: Service, words: str) -> None:
    view = service.similarity(request(words))
    assert view.regions == "the truth"
    assert all(row.inside > row.across for row in view.rows)


def test_an_own_mask_counts_only_classes_that_are_named(
    service: Service, words: str, tmp_path: Path
) -> None:
    scene = service.sources.picture(Settings(seed=SEED))
    path = tmp_path / "mask.png"
    mask = Image.fromarray(scene.truth.labels.astype(np.uint8))
    mask.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    mask.save(path)
    assert [c.colour for c in mask_colours(str(path))] == ["#ff0000", "#00ff00", "#0000ff"]
    names = words.split(", ")
    known = service.truth(request(words))
    own = Request(request(words).settings, "", str(path), tuple(enumerate(names)))
    assert service.truth(own).miou == known.miou
    one = Request(request(words).settings, "", str(path), ((0, names[0]),))
    assert [name for name, _ in service.truth(one).iou] == [names[0]]


def test_a_mask_of_another_size_is_refused_in_words(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.new("L", (8, 8)).save(path)
    asked = Request(Settings(seed=SEED, words="cat"), "", str(path), ((0, "cat"),))
    with pytest.raises(GclipError, match="size"):
        service.truth(asked)


def test_a_backbone_that_is_not_here_is_never_fetched_by_asking(service: Service) -> None:
    with pytest.raises(GclipError, match="not on this machine"):
        service.side(request("cat", backbone="metaclip-vit-l-14"))
    closed = Service(service.default, downloads=False)
    with pytest.raises(GclipError, match="switched off"):
        closed.fetch("metaclip-vit-l-14")


@pytest.mark.parametrize("changes", [{}, {"cs": False, "amf_blocks": (2, 3)}, PLANTED])
def test_copy_as_python_makes_the_same_labels(
    service: Service, words: str, changes: dict[str, object]
) -> None:
    asked = request(words, **changes)
    view = service.result(asked)
    image = view.picture.image
    text = export.python_text(asked.settings, words, (image.height, image.width), view.n_blocks)
    names: dict[str, object] = {}
    exec(compile(text, "again.py", "exec"), names)
    assert np.array_equal(names["labels"].numpy(), view.mask.labels)
