"""The notebook of the examples, run by a kernel as a person runs it."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent.parent / "examples" / "notebook.ipynb"


def test_the_notebook_runs_in_a_kernel_and_shows_what_it_made(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    shown = [output.data for cell in outputs[:2] for output in cell if output.output_type == "execute_result"]
    assert len(shown) == 2
    assert all("text/html" in data for data in shown)
    progress = [output.data["text/plain"] for output in outputs[1] if output.output_type == "display_data"]
    assert len(progress) == 1
    assert progress[0].startswith("run runs/notebook: 6 of 6 messages")
    assert "as before: True" in "".join(output.get("text", "") for output in outputs[2])
    assert (tmp_path / "runs" / "notebook" / "run.sqlite").is_file()
