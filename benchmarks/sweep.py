"""81 runs in one batch against the same 81 runs one after the other with torch.optim.Adam.

    python benchmarks/sweep.py [--rounds 7]

Both train the same net from the same start on the same data, for every pair of lr and eps; the
losses are compared before anything is measured.
"""

import argparse

import numpy as np
import torch

from adamlib.experiments import interleaved, sweep, times_as_long
from adamlib.problems import Problem, random_examples, random_two_layer_net
from timing import rounded, summary, write

CLAIM = "a sweep takes at most a fifth of the time of looping torch.optim.Adam over its runs"
LR, EPS = np.geomspace(1e-4, 1e-1, 9), np.geomspace(1e-8, 1, 9)
SIZES = {  # n, d_in, h, d_out, steps
    "the net of notebook 05": (32, 20, 16, 2, 100),
    "four times as wide": (32, 20, 64, 2, 100),
    "the net of notebook 04": (64, 1000, 100, 10, 3),
}


def torch_run(problem: Problem, x: torch.Tensor, y: torch.Tensor, steps: int, **options: float):
    """One run of notebook 04's loop; its losses."""
    (h, d_in), d_out = problem.start["W1"].shape, y.shape[1]
    layers = torch.nn.Linear(d_in, h), torch.nn.ReLU(), torch.nn.Linear(h, d_out)
    model = torch.nn.Sequential(*layers).double()
    with torch.no_grad():
        for param, array in zip(model.parameters(), problem.start.values(), strict=True):
            param.copy_(torch.from_numpy(array))
    loss_fn = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.Adam(model.parameters(), **options)
    losses = []
    for _ in range(steps):
        loss = loss_fn(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds, results = parser.parse_args().rounds, {}
    for name, (n, d_in, h, d_out, steps) in SIZES.items():
        net = random_two_layer_net(n=n, d_in=d_in, h=h, d_out=d_out)
        x, y = map(torch.from_numpy, random_examples(n=n, d_in=d_in, d_out=d_out))

        def ours(net=net, steps=steps):
            return sweep(net, steps, lr=LR, eps=EPS).losses

        def other(net=net, x=x, y=y, steps=steps):
            return [[torch_run(net, x, y, steps, lr=lr, eps=eps) for eps in EPS] for lr in LR]

        np.testing.assert_allclose(ours()[..., :20], np.array(other())[..., :20], rtol=1e-6)
        times = interleaved({"sweep": ours, "loop": other}, rounds, at_least=0)
        times_as_fast = rounded(times_as_long(times["loop"], times["sweep"]))
        results[name] = summary(times, "sweep") | {"times_as_fast": times_as_fast}
        print(f"{name}: {times_as_fast} times as fast, {rounds} rounds", flush=True)
    write("sweep", CLAIM, results)


if __name__ == "__main__":
    main()
