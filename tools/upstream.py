"""PyTorch's own tests of its optimizers, schedulers and averaged models, on `adamlib.pytorch`.

    python tools/upstream.py

No wheel holds these files. They are taken from the source package ``pytorch`` of Debian, where apt
finds it, into a temporary folder; `SOURCES` says which release. They then run as they are, each
twice: with torch's own Adam and AdamW, and with ours in their place. What passes with torch's has
to pass with ours. Exit code 0: it does; 1: something does not; 2: the files could not be had.

PYTORCH_TESTS=/path/to/pytorch/test takes them from there; DEBIAN_MIRROR=address is asked in place
of the one that this machine installs its packages from.

Under pytest (``-p upstream``) this file is the plugin that exchanges the classes.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

SUITE, PACKAGE = "trixie", "pytorch"
APT = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES = """\
Types: deb-src
URIs: {mirror}
Suites: {suite}
Components: main
{signed}"""
HOMES = ("torch.optim", "adamlib.pytorch")
FILES = {
    "test_optim.py": "TestOptimRenewedCPU",
    "optim/test_optim.py": "TestDifferentiableOptimizer",
    "optim/test_lrscheduler.py": "TestLRScheduler",
    "optim/test_swa_utils.py": "TestSWAUtils",
}
"""The files, and the class of each; test_optim.py runs those of the others too."""
RUNS = {
    "": ["test_optim.py"],
    "every optimizer an Adam": ["optim/test_lrscheduler.py", "optim/test_swa_utils.py"],
}
"""What is run; in the second, Adam stands for SGD and Rprop too, which most schedulers are
tried with."""
NOT_OURS = {
    f"TestDifferentiableOptimizer.test_{name}": "differentiable=True is refused"
    for name in ("adam", "adamw")
}
"""Tests that pass with torch's classes only, and why."""


# --- the plugin -------------------------------------------------------------------------------


def pytest_configure() -> None:
    """Put the classes of one home in place of torch's; leave out what is not Adam."""
    import torch
    from torch.testing._internal import common_optimizers

    home = import_module(os.environ["UPSTREAM_HOME"])
    infos = {info.name: info for info in common_optimizers.optim_db}
    for name in ("Adam", "AdamW"):
        setattr(torch.optim, name, getattr(home, name))
        infos[name].optim_cls = getattr(home, name)
        # ours refuses differentiable; capturable is asked for on a GPU only
        infos[name].supported_impls = ("foreach", "fused")
    common_optimizers.optim_db[:] = infos["Adam"], infos["AdamW"]
    if os.environ["UPSTREAM_RUN"]:

        class Other(home.Adam):
            def __init__(self, params, lr=1e-3, momentum=0.0):
                super().__init__(params, lr)

        torch.optim.SGD = torch.optim.Rprop = Other


# --- the files --------------------------------------------------------------------------------


class NotFound(Exception):
    """The files could not be had."""


def fetch(folder: Path) -> Path:
    """Take the tests out of Debian's source package; return the folder that holds them."""
    if shutil.which("apt-get") is None:
        raise NotFound("there is no apt-get (PYTORCH_TESTS may name a folder that has the tests)")
    for name in ("sources", "state/lists/partial", "cache/archives/partial", "source"):
        (folder / name).mkdir(parents=True)
    signed = f"Signed-By: {KEYRING}\n" if KEYRING.exists() else ""
    sources = SOURCES.format(mirror=mirror(), suite=SUITE, signed=signed)
    (folder / "sources" / "upstream.sources").write_text(sources)
    ours = {
        "Dir::Etc::sourcelist": "/dev/null",  # the machine's own sources stay as they are
        "Dir::Etc::sourceparts": folder / "sources",
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "",  # others may not enter a temporary folder
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in ours.items())]
    for command in (["update"], ["source", "--download-only", PACKAGE]):
        done = subprocess.run(
            [*apt, *command], cwd=folder / "source", capture_output=True, text=True
        )
        if done.returncode:
            raise NotFound(f"apt-get {command[0]} failed:\n{done.stderr}")
    (archive,) = (folder / "source").glob("*.orig.tar.*")
    print(f"{archive.name}, {archive.stat().st_size / 1e6:.0f} MB", flush=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            top, _, path = member.name.partition("/")
            if path.removeprefix("test/") in FILES and path.startswith("test/"):
                tar.extract(member, folder, filter="data")
    return folder / top / "test"


def mirror() -> str:
    """Return the address of a Debian mirror: the one that this machine uses, unless told."""
    if told := os.environ.get("DEBIAN_MIRROR"):
        return told
    for path in (APT / "sources.list", *sorted(APT.glob("sources.list.d/*"))):
        if path.suffix in (".list", ".sources") and path.is_file():
            if found := re.search(r"^[^#\n]*?(\w+://\S+/debian)/?\s", path.read_text(), re.M):
                return found[1]
    raise NotFound("this machine installs nothing from Debian (DEBIAN_MIRROR may name a mirror)")


# --- running and comparing --------------------------------------------------------------------


def outcomes(tests: Path, run: str, home: str, folder: Path) -> dict[str, str]:
    """Run some of the files with the classes of one home: test → passed, skipped or failed."""
    report = folder / "report.xml"
    paths = [str(Path(__file__).parent), str(tests), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "UPSTREAM_HOME": home,
        "UPSTREAM_RUN": run,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "upstream", f"--junitxml={report}"]
    command += ["-c", os.devnull, f"--rootdir={tests}", "-p", "no:cacheprovider"]
    command += ["-p", "no:warnings"]  # torch's tests ask for warnings themselves
    done = subprocess.run(
        [*command, *RUNS[run]], cwd=tests, env=environment, capture_output=True, text=True
    )
    if done.returncode not in (0, 1):
        sys.exit(f"pytest could not run them:\n{done.stdout}\n{done.stderr}")
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "passed"
        name = f"{case.get('classname').rpartition('.')[2]}.{case.get('name')}"
        found[name] = "skipped" if "skipped" in kinds else outcome
    return found


def compare(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """Print how many pass, file by file; return what is not as it should be."""
    for path, name in FILES.items():
        counts = [
            Counter(found for test, found in run.items() if test.startswith(f"{name}."))
            for run in (theirs, ours)
        ]
        if counts[0]:
            told = (f"{c['passed']} of {c['passed'] + c['failed']} pass" for c in counts)
            print("  {}: {} with torch's, {} with ours".format(path, *told))
    wrong = []
    for test, found in theirs.items():
        passes = ours.get(test) == found
        if found == "passed" and test in NOT_OURS and not passes:
            print(f"  {test}: left out, {NOT_OURS[test]}")
        elif found == "passed" and not passes:
            wrong.append(f"{test}: passes with torch's classes, {ours.get(test)} with ours")
        elif test in NOT_OURS and passes:
            wrong.append(f"{test}: is left out, and passes")
    return wrong


def main() -> int:
    """Fetch, run, compare; return the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            given = os.environ.get("PYTORCH_TESTS")
            tests = Path(given).resolve() if given else fetch(folder)
        except NotFound as error:
            print(f"PyTorch's tests could not be had: {error}", file=sys.stderr)
            return 2
        wrong = []
        for run in RUNS:
            print(run or "as they are", flush=True)
            wrong += compare(*(outcomes(tests, run, home, folder) for home in HOMES))
    for line in wrong:
        print(line)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
