"""SGD, Adam and AdamW for a stack of lanes: torch's update rules, one step size for each lane.

torch's own optimizers take one learning rate for a whole tensor. Here every strength is a vector
over lanes. A strength that all lanes share is kept as a plain number, which is faster; the result
is the same to float rounding.

The order of one step: (1) add the gradients of L2 and, for SGD and Adam, of weight decay;
(2) for AdamW shrink the weights by 1 - lr·weight_decay; (3) the optimizer's step; (4) for L1 the
proximal step in the optimizer's own metric, that is with the threshold scaled as the step was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from regviz.nn.layers import Parameters
from regviz.nn.penalties import add_l2_gradient_, soft_threshold_


@dataclass(frozen=True)
class Strengths:
    """One number a lane for everything an optimizer step needs."""

    lr: Sequence[float]
    l1: Sequence[float]
    l2: Sequence[float]
    weight_decay: Sequence[float]
    momentum: Sequence[float]

    @classmethod
    def join(cls, parts: Sequence[tuple[Strengths, Sequence[int]]]) -> Strengths:
        """Return the strengths of some lanes of several stacks, part after part."""
        names = [f.name for f in fields(cls)]
        return cls(*([getattr(s, k)[i] for s, lanes in parts for i in lanes] for k in names))


def _spread(values: Sequence[float], parameters: Parameters, *, weights: bool) -> Tensor | float:
    """Return one number where all lanes agree, else each lane's value at each of its entries."""
    if len(set(values)) == 1:
        return float(values[0])
    lane_of = parameters.lane_of[: parameters.n_weights] if weights else parameters.lane_of
    return torch.tensor(values, dtype=torch.float32, device=lane_of.device)[lane_of]


def _is_off(value: Tensor | float) -> bool:
    return isinstance(value, float) and value == 0.0


class Optimizer:
    """Base: holds the strengths and the parts that all optimizers share.

    ``step()`` changes ``parameters.flat`` from ``parameters.gradient`` in place.
    """

    decoupled = False

    def __init__(self, parameters: Parameters, strengths: Strengths) -> None:
        self.parameters = parameters
        self.strengths = strengths
        self.steps = 0
        decay = strengths.weight_decay
        pull = strengths.l2
        if not self.decoupled:
            pull = [a + b for a, b in zip(pull, decay, strict=True)]
        shrink = [
            1 - lr * d if self.decoupled else 1.0 for lr, d in zip(strengths.lr, decay, strict=True)
        ]
        l1_step = [lr * k for lr, k in zip(strengths.lr, strengths.l1, strict=True)]
        self.lr = _spread(strengths.lr, parameters, weights=False)
        self.pull = _spread(pull, parameters, weights=True)
        self.shrink = _spread(shrink, parameters, weights=True)
        self.l1_step = _spread(l1_step, parameters, weights=True)
        self.state: dict[str, Tensor] = {}

    @classmethod
    def join(
        cls, parameters: Parameters, parts: Sequence[tuple[Optimizer, Sequence[int]]]
    ) -> Optimizer:
        """Return the optimizer for some lanes of several stacks that have taken equally many
        steps, in the state that those lanes are in.

        ``parameters`` are those lanes' own, as ``Parameters.join`` returned them.
        """
        other = cls(parameters, Strengths.join([(o.strengths, lanes) for o, lanes in parts]))
        other.steps = parts[0][0].steps
        for name in dict.fromkeys(name for o, _ in parts for name in o.state):
            # without momentum SGD keeps no buffer; one that is multiplied by 0 may hold anything
            held = [
                (o.parameters, o.state.get(name, torch.zeros_like(o.parameters.flat)), lanes)
                for o, lanes in parts
            ]
            other.state[name] = parameters.join_flat(held)
        return other

    def select(self, parameters: Parameters, lanes: Sequence[int]) -> Optimizer:
        """Return the optimizer for some of the lanes, in the state that they are in.

        ``parameters`` are those lanes' own, as ``Parameters.select`` returned them.
        """
        return self.join(parameters, [(self, lanes)])

    def _prepare(self) -> None:
        parameters = self.parameters
        if not _is_off(self.pull):
            gradient = parameters.gradient[: parameters.n_weights]
            add_l2_gradient_(gradient, parameters.weights, self.pull)
        if not (isinstance(self.shrink, float) and self.shrink == 1.0):
            parameters.weights.mul_(self.shrink)
        self.steps += 1

    def step(self) -> None:
        """Take one step for all lanes."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent: b ← μ·b + g, w ← w - lr·b.

    With momentum a constant gradient moves a weight by lr·(1 + μ + … + μ^(t-1)) a step, so the L1
    threshold is lr·λ times that sum; otherwise L1 would act (1 - μ) times too weakly.

    Source: ``torch.optim.SGD`` (dampening 0); Sutskever et al. 2013.
    """

    def __init__(self, parameters: Parameters, strengths: Strengths) -> None:
        super().__init__(parameters, strengths)
        self.momentum = _spread(strengths.momentum, parameters, weights=False)

    def step(self) -> None:
        """Take one step for all lanes."""
        self._prepare()
        parameters = self.parameters
        moved = parameters.gradient
        if not _is_off(self.momentum):
            buffer = self.state.get("momentum")
            if buffer is None:
                buffer = self.state["momentum"] = torch.zeros_like(parameters.flat)
            moved = buffer.mul_(self.momentum).add_(parameters.gradient)
        if isinstance(self.lr, float):
            parameters.flat.add_(moved, alpha=-self.lr)
        else:
            parameters.flat.addcmul_(moved, self.lr, value=-1)
        if not _is_off(self.l1_step):
            threshold = torch.as_tensor(self.l1_step) * self._warm_up()
            soft_threshold_(parameters.weights, threshold.to(parameters.flat.device))

    def _warm_up(self) -> Tensor | float:
        """Return 1 + μ + … + μ^(t-1) for each weight."""
        t = self.steps
        rates = self.strengths.momentum
        sums = [(1 - rate**t) / (1 - rate) for rate in rates]
        return _spread(sums, self.parameters, weights=True)


class Adam(Optimizer):
    """Adam: m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w - lr·m̂/(√v̂ + ε).

    m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ); β₁ = 0.9, β₂ = 0.999, ε = 1e-8. L2 and weight decay go into g
    (coupled). L1 is S(w, lr·λ/(√v̂ + ε)).

    Source: Kingma & Ba 2015; ``torch.optim.Adam``.
    """

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, parameters: Parameters, strengths: Strengths) -> None:
        super().__init__(parameters, strengths)
        self.state = {name: torch.zeros_like(parameters.flat) for name in ("m", "v")}
        self._step_count = torch.zeros((), device=parameters.flat.device)

    def step(self) -> None:
        """Take one step for all lanes."""
        self._prepare()
        parameters, state, t = self.parameters, self.state, self.steps
        m, v, g, w = state["m"], state["v"], parameters.gradient, parameters.flat
        root = math.sqrt(1 - self.beta2**t)
        if isinstance(self.lr, float):
            # the kernel behind torch.optim.Adam(fused=True), whose class costs a second to import
            torch._fused_adam_(
                [w],
                [g],
                [m],
                [v],
                [],
                [self._step_count.fill_(t)],
                lr=self.lr,
                beta1=self.beta1,
                beta2=self.beta2,
                weight_decay=0.0,
                eps=self.eps,
                amsgrad=False,
                maximize=False,
            )
        else:
            m.lerp_(g, 1 - self.beta1)
            v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            # lr·m̂/(√v̂ + ε) with both corrections drawn out of the tensors: fewer passes
            move = torch.div(m, torch.sqrt(v).add_(self.eps * root)).mul_(self.lr)
            w.sub_(move, alpha=root / (1 - self.beta1**t))
        if not _is_off(self.l1_step):
            scale = torch.sqrt(v[: parameters.n_weights]).div_(root).add_(self.eps)  # √v̂ + ε
            soft_threshold_(parameters.weights, torch.reciprocal(scale).mul_(self.l1_step))


class AdamW(Adam):
    """Adam with decoupled weight decay: w ← (1 - lr·weight_decay)·w before Adam's step.

    Source: Loshchilov & Hutter 2019, arXiv 1711.05101; ``torch.optim.AdamW``.
    """

    decoupled = True


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
