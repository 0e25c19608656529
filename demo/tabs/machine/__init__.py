"""The machine: one request from picture to mask in one linked diagram, every number of it.

:mod:`numbers` computes them, :mod:`drawing` makes what the browser draws, with :mod:`words` at its
parts and the arrays of :mod:`arrays`.
"""

from demo import widgets
from demo.controls import QUIET, Controls, Tab, block_chosen, in_browser
from demo.tabs.machine.drawing import view
from demo.tabs.machine.numbers import MachineContent, compute

__all__ = ["MachineContent", "build", "compute", "view"]

SWITCHES = ("method", "amf", "cs", "plant")
"""What a switch on the machine flips, in its order; AMF and CS are GCLIP's."""


def build(controls: Controls) -> Tab:
    """A button that opens the machine full screen; what it shows is computed then."""
    opened = controls["machine"]
    machine = widgets.machine(elem_id="machine")
    # A fault of its own ends with it: no other part would show that it is still there.
    closed = in_browser("() => ['0', false]", outputs=[opened, controls["plant"]])
    flipped = [controls[name] for name in SWITCHES]
    flip = in_browser("(...on) => gclip.page.flip(...on)", flipped, flipped)
    changes = [
        widgets.on(machine, "openMachine")(**in_browser("() => '1'", outputs=opened)),
        machine.select(block_chosen, None, controls["view_block"], **QUIET),
        widgets.on(machine, "flip")(**flip),
        widgets.on(machine, "closeMachine")(**closed),
    ]
    return Tab({"machine": machine}, changes)
