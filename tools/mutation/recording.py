"""Which tests run which lines of adamlib, and how long each takes."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from coverage import Coverage, CoverageData
from nbval.kernel import RunningKernel

KERNELS = "kernels.coverage"
START = """\
# written by tools/mutation: kernels find it on their path
import coverage

given = dict(data_suffix=True, auto_data=True, source=["adamlib"], config_file=False)
coverage.Coverage(data_file={file!r}, **given).start()
"""


@dataclass
class Record:
    """Of a file with tests: the CPU seconds of each, those that fail, and module → line → tests."""

    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def past(self, module: str, first: int, last: int) -> dict[str, float] | None:
        """The tests that run one of some lines, and their seconds; None: each that imports it."""
        lines = self.lines.get(module, {})
        tests = {test for i in range(first, last + 1) for test in lines.get(str(i), [])}
        return None if "" in tests else {test: self.seconds[test] for test in self.good(tests)}

    def all(self) -> dict[str, float]:
        """Every test that passes without a change, and its seconds."""
        return {test: self.seconds[test] for test in self.good(self.seconds)}

    def good(self, tests: Iterable[str]) -> list[str]:
        """Those that pass without a change, the quickest first."""
        return sorted({*tests} & {*self.seconds} - {*self.failed}, key=self.seconds.__getitem__)


class Recorder:
    """A plugin of pytest that fills a record; without a coverage, all but its lines."""

    def __init__(self, coverage: Coverage | None, found: Record) -> None:
        self.switch = coverage.switch_context if coverage else lambda context: None
        self.found = found

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self.switch(item.nodeid)
        before = sum(os.times()[:4])
        try:
            return (yield)
        finally:
            self.found.seconds[item.nodeid] = round(sum(os.times()[:4]) - before, 3)
            self.switch("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.found.failed.append(report.nodeid)


def record(path: str, options: list[str]) -> Callable:
    """What runs the tests of a file, in a child in a copy, and writes their record there.

    A test that fails stands in the record; what pytest cannot run at all is its exit code.
    """

    def work(tell: Callable) -> int:
        found = Record()
        if path.endswith(".ipynb"):
            follow_kernels()
            code = pytest.main([path, *options], plugins=[Recorder(None, found)])
            of_notebook(path, found)
        else:
            coverage = Coverage(data_file=None, source=["adamlib"], config_file=False)
            coverage.start()
            code = pytest.main([path, *options], plugins=[Recorder(coverage, found)])
            coverage.stop()
            found.lines = by_line(coverage.get_data())
        Path("record.json").write_text(json.dumps(asdict(found)), encoding="utf-8")
        return 0 if code == pytest.ExitCode.TESTS_FAILED else code

    return work


def by_line(data: CoverageData) -> dict[str, dict[str, list[str]]]:
    """Module → line → the tests that run it."""
    files = {f"adamlib/{file.rsplit('/adamlib/', 1)[1]}": file for file in data.measured_files()}
    return {
        module: {str(i): tests for i, tests in data.contexts_by_lineno(file).items()}
        for module, file in files.items()
    }


def follow_kernels() -> None:
    """Let the kernels that are started from here measure themselves, and end in peace."""

    def stop(self: RunningKernel) -> None:
        self.kc.stop_channels()
        self.km.shutdown_kernel(now=False)

    RunningKernel.stop = stop  # at once, they would save nothing
    Path("sitecustomize.py").write_text(START.format(file=str(Path(KERNELS).resolve())))


def of_notebook(path: str, found: Record) -> None:
    """A notebook is run as one: its cells share a kernel."""
    Path("sitecustomize.py").unlink()
    parts = [*Path().glob(f"{KERNELS}.*")]
    lines: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        data = CoverageData(basename=str(part))
        data.read()
        for module, numbers in by_line(data).items():
            lines.setdefault(module, {}).update({i: [path] for i in numbers})
        part.unlink()
    found.seconds, found.lines = {path: sum(found.seconds.values())}, lines
    found.failed = [path] if found.failed else []
