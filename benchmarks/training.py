"""Speed of the stacked core compared with a plain PyTorch loop, one thread each.

    python -m benchmarks.training [--pairs 5] [--quick]

The plain loop is that of a course text: DataLoader, nn.Sequential, torch.optim, and the losses
after each epoch. Both sides train on the same points. They are measured alternately (A B A B …) and
ratios are taken per pair, so that a drift of the machine's speed cancels. The table shows the
median ratio, with the lowest and highest in brackets. Time is processor time of the thread, because
other programs disturb it less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from regviz.data.datasets import make_dataset
from regviz.specs import Experiment
from regviz.training.run import Run


def plain_loop(e: Experiment, epochs: int) -> None:
    """Train one experiment as a course text would."""
    torch.set_flush_denormal(False)  # torch's default; the core sets it for itself
    torch.manual_seed(e.training.seed)
    data = make_dataset(e.data)
    x_train, x_val = torch.from_numpy(data.x_train), torch.from_numpy(data.x_val)
    y_train = torch.from_numpy(data.y_train).float().unsqueeze(1)
    y_val = torch.from_numpy(data.y_val).float().unsqueeze(1)
    layers: list[nn.Module] = []
    width = data.n_features
    for hidden, p in zip(e.model.hidden, e.dropout_rates, strict=True):
        layers += [nn.Linear(width, hidden), nn.ReLU()]
        if p:
            layers.append(nn.Dropout(p))
        width = hidden
    model = nn.Sequential(*layers, nn.Linear(width, 1))
    criterion = nn.BCEWithLogitsLoss()
    decay = e.regularization.l2 + e.regularization.weight_decay
    optimizer = torch.optim.Adam(model.parameters(), lr=e.training.lr, weight_decay=decay)
    batches = DataLoader(
        TensorDataset(x_train, y_train), batch_size=e.training.batch_size, shuffle=True
    )
    history: list[tuple[float, float]] = []
    for _ in range(epochs):
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            train_loss = criterion(model(x_train), y_train).item()
            val_loss = criterion(model(x_val), y_val).item()
        history.append((train_loss, val_loss))


def stacked(experiments: list[Experiment], epochs: int) -> None:
    """Train experiments as one stack."""
    run = Run([e.replace("training.epochs", epochs) for e in experiments])
    for _ in run.steps():
        pass


@dataclass(frozen=True)
class Case:
    """One comparison; ``plain`` models and epochs are scaled up to ``experiments`` × ``epochs``."""

    name: str
    experiments: list[Experiment]
    epochs: int
    plain_models: int
    plain_epochs: int
    goal: float


def cases(*, quick: bool) -> list[Case]:
    """Return the comparisons of docs/benchmarks.md."""
    base = Experiment()
    big = base.replace("model.hidden", [256, 512, 256])
    small = base.replace("model.hidden", [32, 32])
    plane = [
        small.replace("regularization.l2", l2).replace("regularization.dropout", p)
        for l2 in (0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
        for p in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    ]
    n = 20 if quick else 300  # 300 is the length of the reference experiment
    return [
        Case("(a) 2-256-512-256-1 alone", [big], n, 1, n, 2),
        Case("(b) 2-64-64-1 alone", [base], n, 1, n, 2),
        Case("(c) 64 lanes of 2-32-32-1, 8 L2 x 8 dropout", plane, n, 8, max(20, n // 5), 40),
    ]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="pairs measured for each row")
    parser.add_argument("--quick", action="store_true", help="fewer epochs, for a first look")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    print("350 training and 150 validation points, batch 32, Adam; ratio = plain / stacked\n")
    print("| case | plain, s | stacked, s | ratio a model (lowest-highest) | goal |")
    print("|---|---|---|---|---|")
    for case in cases(quick=args.quick):
        lanes = len(case.experiments)
        # a subset of the grid: each L2 once, with rising dropout
        chosen = [case.experiments[i * 9 % lanes] for i in range(case.plain_models)]
        scale = lanes / case.plain_models * case.epochs / case.plain_epochs
        plain_loop(chosen[0], 1)
        stacked(case.experiments, 1)
        plain, ours = [], []
        for _ in range(args.pairs):
            start = time.process_time()
            for e in chosen:
                plain_loop(e, case.plain_epochs)
            plain.append(scale * (time.process_time() - start))
            start = time.process_time()
            stacked(case.experiments, case.epochs)
            ours.append(time.process_time() - start)
        ratios = [a / b for a, b in zip(plain, ours, strict=True)]
        scaled = ""
        if scale > 1:
            scaled = (
                f" ({case.plain_models} of {lanes} models, {case.plain_epochs} of {case.epochs} "
                f"epochs timed, times {scale:g})"
            )
        print(
            f"| {case.name}, {case.epochs} epochs | {statistics.median(plain):.2f}{scaled} "
            f"| {statistics.median(ours):.2f} | **{statistics.median(ratios):.1f}** "
            f"({min(ratios):.1f}-{max(ratios):.1f}) | {case.goal:g} |"
        )


if __name__ == "__main__":
    main()
