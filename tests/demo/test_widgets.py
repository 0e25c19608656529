"""Widgets' values: arrays as the browser reads them, blobs by name, canvas, norms, values."""

import base64
import json
import struct
import zlib

import gradio as gr
import numpy as np
import pytest
import torch

from demo.drawing import render
from demo.host.blob_store import Blob, BlobStore, LazyBlob
from demo.widgets import values
from demo.widgets.blobs import TYPES, Levels, attention_blob, largest, packed
from gclip_core.types import class_shares

GRID, SIZE, N = (3, 5), (90, 150), 15
SHOWN = {"picture": "p", "size": SIZE, "grid": GRID, "pooled": 1}


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.full(N, 0.2), N).astype(np.float32)


def unpacked(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of ``packed``, as the browser reads them: levels as values again."""
    raw = zlib.decompress(data)
    (length,) = struct.unpack_from("<I", raw)
    found, at = {}, 4 + length
    for name, kind, shape, top, steps in json.loads(raw[4:at]):
        size = int(np.prod(shape, dtype=int))
        array = np.frombuffer(raw, TYPES[kind], size, at).reshape(shape)
        at += array.nbytes
        found[name] = top * (array / steps) ** 2 if steps else array
    return found


def read(text: str) -> dict[str, np.ndarray]:
    return unpacked(base64.b64decode(text))


@pytest.mark.parametrize("largest", [0, 255, 256, 65535])
def test_integers_and_floats_travel_exactly(largest: int) -> None:
    whole, floats = np.array([[0, largest]]), np.array([0.1, -7e9], np.float32)
    back = unpacked(packed(whole=whole, floats=floats, none=np.zeros((0, 3))))
    assert (back["whole"] == whole).all() and back["whole"].shape == (1, 2)
    assert (back["floats"] == floats).all()
    assert back["none"].shape == (0, 3)


def test_levels_are_right_to_half_a_step_of_the_square_root() -> None:
    exact = np.random.default_rng(0).random((20, 30)) ** 3
    back = unpacked(packed(x=Levels(exact, 1.0, 31)))["x"]
    assert np.abs(np.sqrt(back) - np.sqrt(exact)).max() <= 0.5 / 31 + 1e-6
    assert unpacked(packed(x=Levels([5.0, -1.0], 1.0)))["x"].tolist() == [1.0, 0.0]


def test_a_blob_is_made_once_under_a_name_that_nobody_can_guess() -> None:
    store, made = BlobStore(), []

    def make() -> Blob:
        made.append(1)
        return Blob(b"x")

    blob = store.lazy(("a", 1), make)
    assert store.lazy(("a", 1), make) == blob != store.lazy(("a", 2), make)
    assert BlobStore().lazy(("a", 1), make) != blob
    assert store.get(blob.name) is None, "only what an answer names can be fetched"
    store.put([blob])
    assert made == []
    assert store.get(blob.name) == store.get(blob.name) == Blob(b"x")
    assert made == [1]
    assert store.get("0" * 32) is None


def test_what_can_be_made_is_bounded_by_the_bytes_of_the_requests_it_keeps() -> None:
    store = BlobStore(named=10_000)
    every = [store.lazy(number, lambda: Blob(b"x"), nbytes=4000) for number in range(5)]
    store.put(every)
    assert [store.get(blob.name) is None for blob in every] == [True] * 4 + [False]


def test_what_a_value_names_can_be_fetched_and_travels_as_its_name() -> None:
    blob = BlobStore().lazy("matrix", lambda: Blob(b"x"))
    named: dict[str, LazyBlob] = {}
    text = values.as_json({"kind": "maps", "sides": [{"matrix": blob}]}, named)
    assert json.loads(text)["sides"] == [{"matrix": blob.name}]
    assert named == {blob.name: blob}
    update = values.as_json(gr.update(visible=True, value={"kind": "card", "of": blob}), named)
    assert json.loads(update["value"])["of"] == blob.name


def test_where_a_patch_looks_most_is_exact(matrix: np.ndarray) -> None:
    back = unpacked(attention_blob(matrix, N).body)
    assert (back["places"][:, 0] == matrix.argmax(1)).all()
    assert np.allclose(back["most"], -np.sort(-matrix, 1)[:, :4] * N)
    top = render.full_scale(matrix * N)
    assert np.abs(np.sqrt(back["times"]) - np.sqrt(np.minimum(matrix * N, top))).max() < 0.1


def test_of_equal_numbers_the_first_is_the_largest() -> None:
    rows = np.random.default_rng(0).integers(0, 4, (50, 30)).astype(np.float32)
    assert (largest(rows, 3) == np.argsort(-rows, axis=1, kind="stable")[:, :3]).all()


@pytest.mark.parametrize("n", [3, 254, 300])
def test_a_canvas_has_every_label_exactly(n: int) -> None:
    labels = np.arange(90 * 150).reshape(SIZE) % (n + 1) - 1
    side = values.Side("a", labels, class_shares(torch.from_numpy(labels), n))
    value = values.canvas_value(SHOWN, [side], [f"w{i}" for i in range(n)])
    assert (read(value["sides"][0]["mask"])["labels"].astype(int) - 1 == labels).all()
    assert value["rest"] == [pytest.approx((labels < 0).mean())]
    assert value["classes"][1]["shares"] == [pytest.approx((labels == 1).mean())]
    json.dumps(value, allow_nan=False)


def test_what_changed_counts_every_pixel_at_full_size() -> None:
    one = np.zeros((900, 1500), int)
    two = one.copy()
    two[0, :135] = 1  # a tenth of one thousandth, lost at the size that travels
    shown = SHOWN | {"size": one.shape}
    sides = [values.Side(title, labels, (0, 0, 0)) for title, labels in (("a", one), ("b", two))]
    value = values.canvas_value(shown, sides, ["x", "y"])
    assert value["changed"] == pytest.approx(135 / one.size)


def test_norms_say_what_cs_would_do_whether_or_not_it_is_on() -> None:
    before, after = np.ones(64), np.ones(64)
    before[9] = 8
    curve = values.entropy_curve(np.linspace(1, 0.9, 12), np.ones(12))
    off, on = (
        values.norms_value(values.Norms(before, after, 6, 12, "m", cs, abnormal=(6,)), [curve])
        for cs in (False, True)
    )
    assert off["moved"] == on["moved"] == [[9, 1.0]]
    assert off["block"] == 7 and off["abnormal"] == [7]


def test_numbers_that_are_none_can_be_sent() -> None:
    nothing = np.full(12, np.nan)
    curves = [values.entropy_curve(nothing, nothing), values.ratio_curve(nothing, [np.inf] * 12, 2)]
    value = values.norms_value(
        values.Norms(np.zeros(64), np.zeros(64), 0, 12, "m", cs=True), curves
    )
    json.dumps(value, allow_nan=False)


def test_the_class_token_s_row_travels(matrix: np.ndarray) -> None:
    with_row = values.Map("a", "name", (), matrix[0])
    row = values.attention_value(SHOWN, [with_row])["maps"][0]["class_row"]
    assert row["best"] == matrix[0].argmax()
    assert np.allclose(read(row["row"])["row"], matrix[0] * N)


def test_a_class_token_s_row_is_averaged_over_squares_and_all_else_counts_patches() -> None:
    shown = SHOWN | {"grid": (5, 6), "pooled": 2}
    value = values.attention_value(shown, [values.Map("a", "name", (0, 29), np.ones(30))], (4, 5))
    assert (value["grid"], value["maps"][0]["tokens"], value["patch"]) == ((5, 6), [0, 29], [4, 5])
