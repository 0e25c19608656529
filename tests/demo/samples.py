"""Values of tabs made by hand: what a view shows needs no model, engine or cache."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from demo.around import AroundContent
from demo.engine import Mask
from demo.host.blob_store import Blob, LazyBlob
from demo.tabs import attention, channels, compare, export, learn, side
from demo.tabs.learn.numbers import REQUEST, STATES, Numbers
from demo.variants import Compared
from demo.widgets.values import Json, Norms, Side
from gclip_core import methods, vocabulary
from gclip_core.types import (
    FusionReason,
    FusionReport,
    GlobalTokens,
    Method,
    MethodReport,
    Segmentation,
    SuppressionReason,
    UnknownPhrase,
    UnknownReason,
)

GRID, SIZE, N, BLOCKS = (2, 3), (4, 6), 6, 4
MATRICES = ("early", "late")
WORDS = vocabulary.parse("cat, sofa")
PICTURE: Json = {"picture": "p", "size": SIZE, "grid": GRID, "pooled": 1}
CLEARCLIP, AMF, BOTH = methods.gclip(False, False), methods.gclip(cs=False), methods.gclip()


def blob(name: str) -> LazyBlob:
    return LazyBlob(name, lambda: Blob(b""))


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
    """A mask of two words; ``miou`` is that of the first."""
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
        iou={} if miou is None else {0: miou},
        miou=miou,
        absent=(),
        missed=(),
        untyped=(),
        result=result,
        nbytes=0,
    )


def of(mask: Mask, title: str) -> Side:
    """A mask as a side of a canvas."""
    return Side(title, mask.labels, (*mask.class_shares, mask.rest_share))


def masks(before: Mask, after: Mask, **changes: Any) -> side.Masks:
    pair = [of(before, "Off"), of(after, "On")]
    is_same = bool((before.labels == after.labels).all())
    value = side.Masks(
        sides=pair[1:] if is_same else pair,
        cutouts={0: blob("cat")},
        before=before,
        after=after,
        compared=Compared(before.method, ("Without AMF", "With AMF"), "AMF"),
        is_same=is_same,
        change=None,
        gain=None,
        repair={},
        is_guessed=False,
        overtaken=(),
        background=False,
        plain=None,
        planted=(),
        opacity=0.5,
        pixel=(1, 2),
    )
    return replace(value, **changes)


CHANNEL_REPORT = report((), suppressed=(2,))
"""Of the blocks of :func:`norms`."""


def norms(cs: bool = True) -> Norms:
    """Block 3 (from 1), whose channel 2 is scaled by CS."""
    before, after = CHANNEL_REPORT.norms_before[2], CHANNEL_REPORT.norms_after[2]
    return Norms(before, after, 2, BLOCKS, "Tiny", cs, CHANNEL_REPORT.abnormal)


def looks(method: Method, before: str, after: str | None) -> side.Attention:
    return side.Attention(
        method=method,
        report=report(),
        compared=Compared(CLEARCLIP, ("Without AMF", "With AMF"), "AMF"),
        blocks=(1, 2),
        received=np.array([[1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 6]], np.float32),
        threshold=5.0,
        tokens=[(), (5,)],
        before=blob(before),
        after=blob(after) if after else None,
    )


def cards(masks: side.Masks, attention: side.Attention) -> side.SideContent:
    return side.SideContent(PICTURE, masks, attention, CHANNEL_REPORT, norms(), None)


def side_by_side(before: Mask, after: Mask, **changes: Any) -> side.SideContent:
    attended = looks(AMF, "plain", "fused")
    return cards(masks(before, after, **changes), attended)


def table(**changes: Any) -> compare.CompareContent:
    """ClearCLIP, GCLIP with a better score, and a method that refuses the picture."""
    clearclip, both = mask(CLEARCLIP, 0, 0.5), mask(BOTH, [0, 0, 0, 1, 1, 1], 0.75)
    rows = [
        compare.Row("clearclip", clearclip.method, clearclip, report(())),
        compare.Row("gclip", both.method, both, report()),
        compare.Row("sfp", methods.METHODS["sfp"], refused="Too many patches came."),
    ]
    truth = Side("Truth", both.labels, (0.5, 0.5, 0.0))
    value = compare.CompareContent(
        picture=PICTURE,
        rows=rows,
        truth=truth,
        unmeasured="",
        caveats=(),
        pair=("clearclip", "truth"),
        sides=[of(clearclip, "ClearCLIP"), truth],
        has_scores=False,
        names=WORDS.names,
        simulated="",
        opacity=0.5,
        pixel=None,
    )
    return replace(value, **changes)


def attention_tab(**changes: Any) -> attention.AttentionContent:
    uniform = np.full(N, 1 / N, np.float32)
    own, off, on = (attention.Matrix(blob(name), uniform) for name in ("own", "off", "on"))
    value = attention.AttentionContent(
        picture=PICTURE,
        gclip=report(),
        received=np.ones((BLOCKS, N), np.float32),
        tokens=GlobalTokens((1.0, 1.0, 6.0, 1.0), ((), (), (5,), ()), (float("nan"),) * 4, 5.0),
        block=1,
        head=None,
        n_heads=2,
        own=own,
        off=off,
        on=on,
        method=AMF,
        mixes="",
        caveats=(),
        patch=(1, 2),
        simulated="",
        names=WORDS.names,
        by_block=blob("by block"),
    )
    return replace(value, **changes)


def channels_tab(**changes: Any) -> channels.ChannelsContent:
    """CS scales channel 2 of block 3 (from 1) and relabels half of the picture."""
    off, on = mask(CLEARCLIP, 0), mask(BOTH, [0, 0, 0, 1, 1, 1])
    value = channels.ChannelsContent(
        picture=PICTURE,
        names=WORDS.names,
        off=of(off, "CS off"),
        on=of(on, "CS on"),
        untouched=None,
        changed=0.5,
        amf=False,
        simulated="",
        gclip=CHANNEL_REPORT,
        norms=norms(),
        channels=(),
        in_in_out=((0.5, 0.25), (0.75, 0.125)),
        regions="the mask shown",
        opacity=0.5,
        pixel=None,
    )
    return replace(value, **changes)


def lesson() -> learn.LessonContent:
    """AMF and CS raise every score, and the fault lowers it."""
    states = ("clearclip", "fault_clearclip", "fault_cs")
    numbers = Numbers(
        miou={name: 0.2 if name.startswith("fault") else 0.5 for name in STATES},
        on_thing={"clip": 0.1, "sclip": 0.5, "amf": 0.6},
        variation={"clearclip": 2.0, "amf": 1.0},
        gained="sofa",
        alike=dict.fromkeys(states, (0.75, 0.25)),
        fused_blocks=(1, 2),
        distance=1.0,
        even=2.0,
        same=0.75,
        spread=("cat", 0.25, 0.5),
        own_tokens=(0,) * BLOCKS,
        abnormal=(),
        fault_blocks=(2,),
        fault_norms=np.array([1, 1, 8], np.float32),
        settings=REQUEST.settings,
    )
    drawn = ("mask", "look", "matrix")
    figures = {(kind, of): blob(f"{kind} {of}") for kind in drawn for of in (*STATES, *MATRICES)}
    pictures = {(kind, ""): blob(kind) for kind in ("photo", "tokens")}
    return learn.LessonContent(numbers, figures | pictures)


def around_content(**changes: Any) -> AroundContent:
    """What an upload changes around the tabs: suggested words, of which one is not known."""
    value = AroundContent(
        picture=blob("photo"),
        title="Your photo",
        is_upload=True,
        words="tram, grass",
        replaced=[UnknownPhrase("tram", UnknownReason.NEVER_MET, "train")],
        unknown=[],
        more_words=["person"],
        method=BOTH,
        cs_changes=False,
        share=blob("share picture"),
    )
    return replace(value, **changes)


def export_tab() -> export.ExportContent:
    """A figure in all its forms, and what else is taken along."""
    files = {name: blob(name) for name in ("preview", "png", "pdf", "picture", "zip")}
    return export.ExportContent(
        title="GCLIP",
        words="cat, sofa",
        files=files,
        link="?amf=0",
        python="code",
        command="",
        simulated="",
    )


SECTIONS = {
    "around": around_content(),
    "side": side_by_side(mask(CLEARCLIP, 0), mask(BOTH, 1)),
    "learn": lesson(),
    "compare": table(),
    "attention": attention_tab(),
    "channels": channels_tab(),
    "export": export_tab(),
}
"""A value of each section of the page."""
