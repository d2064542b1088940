"""βᵗ as the scripts compute it, in Node: there `**` is off where Chromium's happens to be right."""

import json
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from adamlib.moments import bias_correction
from built import ROOT

SCRIPT = ROOT / "docs" / "site" / "static" / "adam.js"
BETAS = (0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 0.99999, 1 - 2.0**-53)
STEPS = (*range(151), 500, 999, 1000, 2047, 4096)
# a script of a page defines functions and exports none
RUN = """
const fs = require("node:fs");
const [source, asked] = JSON.parse(fs.readFileSync(0, "utf8"));
const power = new Function(source + "; return power")();
process.stdout.write(JSON.stringify(asked.map(([base, n]) => power(base, n))));
"""


@pytest.fixture(scope="module")
def asked() -> list[tuple[float, int]]:
    drawn = np.random.default_rng(0).uniform(0.5, 1.0, 40).tolist()
    return [(base, n) for base in (*BETAS, *drawn) for n in STEPS]


@pytest.fixture(scope="module")
def found(asked) -> list[float]:
    given = json.dumps([SCRIPT.read_text(encoding="utf-8"), asked])
    node = subprocess.run(["node", "-e", RUN], input=given, capture_output=True, text=True)
    assert node.returncode == 0, node.stderr
    return json.loads(node.stdout)


def test_a_power_is_the_exact_one_rounded_once(asked, found):
    normal = 2.0**-900  # below, what rounding takes of a product is no number of the format
    wrong = [
        (base, n)
        for (base, n), power in zip(asked, found, strict=True)
        if (exact := Fraction(base) ** n) > normal and power != float(exact)
    ]
    assert wrong == []


def test_a_correction_is_that_of_adamlib(asked, found):
    """To the bit where the C library, which Python asks, rounds as well: here all but one."""
    apart = [
        abs(1 - power - bias_correction(base, n))
        for (base, n), power in zip(asked, found, strict=True)
    ]
    assert max(apart) <= 2.0**-53
    assert np.count_nonzero(apart) <= len(asked) / 1000
