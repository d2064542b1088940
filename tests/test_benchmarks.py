"""What the files in benchmarks/ hold, and that their scripts still run."""

import json
import math
from pathlib import Path

import pytest

import floor
import notebooks
import pages
import starting
import step
import timing
from adamlib.experiments import NUMPY_WAYS, TORCH_WAYS

FILES = sorted(timing.FOLDER.glob("*.json"))


def entries(found):
    """Every claim in a file: a median, and what it may be at most."""
    if isinstance(found, dict):
        if "at_most" in found:
            yield found
        for value in found.values():
            yield from entries(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_names_its_claim_its_machine_and_the_versions(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["claim"] and record["results"]
    assert {"processor", "cores", "python", "numpy", "torch"} <= record["machine"].keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_file_claims_was_measured(path):
    for entry in entries(json.loads(path.read_text(encoding="utf-8"))):
        assert entry["low"] <= entry["median"] <= entry["high"]
        assert entry["median"] <= entry["at_most"]


def test_every_script_has_its_file():
    # that of the suite is written once all tests have passed, this one too
    scripts = {path.stem for path in timing.FOLDER.glob("*.py")} - {"timing", "suite"}
    assert scripts <= {path.stem for path in FILES}


def without_compiling(monkeypatch):
    """What torch.compile makes takes half a minute, and is tested where it belongs."""
    few = tuple(way for way in step.ON_CPU if way != "ours fused")
    monkeypatch.setattr(step, "ON_CPU", few)
    few = tuple(way for way in step.ON_DEVICE if way not in ("ours fused", "torch floor"))
    monkeypatch.setattr(step, "ON_DEVICE", few)


def test_a_step_is_measured_in_every_way(monkeypatch, capsys):
    without_compiling(monkeypatch)
    times, faults = step.measured([(3, 4), (5,)], "cpu", "float32", rounds=2)
    assert faults.keys() == times.keys()
    assert {*step.ON_CPU} - {"optax"} <= times.keys() <= {*NUMPY_WAYS, *TORCH_WAYS, "optax"}
    ways = timing.summary(times, "floor")
    assert ways["floor"]["to_floor"]["median"] == 1
    claims = step.pairs(times, 1000, 1, "floor")
    assert claims["compiled / torch fused"]["at_most"] == 0.25
    step.show("two arrays", 17, {"ways": ways, "claims": claims}, "floor")
    assert "compiled / torch fused" in capsys.readouterr().out


def test_another_dtype_goes_through_torch_alone(monkeypatch):
    """As on another device, but for its name."""
    without_compiling(monkeypatch)
    times, _ = step.measured([(8,)], "cpu", "bfloat16", rounds=1)
    assert set(times) == set(step.ON_DEVICE)


def test_each_claim_has_its_sizes():
    sizes = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 40_000_000)
    times = {way: [1.0] for way in (*step.ON_CPU, "floor")}
    found = {n: step.pairs(times, n, 1, "floor") for n in sizes}
    wanted = {
        n: entry["at_most"]
        for n, claims in found.items()
        if (entry := claims.get("compiled / torch fused"))
    }
    assert wanted == {100: 0.25, 1_000: 0.25, 100_000: 0.4} | dict.fromkeys(sizes[4:], 1.0)
    assert [n for n in sizes if "compiled / floor" in found[n]] == [*sizes[5:]]
    assert [n for n in sizes if "ours / torch single" in found[n]] == [*sizes[1:]]
    assert set(step.pairs(times, 10**7, 148, "floor")) == {
        "ours / torch single",
        "ours foreach / torch foreach",
        "ours fused / torch fused",
    }


def test_pages_counts_what_it_predicts_with():
    assert pages.counted() == {
        "textbook": 172,  # asked for are 184; of three results NumPy need not fetch the lines
        "in place": 132,
        "torch single": 80,
        "torch foreach": 76,
        "torch fused": 28,
        "floor": 28,
    }


def test_the_textbook_makes_as_many_new_arrays_as_pages_says():
    """14 results, three of them in temporaries that are there: by the faults on pages of 4 KB."""
    found = json.loads((timing.FOLDER / "pages.json").read_text(encoding="utf-8"))
    faults = found["results"]["textbook"]["small_pages"]["page_faults"]
    pages_each = 4 * found["machine"]["parameters"] / 4096
    assert round(faults / pages_each) == 14 - pages.REUSED


def test_pages_measures_what_it_counts(monkeypatch):
    monkeypatch.setattr(pages, "SIZE", 1000)
    found = pages.measure(rounds=1)
    assert found.keys() == pages.counted().keys()
    assert found["floor"]["to_floor"]["median"] == 1


def test_what_is_started_can_be_started():
    assert starting.seconds(starting.STARTS["import adamlib"]) > 0
    for ours, other, _ in starting.PAIRS:
        assert {ours, other} <= starting.STARTS.keys()
    for code in starting.STARTS.values():
        compile(code, "start", "exec")


def test_the_table_of_the_floor_is_consistent():
    results = json.loads((Path(floor.__file__).with_suffix(".json")).read_text("utf-8"))["results"]
    for name, (used, moved) in floor.KINDS.items():
        assert results[name]["bytes_used"] == used
        share = results[name]["used_GB_per_s"] / results[name]["moved_GB_per_s"]
        assert share == pytest.approx(used / moved, rel=2e-3)


# What the prose derives from the files: measured anew, it has to be read anew.

ROOT = timing.FOLDER.parent
NOTEBOOK = notebooks.read(ROOT / "notebooks" / "09_from_the_equations_to_the_memory_wall.ipynb")
PROSE = "\n".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown")
GPT2, SMALL = step.NETWORKS


def results(name):
    return json.loads((timing.FOLDER / f"{name}.json").read_text(encoding="utf-8"))["results"]


def floors(case, way):
    return results("step")[case]["ways"][way]["to_floor"]["median"]


def kept(way, key="memory_kept"):
    return results("pages")[way][key]["to_floor"]["median"]


def sentences():
    single, fused = "torch single", "torch fused"
    gains = [floors(case, single) / floors(case, fused) for case in (GPT2, SMALL)]
    yield "{:.1f} and {:.1f} times as fast".format(*gains)
    ways = results("step")["1e+07"]["ways"]
    gain = ways["textbook"]["seconds"] / ways["blocked"]["seconds"]
    yield f"{gain:.1f} times as fast as the textbook"
    longer = [kept(way, "as_it_is") / kept(way) for way in ("textbook", single, "torch foreach")]
    yield f"take {min(longer):.1f} to {max(longer):.1f} times as long as that"
    more = {w: kept(w) / (results("pages")[w]["bytes"] / 28) - 1 for w in (fused, "textbook")}
    yield f"from {more[fused]:.0%} more for `fused` to".replace("%", " %")
    yield f"to {more['textbook']:.0%} more for `textbook`".replace("%", " %")
    rate = results("floor")["p += g, m += g, v += g, compiled, all cores"]["used_GB_per_s"]
    predicted = 1e3 * 28 * results("step")[GPT2]["parameters"] / (rate * 1e9)
    measured = 1e3 * results("step")[GPT2]["ways"]["compiled"]["seconds"]
    yield f"{predicted:.0f} ms predicted, {measured:.0f} ms measured"
    rates = [entry["moved_GB_per_s"] for entry in results("floor").values()]
    yield f"all six lie between {min(rates):.0f} and {max(rates):.0f} GB/s"


@pytest.mark.parametrize("sentence", list(sentences()))
def test_what_the_prose_derives_follows_from_the_files(sentence):
    assert sentence in PROSE


def test_new_arrays_cost_more_than_the_passes_of_one_tensor_and_less_than_those_of_gpt2():
    single = "torch single"
    assert kept(single, "as_it_is") - kept(single) > kept(single)
    passes = results("pages")[single]["bytes"] / 28
    assert floors(GPT2, single) - passes < passes


def test_only_tensors_above_32_mib_fault():
    """The C library keeps smaller blocks; two new arrays each, as equation (3) counts."""
    large = [4 * n for n in map(math.prod, step.NETWORKS[GPT2]) if 4 * n > 32 * 2**20]
    counted = results("step")[GPT2]["ways"]["torch single"]["page_faults"]
    assert counted == pytest.approx(2 * sum(large) / 4096, abs=1)


def test_the_readme_says_how_much_longer_the_default_takes():
    single = "torch single"
    taken = [floors(GPT2, single), floors(SMALL, single), kept(single, "as_it_is")]
    assert (round(min(taken)), round(max(taken))) == (3, 8)
    assert "three to eight times as long" in (ROOT / "README.md").read_text(encoding="utf-8")
