"""Every program of docs/torch_findings.md prints what the page says, with the installed torch."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "torch_findings.md"
FINDING = re.compile(r"^## (.+?)$.*?```python\n(.+?)```\n\n```text\n(.+?)```", re.M | re.S)
TEXT = PAGE.read_text(encoding="utf-8")
FINDINGS = FINDING.findall(TEXT)


@pytest.mark.parametrize(
    "program, printed", [f[1:] for f in FINDINGS], ids=[f[0] for f in FINDINGS]
)
def test_torch_does_what_the_page_says(program, printed, capsys):
    """When this fails, torch has changed: say in which version, and mend what the page says."""
    exec(compile(program, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == printed


def test_every_finding_has_a_program():
    assert len(FINDINGS) == TEXT.count("\n## ") == 3
