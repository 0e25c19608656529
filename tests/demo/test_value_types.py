"""The types of ``demo/widgets/values.d.ts`` have the names of the fields that Python sends."""

import re
from typing import Any

import numpy as np

from demo import around, page
from demo.tabs import compare, machine, why
from demo.widgets import EVENTS, values
from gclip_core.types import GlobalTokens
from tests import ROOT
from tests.demo.samples import around_content, export_tab, table
from tests.demo.test_machine import numbers

DECLARED = (ROOT / "demo" / "widgets" / "values.d.ts").read_text("utf-8")
INTERFACE = re.compile(r"^export interface (\w+)(?: extends (\w+))? \{\n(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^  (\w+)(\??): ", re.M)
SHOWN = {"picture": "name", "size": (30, 50), "grid": (3, 5), "pooled": 1}
ROW = np.ones(15)
CURVE = values.entropy_curve(np.ones(12), np.ones(12))


def fields(name: str) -> set[str]:
    """Fields that a value of this type always has."""
    declared = {found[1]: (found[2], found[3]) for found in INTERFACE.finditer(DECLARED)}
    parent, body = declared[name]
    own = {field for field, optional in FIELD.findall(body) if not optional}
    return own | (fields(parent) if parent else set())


def sent() -> dict[str, dict[str, Any]]:
    side = values.Side("GCLIP", np.zeros((30, 50), int), [1.0, 0.0])
    bars = values.SwitchBars("mIoU", [values.SwitchBar("AMF on", 0.5, "50 %", True)])
    canvas = values.canvas_value(SHOWN, [side], ["dog"], bars=bars)
    maps = values.maps_value(SHOWN, [("Block 6", ROW, (1,))], [("without", "name")])
    attention = values.attention_value(SHOWN, [values.Map("a", "name", (), ROW)])
    seen = GlobalTokens((1.0,), ((),), (0.5,), 5.0)
    blocks = values.blocks_value(SHOWN, ROW[None], seen, (), 0)
    norms = values.norms_value(values.Norms(np.ones(8), np.ones(8), 0, 12, "m", cs=True), [CURVE])
    offers = values.offers([("text", [{"label": "a"}])])
    methods = compare.view(table())["table"]
    scores = why.Scores("GCLIP", [0.7, 0.2], 0, True)
    explained = why.view(why.WhyContent((2, 3), (0, 0), ["dog", "cat"], [scores], ""))
    drawn = machine.view(numbers())
    card = values.card("title", bars=[values.Bar("dog", 0.5, "#fff", "50 %")])
    return {
        "CanvasValue": canvas,
        "Side": canvas["sides"][0],
        "SwitchBars": canvas["bars"],
        "SwitchBar": canvas["bars"]["entries"][0],
        "ClassShown": canvas["classes"][0],
        "MapsValue": maps,
        "Thumb": maps["thumbs"][0],
        "MatrixSide": maps["sides"][0],
        "AttentionValue": attention,
        "AttentionMap": attention["maps"][0],
        "BlocksValue": blocks,
        "BlockShown": blocks["blocks"][0],
        "NormsValue": norms,
        "Curve": CURVE,
        "CardValue": card,
        "Bar": card["bars"][0],
        "LinesValue": values.lines(),
        "Outcome": page.outcome_view("side", page.Outcome("fresh")),
        "OffersValue": offers,
        "ShareValue": values.share(),
        "FiguresValue": values.figures(export_tab().files, "dog"),
        "Choice": offers["rows"][0]["choices"][0],
        "PhotoValue": around.view(around_content())["photo"],
        "WhyValue": explained,
        "Ranked": explained["variants"][0]["entries"][0],
        "MethodsValue": methods,
        "Score": methods["rows"][0]["scores"][0],
        "MachineValue": drawn,
        "MachineBlock": drawn["blocks"][0],
        "MachineWord": drawn["words"][0],
        "MachinePart": drawn["parts"]["blocks"],
    }


def test_a_value_has_the_fields_of_its_type() -> None:
    for name, value in sent().items():
        assert set(value) == fields(name), name


def test_the_names_of_events_are_those_of_the_table() -> None:
    (union,) = re.findall(r"^export type EventName =(.*?);$", DECLARED, re.M | re.S)
    assert set(re.findall(r'"(\w+)"', union)) == set(EVENTS)
