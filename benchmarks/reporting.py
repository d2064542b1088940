"""What `report` and `watch` cost: time beside steps, memory beside a parameter.

    python benchmarks/reporting.py [--rounds 7]

A report is measured in turn with what it is compared with. `watch(every=100)` adds a hundredth of a
report to each step, so that its share is that of a report to a hundred training steps.
"""

import argparse
import sys
import tracemalloc
from collections.abc import Callable

import torch

from adamlib import report
from adamlib.experiments import interleaved, times_as_long
from timing import rounded, significant, summary, write

CLAIM = (
    "a report takes at most 30 fused steps and the memory of one parameter; watch(every=100) adds "
    "at most 1 % to a training step, with ten million parameters"
)
SIZE, WIDTH, TOKENS = 10_000_000, 512, (8, 64)
FUSED_STEPS, SHARE = 30, 0.01


def one_tensor() -> tuple[torch.optim.Optimizer, Callable[[], object]]:
    """An optimizer of one parameter, and its step."""
    param = torch.nn.Parameter(torch.randn(SIZE))
    param.grad = torch.randn(SIZE)
    optimizer = torch.optim.Adam([param], fused=True)
    return optimizer, optimizer.step


def transformer() -> tuple[torch.optim.Optimizer, Callable[[], object]]:
    """An optimizer of a transformer of ten million parameters, and a step of its training."""
    layer = torch.nn.TransformerEncoderLayer(WIDTH, 8, 4 * WIDTH, dropout=0.0, batch_first=True)
    body = torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    model = torch.nn.Sequential(torch.nn.Embedding(1000, WIDTH), body, torch.nn.Linear(WIDTH, 10))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    x, y = torch.randint(1000, TOKENS), torch.randint(10, TOKENS)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten()).backward()
        optimizer.step()

    return optimizer, step


def memory_of(optimizer: torch.optim.Optimizer) -> float:
    """The largest memory that a report takes for a while, in sizes of the largest parameter."""
    largest = max(p.nbytes for group in optimizer.param_groups for p in group["params"])
    tracemalloc.start()
    report(optimizer)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / largest


def measure(rounds: int) -> dict[str, dict]:
    """Times of both, and the claims about them."""
    results = {}
    for name, make, most, times_of in (
        ("one tensor", one_tensor, FUSED_STEPS, 1),
        ("a transformer", transformer, SHARE, 100),
    ):
        optimizer, step = make()
        step()
        times = interleaved({"report": lambda o=optimizer: report(o), "step": step}, rounds)
        ratio = times_as_long(times["report"], [times_of * seconds for seconds in times["step"]])
        what = "report / fused step" if times_of == 1 else "report / 100 training steps"
        claim = rounded(ratio) | {"at_most": most}
        results[name] = summary(times, "step") | {what: claim}
        results[name]["memory_in_parameters"] = significant(memory_of(optimizer), 2)
        print(f"{name}: {what} {claim}, memory {results[name]['memory_in_parameters']}", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    results = measure(parser.parse_args().rounds)
    write("reporting", CLAIM, results, parameters=SIZE, threads=torch.get_num_threads())
    claims = [entry for found in results.values() for entry in found.values()]
    missed = [
        c for c in claims if isinstance(c, dict) and c.get("at_most", 1e9) < c.get("median", 0)
    ]
    sys.exit("more than claimed" if missed else 0)


if __name__ == "__main__":
    main()
