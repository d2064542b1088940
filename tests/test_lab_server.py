"""The server that `make lab` starts, asked by strangers: it answers to nobody but its own page."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

import lab

pwd = pytest.importorskip("pwd")  # a module of Unix
ROOT = Path(__file__).parents[1]
TOKEN = "0123456789abcdef0123456789abcdef"
SECRET = b"nobody may read this"
FOREIGN = {"Origin": "http://evil.example"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start it in a copy of the course, with a token that is known; give its address."""
    root = tmp_path_factory.mktemp("course")
    for name in ("notebooks", "tools"):
        (root / name).symlink_to(ROOT / name)
    (root / "secret.txt").write_bytes(SECRET)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "import sys, lab; from pathlib import Path; lab.main(sys.argv[2:], Path(sys.argv[1]))"
    arguments = ["work", "--no-browser", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    environment = os.environ | {"JUPYTER_TOKEN": TOKEN, "PYTHONPATH": str(ROOT / "tools")}
    environment |= {"HOME": str(root), "PYTHONUNBUFFERED": "1"}
    if os.geteuid() == 0 and any(1000 <= p.pw_uid < 60000 for p in pwd.getpwall()):
        arguments.append("--allow-root")
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(root), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    assert process.poll() is None, process.stdout.read().decode()
    yield port
    os.killpg(process.pid, 9)
    process.communicate()


def ask(port, path, headers=None, method="GET", host="localhost", data=None):
    """(status, body) of a request; redirects are not followed."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"Host": f"{host}:{port}", **(headers or {})}
    )
    request.method = method

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args):
            return None

    try:
        with urllib.request.build_opener(Stay).open(request, timeout=60) as response:
            return SimpleNamespace(
                status=response.status, body=response.read(), headers=response.headers
            )
    except urllib.error.HTTPError as error:
        return SimpleNamespace(status=error.code, body=error.read(), headers=error.headers)


@pytest.fixture(scope="module")
def cookie(server):
    """What a browser holds that opened the page with its token."""
    answer = ask(server, f"/lab?token={TOKEN}")
    cookies = [c.partition(";")[0] for c in answer.headers.get_all("Set-Cookie")]
    return {"Cookie": "; ".join(cookies)}


def xsrf(cookie):
    return {"X-XSRFToken": re.search(r"_xsrf=([^;]+)", cookie["Cookie"])[1]}


def handshake(port, path, headers):
    """The status line with which a websocket is answered."""
    lines = [
        f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13", *(f"{k}: {v}" for k, v in headers.items()), "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.recv(100).split()[1])


@pytest.mark.slow
def test_its_own_page_is_answered(server, cookie):
    """So that what is refused below is refused for its reason."""
    assert ask(server, "/api/contents", cookie).status == 200
    names = [e["name"] for e in json.loads(ask(server, "/api/contents", cookie).body)["content"]]
    assert "00_start_here.ipynb" in names
    assert ask(server, "/api/contents", {"Authorization": f"token {TOKEN}"}).status == 200
    kernel = start_kernel(server, cookie)
    own = {"Origin": f"http://localhost:{server}"}
    assert handshake(server, f"/api/kernels/{kernel}/channels", cookie | own) == 101


def start_kernel(port, cookie):
    made = ask(port, "/api/kernels", cookie | xsrf(cookie), "POST", data=b"{}")
    assert made.status == 201, made.body
    return json.loads(made.body)["id"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/lab", "/api/contents", "/api/kernels", "/api/terminals", "/files/00_start_here.ipynb"],
)
def test_without_a_token_nothing_is_said(server, path):
    assert ask(server, path).status in (302, 403)
    assert ask(server, path, {"Authorization": "token " + TOKEN[::-1]}).status in (302, 403)


@pytest.mark.slow
def test_another_host_name_is_refused(server):
    """A page of evil.example whose name was made to lead to 127.0.0.1."""
    allowed = {"Authorization": f"token {TOKEN}"}  # a cookie belongs to one name
    assert ask(server, "/api/contents", allowed, host="evil.example").status == 403


@pytest.mark.slow
def test_another_page_with_the_cookie_is_refused(server, cookie):
    for method, path in (("GET", "/api/contents"), ("POST", "/api/kernels")):
        data = b"{}" if method == "POST" else None
        assert ask(server, path, cookie | FOREIGN, method, data=data).status in (403, 404)
    assert ask(server, "/api/kernels", cookie, "POST", data=b"{}").status == 403  # no XSRF token
    kernel = start_kernel(server, cookie)
    path = f"/api/kernels/{kernel}/channels"
    assert handshake(server, path, cookie | FOREIGN) == 403
    assert handshake(server, path, {"Origin": f"http://localhost:{server}"}) == 403  # no cookie
    assert handshake(server, "/terminals/websocket/1", cookie | FOREIGN) in (403, 404)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "..%5csecret.txt", "/etc/passwd"],
)
def test_what_lies_outside_is_not_read(server, cookie, path):
    for door in ("/files/", "/api/contents/", "/static/", "/lab/static/"):
        body = ask(server, door + path, cookie).body
        assert SECRET not in body and b"root:" not in body, door


@pytest.mark.slow
def test_it_listens_on_the_loopback_address_only(server):
    """From another address of this machine nobody is at home."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # no packet is sent
        except OSError:
            pytest.skip("this machine has no other address")
        address = probe.getsockname()[0]
    if not address.startswith("127."):
        with pytest.raises(OSError):
            socket.create_connection((address, server), 2)


@pytest.fixture
def i_am(monkeypatch):
    """Let this process be that of a user, on a machine with these users."""

    def become(uid, users):
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        found = [SimpleNamespace(pw_uid=user, pw_name=f"user{user}") for user in users]
        monkeypatch.setattr(pwd, "getpwall", lambda: found)

    return become


@pytest.mark.parametrize(
    "uid, users, given, told, says",
    [
        (1000, [1000], [], [], ""),
        (0, [0, 33, 65534], [], ["--allow-root"], "only user"),
        (0, [0, 1000], ["--no-browser", "--allow-root"], [], ""),
    ],
)
def test_root_starts_it_where_nobody_else_is_there(uid, users, given, told, says, i_am, capsys):
    i_am(uid, users)
    assert lab.as_root(given) == told
    printed = capsys.readouterr().out
    assert says in printed and bool(says) == bool(printed)


def test_where_somebody_else_is_there_root_is_told_so_and_no_server_starts(i_am, monkeypatch):
    i_am(0, [0, 1000])
    monkeypatch.setattr(lab.subprocess, "call", lambda *_, **__: pytest.fail("it was started"))
    with pytest.raises(SystemExit, match="as a user only. Become one, such as user1000, or type"):
        lab.open_lab(lab.ROOT / "notebooks", [])
