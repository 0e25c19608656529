"""The notebook runs from top to bottom and draws its pictures."""

import pytest

from tests import ROOT


@pytest.mark.long
def test_every_cell_runs() -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "notebooks" / "gclip.ipynb", as_version=4)
    client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) == 3
    assert any("xylophone" in str(out.get("data", {})) for out in outputs)
