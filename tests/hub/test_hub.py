"""A JupyterHub spawns the course: behind a prefix, on a course that nobody may write.

`make test-hub` runs it. The hub is PyPI's, its proxy npm's, its spawner JupyterHub's simple one.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

import pytest
from websocket import create_connection  # of jupyter_server

import packages

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOKEN = uuid4().hex
HEADERS = {"Authorization": f"token {TOKEN}"}


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Hub:
    """A running hub, and what it is asked."""

    def __init__(self, port: int, homes: Path, course: Path) -> None:
        self.port, self.homes, self.course = port, homes, course

    def ask(self, path: str, method: str = "GET", headers=HEADERS, **content) -> dict:
        """The answer to a request below the prefix; empty where the hub says nothing."""
        data = json.dumps(content).encode() if content else None
        address = f"http://127.0.0.1:{self.port}/room/{path}"
        request = urllib.request.Request(address, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or "{}")

    def spawn(self, user: str) -> None:
        self.ask(f"hub/api/users/{user}/server", "POST")
        until = time.monotonic() + 120
        while not self.ask(f"hub/api/users/{user}")["servers"].get("", {}).get("ready"):
            assert time.monotonic() < until, "the server is not ready"
            time.sleep(0.2)

    def prints(self, user: str, code: str) -> str:
        """What a cell prints in a new kernel of a user."""
        kernel = self.ask(f"user/{user}/api/kernels", "POST", name="python3")["id"]
        address = f"ws://127.0.0.1:{self.port}/room/user/{user}/api/kernels/{kernel}/channels"
        there = create_connection(address, 60, header=HEADERS)
        asked = {"code": code, "silent": False, "allow_stdin": False, "user_expressions": {}}
        head = {"msg_id": "1", "msg_type": "execute_request", "session": "1", "username": ""}
        head |= {"version": "5.3", "date": ""}
        message = {"header": head, "parent_header": {}, "metadata": {}, "content": asked}
        there.send(json.dumps(message | {"channel": "shell", "buffers": []}))
        said = ""
        try:
            while True:
                answer = json.loads(there.recv())
                said += answer["content"].get("text", "")
                if answer["msg_type"] == "execute_reply":
                    assert answer["content"]["status"] == "ok", answer["content"]
                    return said
        finally:
            there.close()


def files(folder: Path) -> dict[Path, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found if "__pycache__" not in path.parts}


def read_only(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    proxy = packages.install(ROOT / "build" / "hub", HERE) / ".bin" / "configurable-http-proxy"
    folder = tmp_path_factory.mktemp("hub")
    course, homes = folder / "course", folder / "homes"
    homes.mkdir()
    for name in ("tools", "notebooks", "benchmarks"):
        shutil.copytree(ROOT / name, course / name)
    read_only(course)
    port, inner, api = free_ports(3)
    told = {"PORT": port, "INNER_PORT": inner, "PROXY_PORT": api, "PROXY": proxy, "TOKEN": TOKEN}
    told |= {"HOMES": homes, "COURSE": course}
    environment = os.environ | {f"HUB_{name}": str(value) for name, value in told.items()}
    # what make and pytest say is not the hub's
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "jupyterhub_config.py")]
    with open(folder / "hub.log", "w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield wait_for(Hub(port, homes, course), process, folder / "hub.log")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        for path in [course, *course.rglob("*")]:  # pytest removes them
            path.chmod(0o755)


def wait_for(hub: Hub, process: subprocess.Popen, log: Path) -> Hub:
    until = time.monotonic() + 120
    while True:
        try:
            hub.ask("hub/api/")
            return hub
        except OSError:
            running = process.poll() is None and time.monotonic() < until
            assert running, log.read_text(encoding="utf-8")
            time.sleep(0.2)


@pytest.fixture(scope="module")
def ada(hub):
    hub.spawn("ada")
    return "ada"


def test_a_learner_finds_the_course(hub, ada):
    listed = {each["name"]: each for each in hub.ask(f"user/{ada}/api/contents")["content"]}
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert names <= set(listed) and all(listed[name]["writable"] for name in names)
    request = urllib.request.Request(
        f"http://127.0.0.1:{hub.port}/room/user/{ada}/lab", None, HEADERS
    )
    with urllib.request.urlopen(request, timeout=60) as page:
        assert b"<title>JupyterLab</title>" in page.read()


def test_a_cell_runs_at_home_and_reads_what_was_measured(hub, ada):
    code = (
        "from pathlib import Path; import adamlib; print(Path.cwd(), "
        "Path('../benchmarks/step.json').is_file(), adamlib.Adam.__name__)"
    )
    work = hub.homes / ada / "learn-adam" / "work"
    assert hub.prints(ada, code) == f"{work} True Adam\n"


def test_what_a_learner_saves_stays_and_the_course_is_as_it_was(hub, ada):
    before = files(hub.course)
    path = f"user/{ada}/api/contents/00_start_here.ipynb"
    content = hub.ask(path)["content"]
    content["cells"][0]["source"] = "mine"
    hub.ask(path, "PUT", type="notebook", format="json", content=content)
    hub.ask(f"hub/api/users/{ada}/server", "DELETE")
    hub.spawn(ada)
    assert hub.ask(path)["content"]["cells"][0]["source"] == "mine"
    assert files(hub.course) == before


def test_another_learner_has_a_copy_of_its_own(hub, ada):
    hub.spawn("bob")
    first = hub.ask("user/bob/api/contents/00_start_here.ipynb")["content"]["cells"][0]
    assert first["source"].startswith("# 00 · Start here")


def test_who_is_not_known_gets_nothing(hub, ada):
    with pytest.raises(urllib.error.HTTPError) as refused:
        hub.ask(f"user/{ada}/api/contents", headers={})
    refused.value.close()
    assert refused.value.code == 403
