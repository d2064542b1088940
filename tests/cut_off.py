"""A learner's first hour on a laptop without network: tests/test_workshop.py runs it in one.

    python cut_off.py NOTEBOOK ...      in the folder learner/ of a kit

It installs the course, opens JupyterLab, and runs notebooks of the copy that it opened.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


def no_way_out() -> None:
    """Make sure that there is no network: only then does the rest say anything."""
    try:
        socket.create_connection(("192.0.2.1", 9), 2).close()
    except OSError as error:
        assert "unreachable" in str(error), error
    else:
        raise AssertionError("there is a network")


def open_lab() -> None:
    """Open JupyterLab as a learner does, and wait for its page and its list of notebooks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", f"--ServerApp.port={port}", "--IdentityProvider.token=ours"]
    if os.geteuid() == 0:
        options.append("--allow-root")
    process = subprocess.Popen([sys.executable, "start.py", *options], start_new_session=True)
    try:
        until = time.monotonic() + 180
        while True:
            try:
                answer = ask(port, "/api/contents")
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.2)
        names = {each["name"] for each in json.loads(answer)["content"]}
        assert {path.name for path in Path("notebooks").glob("*.ipynb")} <= names
        assert b"<title>JupyterLab</title>" in ask(port, "/lab")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def ask(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?token=ours", timeout=60) as answer:
        return answer.read()


def printed(path: Path) -> list[str]:
    """What the cells of a notebook print, cell by cell."""
    return [
        "".join("".join(out["text"]) for out in cell.get("outputs", []) if "text" in out)
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]


def main(names: list[str]) -> None:
    no_way_out()
    subprocess.run([sys.executable, "start.py", "--install-only"], check=True)
    open_lab()
    jupyter = Path(".venv", "bin", "jupyter").absolute()
    for name in names:
        subprocess.run([jupyter, "execute", "--inplace", name], cwd="work", check=True)
        stored, ran = (printed(Path(folder, name)) for folder in ("notebooks", "work"))
        assert ran == stored and any(ran), name
    print("all is well")


if __name__ == "__main__":
    main(sys.argv[1:])
