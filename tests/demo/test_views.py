"""What the cards show of a value made by hand: views of tabs need no model, engine or cache."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from demo.engine import Mask
from demo.host.blob_store import Blob, Later
from demo.tabs import attention, common, side
from demo.widgets.values import Json, Side
from gclip_core import methods, vocabulary
from gclip_core.types import (
    FusionReason,
    FusionReport,
    GlobalTokens,
    Method,
    MethodReport,
    Segmentation,
    SuppressionReason,
)

GRID, SIZE, N, BLOCKS = (2, 3), (4, 6), 6, 4
WORDS = vocabulary.parse("cat, sofa")
PICTURE: Json = {"picture": "p", "size": SIZE, "grid": GRID, "pooled": 1}
CLEARCLIP, AMF, BOTH = methods.gclip(False, False), methods.gclip(cs=False), methods.gclip()


def blob(name: str) -> Later:
    return Later(name, lambda: Blob(b""))


def report(blocks: tuple[int, ...] = (1, 2), suppressed: tuple[int, ...] = ()) -> MethodReport:
    """Four blocks of three channels; channel 2 has norm 8 where CS scales it to 1."""
    norms = torch.ones(BLOCKS, 3)
    norms[list(suppressed), 2] = 8
    after = norms.clone()
    after[list(suppressed), 2] = 1
    return MethodReport(
        fusion=FusionReport(blocks, FusionReason.BY_HAND),
        cs_reason=SuppressionReason.ABNORMAL if suppressed else SuppressionReason.NONE_ABNORMAL,
        channels=(2,) * BLOCKS,
        ratios=tuple(norms[:, 2].tolist()),
        abnormal=suppressed,
        suppressed=suppressed,
        norms_before=norms,
        norms_after=after,
        entropy=torch.ones(BLOCKS),
        entropy_after=torch.ones(BLOCKS),
    )


def mask(method: Method, labels: Any, miou: float | None = None) -> Mask:
    """A mask of two words."""
    labels = np.broadcast_to(np.asarray(labels, np.int16), SIZE)
    rest, cat, sofa = (float((labels == index).mean()) for index in (-1, 0, 1))
    result = Segmentation(
        labels=torch.from_numpy(labels.copy()),
        logits=torch.zeros(2, *GRID),
        vocabulary=WORDS,
        method=method,
        report=report(),
        owner=(0, 1),
        hidden=(),
        unknown=(),
        notes=(),
        resized=SIZE,
        threshold=0.0,
        _scores=lambda: torch.full((2, *SIZE), 0.5),
    )
    return Mask(
        title=method.title,
        method=method,
        labels=labels,
        names=WORDS.names,
        class_shares=(cat, sofa),
        rest_share=rest,
        iou={},
        miou=miou,
        absent=(),
        result=result,
        seconds=0.1,
    )


def of(mask: Mask, title: str) -> Side:
    """A mask as a side of a canvas."""
    return Side(title, mask.labels, (*mask.class_shares, mask.rest_share))


def masks(before: Mask, after: Mask, **changes: Any) -> side.Masks:
    pair = [of(before, "Off"), of(after, "On")]
    is_same = bool((before.labels == after.labels).all())
    plain = side.Masks(
        sides=pair[1:] if is_same else pair,
        cutouts={0: blob("cat")},
        before=before,
        after=after,
        method=after.method,
        report=report(),
        compared=side.Compared(before.method, ("Without AMF", "With AMF"), "AMF"),
        is_same=is_same,
        change=None,
        gain=None,
        repair={},
        guessed=False,
        unmeasured="",
        overtaken=(),
        background=False,
        refined="none",
        simulated="",
        opacity=0.5,
        pixel=(1, 2),
    )
    return replace(plain, **changes)


def norms(block: int = 2, cs: bool = True, suppressed: tuple[int, ...] = (2,)) -> common.Norms:
    return common.Norms(report((), suppressed), block, cs, "Tiny", 2.0, simulated=False)


def looks(method: Method, before: str, after: str | None) -> side.Attention:
    return side.Attention(
        method=method,
        report=report(),
        compared=side.Compared(CLEARCLIP, ("Without AMF", "With AMF"), "AMF"),
        blocks=(1, 2),
        received=np.array([[1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 6]], np.float32),
        tokens=[(), (5,)],
        before=blob(before),
        after=blob(after) if after else None,
    )


def shown(value: side.Masks, attended: side.Attention | None = None) -> Json:
    attended = attended or looks(AMF, "plain", "fused")
    return side.view(side.Value(PICTURE, value, attended, norms(), None))


def test_a_canvas_has_both_masks_the_change_and_the_measured_sentence() -> None:
    canvas = shown(masks(mask(CLEARCLIP, 0, 0.5), mask(AMF, [0, 0, 0, 0, 0, 1], 0.6)))["canvas"]
    assert [one["title"] for one in canvas["sides"]] == ["Off", "On"]
    assert canvas["changed"] == 1 / 6
    assert canvas["notes"][0] == "AMF lifts this mask from 50.0 % to 60.0 % mIoU."
    assert [entry["cutout"] for entry in canvas["classes"]] == [blob("cat"), ""]
    assert (canvas["opacity"], canvas["pixel"], canvas["rest"]) == (0.5, (1, 2), [0.0, 0.0])


def test_one_mask_is_shown_where_nothing_changes_and_a_note_says_so() -> None:
    canvas = shown(masks(mask(CLEARCLIP, 0), mask(AMF, 0)))["canvas"]
    assert len(canvas["sides"]) == 1 and canvas["changed"] is None
    assert "Not one pixel changes." in canvas["notes"]


def test_a_score_names_the_edges_only_where_they_follow_the_photo() -> None:
    pair = mask(CLEARCLIP, 0, 0.5), mask(AMF, 1, 0.6)
    plain, refined = (shown(masks(*pair, refined=name))["canvas"] for name in ("none", "guided"))
    assert not any("edges follow" in note for note in plain["notes"])
    assert any("edges follow" in note for note in refined["notes"])


def test_a_repair_has_a_bar_for_each_pair_of_switches_and_marks_the_chosen_one() -> None:
    repair = {(False, False): 0.2, (True, False): 0.3, (False, True): 0.5, (True, True): 0.6}
    bars = shown(masks(mask(CLEARCLIP, 0), mask(BOTH, 1), repair=repair))["canvas"]["bars"]
    assert [bar["share"] for bar in bars] == [0.2, 0.3, 0.5, 0.6]
    assert [bar["text"] for bar in bars if bar["now"]] == ["60.0 %"]


def test_an_attention_card_has_a_map_a_block_and_the_last_matrix_of_each_side() -> None:
    card = shown(masks(mask(CLEARCLIP, 0), mask(AMF, 1)))["attention"]
    assert [thumb["title"] for thumb in card["thumbs"]] == ["Block 2 of 4", "Block 3 of 4"]
    assert [thumb["tokens"] for thumb in card["thumbs"]] == [[], [5]]
    titles = [(one["title"], one["matrix"].name) for one in card["sides"]]
    assert titles == [("Block 4, without AMF", "plain"), ("Block 4, with AMF", "fused")]


def test_equal_matrices_are_shown_once() -> None:
    alone = looks(CLEARCLIP, "plain", None)
    card = shown(masks(mask(CLEARCLIP, 0), mask(CLEARCLIP, 0)), alone)["attention"]
    assert [(one["title"], one["matrix"].name) for one in card["sides"]] == [("Block 4", "plain")]


def test_norms_have_the_channel_that_cs_moves_and_the_block_s_number() -> None:
    value = masks(mask(CLEARCLIP, 0), mask(BOTH, 1))
    card = shown(value)["norms"]
    assert (card["title"], card["block"]) == ("block 3 of 4 · Tiny", 3)
    assert (card["top"], card["moved"], card["abnormal"]) == (2, [[2, 1.0]], [3])
    assert "CS scales the norm of channel 2 in block 3 from 8 to 1" in card["note"]
    off = common.norms_view(norms(cs=False), "", card["curves"])
    assert off["badge"] == "CS off" and off["moved"] == card["moved"], "what CS would do is shown"


def test_the_attention_tab_has_the_block_s_own_map_and_the_last_one_on_both_sides() -> None:
    uniform = np.full(N, 1 / N, np.float32)
    made = [attention.Matrix(blob(name), uniform) for name in ("own", "off", "on")]
    tokens = GlobalTokens((1.0, 1.0, 6.0, 1.0), ((), (), (5,), ()), (float("nan"),) * 4, 5.0)
    value = attention.Value(
        picture=PICTURE,
        report=report(),
        received=np.ones((BLOCKS, N), np.float32),
        tokens=tokens,
        block=1,
        head=None,
        n_heads=2,
        own=made[0],
        off=made[1],
        on=made[2],
        method=AMF,
        mixes="",
        known=(),
        patch=(1, 2),
        simulated="",
    )
    view = attention.view(value)
    assert [block["fused"] for block in view["strip"]["blocks"]] == [False, True, True, False]
    assert view["strip"]["chosen"] == 2
    titles = [one["title"] for one in view["maps"]["maps"]]
    assert titles == ["Block 2 of 4", "Block 4, AMF off", "Block 4, AMF on"]
    assert [one["tokens"] for one in view["maps"]["maps"]] == [[], [5], [5]]
    assert "no global token" in view["maps"]["maps"][0]["note"]
    assert view["maps"]["patch"] == [1, 2]
