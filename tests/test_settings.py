"""The reader's own settings stay out of the course's figures and sessions, and are kept."""

import inspect
import json
import os
import re
import subprocess
import sys
from hashlib import sha256

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: no window, on any machine

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import notebooks
from adamlib import experiments, figures, moments
from adamlib.problems import narrow_valley
from adamlib.sliders import Slider

PLOTS = [name for name in figures.__all__ if name.startswith("plot_")]
# what people write into a matplotlibrc
OWN_FIGURES = {
    "text.usetex": True,
    "axes.grid": False,
    "axes.xmargin": 0.4,
    "font.family": ["serif"],
    "font.size": 17.0,
    "lines.linewidth": 6.0,
    "lines.marker": "o",
    "image.cmap": "hot",
    "figure.autolayout": True,
    "figure.dpi": 50.0,
    "savefig.bbox": "tight",
}
DEMO = """
from adamlib.figures import plot_losses, png
from adamlib.experiments import run, sgd
from adamlib.problems import narrow_valley
from hashlib import sha256
print(sha256(png(plot_losses([run(narrow_valley(), sgd(0.01), 20)]))[0]).hexdigest())
"""
# what people write into ~/.ipython/profile_default/startup/*.py, and what a fresh kernel prints
OWN_SESSION = """
import numpy as np
np.seterr(all="raise")
np.set_printoptions(precision=3, suppress=True, floatmode="fixed", legacy="1.13", linewidth=20)
import torch
torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=2, sci_mode=True)
torch.set_grad_enabled(False)
torch.set_flush_denormal(True)
"""
OWN_IPYTHON = """
c.InteractiveShell.ast_node_interactivity = "all"
c.PlainTextFormatter.float_precision = "%.2f"
"""
SESSION = (
    "1 / 3\nnp.geterr()",
    "print(np.array([2e-7, 1 / 3]), np.float64(1e-300) ** 2)",
    "print(torch.ones(1) / 3, torch.ones(1).dtype, torch.tensor(1e-39) > 0)\n"
    "print(torch.is_grad_enabled())",
)
FRESH = [
    "{'divide': 'warn', 'over': 'warn', 'under': 'ignore', 'invalid': 'warn'}",
    "[2.00000000e-07 3.33333333e-01] 0.0",
    "tensor([0.3333]) torch.float32 tensor(True)\nTrue",
]


def losses():
    return figures.plot_losses(
        [experiments.run(narrow_valley(), experiments.sgd(0.01), 20, label="SGD")]
    )


def first_map():
    return figures.plot_first_step_map(experiments.first_step_map(np.float32))


def average():
    return figures.plot_average({"m": [moments.ema_weights(0.9, t) for t in range(1, 9)]})


def slider():
    alt = "The loss of the narrow valley, step by step: it falls by the same share at each."
    made = Slider("lr", [1, 2], lambda lr: losses(), alt=alt)
    made.value = 2.0
    return bytes(made.picture)


def picture(draw) -> bytes:
    drawn = draw()
    return drawn if isinstance(drawn, bytes) else figures.png(drawn)[0]


@pytest.mark.parametrize("draw", [losses, first_map, average, slider])
def test_a_figure_has_the_same_bytes_under_settings_of_the_readers_own(draw):
    expected = picture(draw)
    with mpl.rc_context(OWN_FIGURES):
        assert picture(draw) == expected
        kept = {name: mpl.rcParams[name] for name in OWN_FIGURES}
    assert kept == OWN_FIGURES


@pytest.mark.parametrize("name", PLOTS)
def test_every_figure_is_drawn_in_our_style(name):
    plot = getattr(figures, name)
    assert inspect.unwrap(plot) is not plot, "@own_style() is missing"


def digest_of_demo(matplotlibrc: str = "", first: str = "") -> str:
    """What DEMO prints in a process of its own, without a window, after a first line."""
    hidden = ("MPLBACKEND", "DISPLAY", "WAYLAND_DISPLAY")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    process = subprocess.run(
        [sys.executable, "-c", first + DEMO],
        env=variables | {"MATPLOTLIBRC": matplotlibrc},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def plain_digest():
    return digest_of_demo()


# the first opens windows, and has none here; the second asks LaTeX for its pictures
@pytest.mark.parametrize("backend", ["TkAgg", "pgf"])
def test_a_matplotlibrc_and_a_backend_of_the_readers_own(tmp_path, plain_digest, backend):
    lines = [f"{name}: {str(value).strip('[]')}" for name, value in OWN_FIGURES.items()]
    (tmp_path / "matplotlibrc").write_text("\n".join(lines))
    first = f"import matplotlib; matplotlib.use({backend!r})"
    assert digest_of_demo(str(tmp_path), first) == plain_digest
    assert len(plain_digest) == 2 * sha256().digest_size + 1


def printed(cell: nbformat.NotebookNode) -> str:
    texts = [out.text if "text" in out else out.data["text/plain"] for out in cell.outputs]
    return "\n".join(texts).strip()


@pytest.mark.slow
def test_a_session_with_start_up_files_prints_what_a_fresh_one_prints(tmp_path, monkeypatch):
    profile = tmp_path / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "00-mine.py").write_text(OWN_SESSION)
    (profile / "ipython_config.py").write_text(OWN_IPYTHON)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    ours = "from adamlib import use_default_settings\n\nuse_default_settings()"
    cells = [nbformat.v4.new_code_cell(source) for source in (*SESSION, ours, *SESSION)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    before, after = notebook.cells[: len(SESSION)], notebook.cells[-len(SESSION) :]
    assert [printed(cell) for cell in after] == FRESH
    without = {printed(cell) for cell in before if cell.outputs[0].output_type != "error"}
    assert not without & set(FRESH), "the start-up files change what each cell prints"


def test_what_is_put_back_is_what_a_fresh_process_has():
    code = """
        import json, sys, numpy as np
        if sys.argv[1:]: exec(sys.argv[1])
        if sys.argv[2:]:
            from adamlib import use_default_settings
            use_default_settings()
        print(json.dumps([np.get_printoptions(), np.geterr(), np.geterrcall()]))
    """
    code = inspect.cleandoc(code)
    own = "np.seterr(all='call'); np.seterrcall(print); np.set_printoptions(nanstr='?', sign='+')"
    outputs = [
        json.loads(subprocess.check_output([sys.executable, "-c", code, *arguments], text=True))
        for arguments in ([], [own, "back"])
    ]
    assert outputs[0] == outputs[1]


def test_nothing_is_loaded_by_it():
    code = "from adamlib import use_default_settings as f; f(); import sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"numpy", "torch", "IPython"} & set(loaded)


@pytest.mark.parametrize("path", notebooks.in_order(), ids=lambda path: path.stem)
def test_every_notebook_begins_with_it(path):
    """Before any cell that prints, but for the one that asks whether adamlib is installed."""
    cells = [cell for cell in notebooks.read(path).cells if cell.cell_type == "code"]
    sources = [cell.source for cell in cells if cell.id != "doctor"]
    assert re.search(r"^(adamlib\.)?use_default_settings\(\)$", sources[0], re.MULTILINE)
