"""tools/upstream.py: which difference between torch's classes and ours it takes for one.

PyTorch's tests themselves are run by `make test-upstream`; nothing is fetched here.
"""

from pathlib import Path

import pytest

import upstream

SOURCES = {
    "deb822": ("debian.sources", "Types: deb\nURIs: https://a.example/debian/\nSuites: stable\n"),
    "one line": ("other.list", "deb [trusted=yes] https://a.example/debian stable main\n"),
}


@pytest.mark.parametrize(
    "theirs, ours, wrong",
    [
        ("passed", "passed", 0),
        ("failed", "failed", 0),
        ("failed", "passed", 0),
        ("skipped", "skipped", 0),
        ("passed", "failed", 1),
        ("passed", "skipped", 1),
        ("passed", None, 1),
    ],
)
def test_what_passes_with_torchs_classes_has_to_pass_with_ours(theirs, ours, wrong, capsys):
    name = "TestOptimRenewedCPU.test_errors_Adam_cpu_float32"
    found = upstream.compare({name: theirs}, {name: ours} if ours else {})
    assert len(found) == wrong
    assert all(name in line for line in found)
    assert "test_optim.py: " in capsys.readouterr().out


def test_what_is_left_out_is_said_and_held_to_its_reason(capsys):
    (name, reason), *_ = upstream.NOT_OURS.items()
    assert not upstream.compare({name: "passed"}, {name: "failed"})
    assert f"{name}: left out, {reason}" in capsys.readouterr().out
    assert upstream.compare({name: "passed"}, {name: "passed"}) == [
        f"{name}: is left out, and passes"
    ]


@pytest.mark.parametrize("kind", SOURCES)
def test_the_mirror_is_that_of_this_machine_or_the_one_told(kind, tmp_path, monkeypatch):
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(upstream, "APT", tmp_path)
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "a.sources").write_text("# https://no.example/debian\nURIs: https://b.example/x\n")
    (folder / "b.list.off").write_text("deb https://off.example/debian stable main\n")
    with pytest.raises(upstream.NotFound, match="installs nothing from Debian"):
        upstream.mirror()
    name, text = SOURCES[kind]
    (folder / name).write_text(text)
    assert upstream.mirror() == "https://a.example/debian"
    monkeypatch.setenv("DEBIAN_MIRROR", "https://c.example/debian")
    assert upstream.mirror() == "https://c.example/debian"


def test_without_the_files_nothing_passes(monkeypatch, capsys):
    monkeypatch.delenv("PYTORCH_TESTS", raising=False)
    monkeypatch.setattr(upstream.shutil, "which", lambda name: None)
    assert upstream.main() == 2
    assert "there is no apt-get" in capsys.readouterr().err


def test_none_of_pytorchs_tests_is_kept_here():
    project = Path(upstream.__file__).parents[1]
    names = {
        path.name for folder in ("tests", "tools") for path in (project / folder).rglob("*.py")
    }
    assert not names & {Path(path).name for path in upstream.FILES}
