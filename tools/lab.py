"""Open JupyterLab on the reader's own copy of the notebooks, or on the originals.

python tools/lab.py work [JupyterLab's arguments]   copy what is missing to work/ and open it
python tools/lab.py edit [JupyterLab's arguments]   open notebooks/ itself
python tools/lab.py reset                           move work/ aside and make a new copy
python tools/lab.py serve COMMAND ...               copy what is missing to learn-adam/work in the
                                                    home folder, and run a server's command there:
                                                    the course may be read-only (Dockerfile)
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import nbformat
from nbformat.sign import NotebookNotary

ROOT = Path(__file__).resolve().parent.parent
IGNORED = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__", "conftest.py")


def copy_missing(source: Path, target: Path) -> list[Path]:
    """Copy the files that target lacks and return them; what is there is never overwritten.

    The copies belong to whoever makes them: they may be written where the originals may not.
    """
    target.mkdir(parents=True, exist_ok=True)
    copied = []
    ignored = IGNORED(str(source), os.listdir(source))
    for path in sorted(source.iterdir()):
        if path.name in ignored:
            continue
        new = target / path.name
        if path.is_dir():
            copied += copy_missing(path, new)
        elif not new.exists():
            shutil.copyfile(path, new)
            copied.append(new)
    return copied


def prepare(paths: Sequence[Path]) -> None:
    """Make fresh copies such that JupyterLab neither asks about them nor changes them by itself.

    It writes what the kernel says of itself, its version for one, into each notebook that it opens,
    and marks the notebook as changed where something else stood. It shows the stored outputs of a
    signed notebook without a question.
    """
    from ipykernel.ipkernel import IPythonKernel  # half a second, for the first start only

    notary = NotebookNotary()
    for path in paths:
        if path.suffix == ".ipynb":
            notebook = nbformat.read(path, as_version=4)
            notebook.metadata["language_info"] = IPythonKernel.language_info
            nbformat.write(notebook, path)
            notary.sign(notebook)


def move_aside(work: Path) -> Path | None:
    """Rename work to the first free work-1, work-2, ...; None where there is nothing to move."""
    if not work.exists():
        return None
    number = 1
    while (aside := work.with_name(f"{work.name}-{number}")).exists():
        number += 1
    work.rename(aside)
    return aside


def environment(folder: Path) -> dict[str, str]:
    """Jupyter's settings for the course, without writing into the user's own."""
    ours = str(ROOT / "tools" / "jupyter")
    path = os.pathsep.join(filter(None, [ours, os.environ.get("JUPYTER_CONFIG_PATH")]))
    return {
        # torch's threads sleep while they wait for one another: on a machine that is busy with
        # something else, spinning ones made notebook 04 six times slower
        "OMP_WAIT_POLICY": "passive",
        **os.environ,
        "JUPYTER_CONFIG_PATH": path,
        # the tabs of another project, which JupyterLab would restore here, do not exist here
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".ipynb_checkpoints" / "workspaces"),
    }


def command(folder: Path, extra: Sequence[str]) -> list[str]:
    """The command that opens JupyterLab in a folder at its first notebook."""
    first = min(path.name for path in folder.glob("*.ipynb"))
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{first}",
        "--ServerApp.ip=localhost",
        *extra,
    ]


def as_root(extra: Sequence[str]) -> list[str]:
    """What Jupyter must be told to start as root, which is right where nobody else is there."""
    if os.name == "nt" or os.geteuid() != 0 or "--allow-root" in extra:
        return []
    import pwd

    people = [entry.pw_name for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000]
    if people:
        sys.exit(
            f"You are root, and Jupyter starts as a user only. Become one, such as {people[0]}, "
            'or type:\n\n    make lab LAB_ARGS="--allow-root"\n'
        )
    print("You are root, the only user here, as in a container: Jupyter starts all the same.")
    return ["--allow-root"]


def open_lab(folder: Path, extra: Sequence[str]) -> int:
    """Run JupyterLab until it is stopped."""
    extra = [*as_root(extra), *extra]
    try:
        return subprocess.call(command(folder, extra), env=environment(folder))
    except KeyboardInterrupt:
        return 0


def make_work(root: Path, place: Path) -> Path:
    """Bring work/ up to date with notebooks, and data beside them, that have come since."""
    work = place / "work"
    copied = copy_missing(root / "notebooks", work)
    if copied:
        prepare(copied)
    return work


def serve(root: Path, command: Sequence[str]) -> NoReturn:
    """Become a server on a copy in the home folder of a user who may not write into root."""
    place = Path.home() / "learn-adam"
    work = make_work(root, place)
    measured = place / "benchmarks"  # notebook 09 reads it
    if not measured.is_symlink():
        measured.symlink_to(root / "benchmarks")
    os.chdir(work)
    os.execvpe(command[0], command, environment(work))


def main(argv: Sequence[str] = sys.argv[1:], root: Path = ROOT) -> int:
    if not argv or argv[0] not in ("work", "edit", "reset", "serve") or argv == ["serve"]:
        print(__doc__, file=sys.stderr)
        return 2
    if argv[0] == "edit":
        return open_lab(root / "notebooks", argv[1:])
    if argv[0] == "serve":
        serve(root, argv[1:])
    if argv[0] == "reset":
        aside = move_aside(root / "work")
        make_work(root, root)
        print(f"work/ is new; the old one is {aside.name}/" if aside else "work/ is new")
        return 0
    return open_lab(make_work(root, root), argv[1:])


if __name__ == "__main__":
    sys.exit(main())
