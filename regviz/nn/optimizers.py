"""SGD, Adam and AdamW for a stack of lanes: torch's update rules, one step size for each lane.

torch's own optimizers take one learning rate for a whole tensor. Here every strength is a vector
over lanes. A strength that all lanes share is kept as a plain number, which is faster; the result
is the same to float rounding.

One step is three calls, each a place for techniques of its kind:

1. ``prepare`` changes the gradient and shrinks the weights: it adds the gradient of L2, clips, and
   for SGD and Adam adds the gradient of weight decay; for AdamW it multiplies the weights by 1 -
   lr·weight_decay.
2. ``move`` is the optimizer's own rule.
3. ``finish`` projects the weights: for L1 the proximal step in the optimizer's own metric, that is
   with the threshold scaled as the step was; then max-norm's limits.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from regviz.nn.layers import Parameters
from regviz.nn.penalties import add_l2_gradient_, limit_norms_, soft_threshold_
from regviz.specs import Experiment


@dataclass(frozen=True)
class Strengths:
    """What optimizer steps need of each lane: one number per lane and field.

    A field is named as in :class:`~regviz.specs.TrainingSpec` or
    :class:`~regviz.specs.RegularizationSpec`. One that is left out is 0 in every lane, which
    switches its technique off.
    """

    lr: Sequence[float]
    l1: Sequence[float] = ()
    l2: Sequence[float] = ()
    weight_decay: Sequence[float] = ()
    momentum: Sequence[float] = ()
    max_norm: Sequence[float] = ()
    clip_norm: Sequence[float] = ()

    def __post_init__(self) -> None:
        for f in fields(self):
            if not getattr(self, f.name):
                object.__setattr__(self, f.name, (0.0,) * len(self.lr))

    @classmethod
    def of(cls, experiments: Sequence[Experiment]) -> Strengths:
        """Return the strengths of experiments, one lane each."""

        def value(e: Experiment, name: str) -> float:
            group = e.training if hasattr(e.training, name) else e.regularization
            return float(getattr(group, name))

        return cls(**{f.name: [value(e, f.name) for e in experiments] for f in fields(cls)})

    @classmethod
    def join(cls, parts: Sequence[tuple[Strengths, Sequence[int]]]) -> Strengths:
        """Return the strengths of some lanes of several stacks, part after part."""
        names = [f.name for f in fields(cls)]
        return cls(**{k: [getattr(s, k)[i] for s, lanes in parts for i in lanes] for k in names})


def _is_off(value: Tensor | float) -> bool:
    return isinstance(value, float) and value == 0.0


def clip_gradients_(parameters: Parameters, limits: Float[Tensor, " lanes"]) -> None:
    """Scale each lane's gradient down to a norm of at most its limit, in place.

    g ← g·min(1, c/(‖g‖ + 10⁻⁶)), where ‖g‖ is over all parameters of the lane; c = inf clips
    nothing.

    Source: Pascanu et al. 2013; ``torch.nn.utils.clip_grad_norm_``.
    """
    blocks = [parameters.grad(name).flatten(1) for name in parameters.slices]
    norms = torch.stack([torch.linalg.vector_norm(block, dim=1) for block in blocks])
    scale = torch.clamp(limits / (torch.linalg.vector_norm(norms, dim=0) + 1e-6), max=1.0)
    for block in blocks:
        block.mul_(scale.unsqueeze(1))


class Optimizer(ABC):
    """Base of the optimizers: strengths, state, and the parts of a step that all share.

    ``state`` holds the vectors that a rule remembers, by name, laid out as ``parameters.flat``.
    """

    decoupled = False

    def __init__(self, parameters: Parameters, strengths: Strengths) -> None:
        self.parameters = parameters
        self.strengths = strengths
        self.steps = 0
        decay = strengths.weight_decay
        pull = strengths.l2
        pull_after: Sequence[float] = (0.0,) * len(decay)
        self.clips = any(strengths.clip_norm)
        if not self.decoupled and self.clips:  # decay is the optimizer's, L2 part of the loss
            pull_after = decay
        elif not self.decoupled:  # one pass over the weights instead of two
            pull = [a + b for a, b in zip(pull, decay, strict=True)]
        shrink = [
            1 - lr * d if self.decoupled else 1.0 for lr, d in zip(strengths.lr, decay, strict=True)
        ]
        l1_step = [lr * k for lr, k in zip(strengths.lr, strengths.l1, strict=True)]
        self.lr = parameters.spread(strengths.lr)
        self.pull = parameters.spread(pull, weights=True)
        self.pull_after = parameters.spread(pull_after, weights=True)
        self.shrink = parameters.spread(shrink, weights=True)
        self.l1_step = parameters.spread(l1_step, weights=True)
        self.limited = any(strengths.max_norm)
        self.weight_limits, self.gradient_limits = (
            torch.tensor([c or math.inf for c in each], device=parameters.device)
            for each in (strengths.max_norm, strengths.clip_norm)
        )
        self.state: dict[str, Tensor] = {}

    @classmethod
    def join(
        cls, parameters: Parameters, parts: Sequence[tuple[Optimizer, Sequence[int]]]
    ) -> Optimizer:
        """Return an optimizer of some lanes of several stacks, in the state of those lanes.

        ``parameters`` are what ``Parameters.join`` returned for the same parts. All of them have
        taken equally many steps.
        """
        other = cls(parameters, Strengths.join([(o.strengths, lanes) for o, lanes in parts]))
        other.steps = parts[0][0].steps
        for name in dict.fromkeys(name for o, _ in parts for name in o.state):
            # SGD without momentum keeps no buffer; with momentum 0 its content does not count
            held = [
                (o.parameters, o.state.get(name, torch.zeros_like(o.parameters.flat)), lanes)
                for o, lanes in parts
            ]
            other.state[name] = parameters.join_flat(held)
        return other

    def step(self) -> None:
        """Change ``parameters.flat`` from ``parameters.gradient`` in place, all lanes at once.

        The gradient's memory is used on the way.
        """
        self.steps += 1
        self.prepare()
        self.move()
        self.finish()

    def prepare(self) -> None:
        """Add the penalties' gradients to the gradient, clip it, and shrink the weights for
        decoupled weight decay."""
        parameters = self.parameters
        gradient = parameters.gradient[: parameters.n_weights]
        if not _is_off(self.pull):
            add_l2_gradient_(gradient, parameters.weights, self.pull)
        if self.clips:
            clip_gradients_(parameters, self.gradient_limits)
        if not _is_off(self.pull_after):
            add_l2_gradient_(gradient, parameters.weights, self.pull_after)
        if not (isinstance(self.shrink, float) and self.shrink == 1.0):
            parameters.weights.mul_(self.shrink)

    @abstractmethod
    def move(self) -> None:
        """Move the parameters by the optimizer's rule."""

    def finish(self) -> None:
        """Take L1's proximal step, then limit the norms of the weights into each unit."""
        if not _is_off(self.l1_step):
            soft_threshold_(self.parameters.weights, self.l1_threshold())
        if self.limited:
            for name in self.parameters.weight_names:
                limit_norms_(self.parameters[name], self.weight_limits)

    @abstractmethod
    def l1_threshold(self) -> Tensor:
        """Return how far L1 pulls each weight towards 0 in this step."""


class SGD(Optimizer):
    """Stochastic gradient descent: b ← μ·b + g, w ← w - lr·b.

    With momentum a constant gradient moves a weight by lr·(1 + μ + … + μ^(t-1)) a step, so the L1
    threshold is lr·λ times that sum; otherwise L1 would act (1 - μ) times too weakly.

    Source: ``torch.optim.SGD`` (dampening 0); Sutskever et al. 2013.
    """

    def __init__(self, parameters: Parameters, strengths: Strengths) -> None:
        super().__init__(parameters, strengths)
        self.momentum = parameters.spread(strengths.momentum)

    def move(self) -> None:
        """Move the parameters by -lr·b."""
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

    def l1_threshold(self) -> Tensor:
        """Return lr·λ·(1 + μ + … + μ^(t-1)) for each weight, or one number for all."""
        threshold = torch.as_tensor(self.l1_step) * self._warm_up()
        return threshold.to(self.parameters.flat.device)

    def _warm_up(self) -> Tensor | float:
        """Return 1 + μ + … + μ^(t-1) for each weight."""
        t = self.steps
        rates = self.strengths.momentum
        sums = [(1 - rate**t) / (1 - rate) for rate in rates]
        return self.parameters.spread(sums, weights=True)


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

    def move(self) -> None:
        """Move the parameters by -lr·m̂/(√v̂ + ε)."""
        parameters, state, t = self.parameters, self.state, self.steps
        m, v, g, w = state["m"], state["v"], parameters.gradient, parameters.flat
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
            root = math.sqrt(1 - self.beta2**t)
            move = torch.div(m, torch.sqrt(v).add_(self.eps * root)).mul_(self.lr)
            w.sub_(move, alpha=root / (1 - self.beta1**t))

    def l1_threshold(self) -> Tensor:
        """Return lr·λ/(√v̂ + ε) for each weight."""
        root = math.sqrt(1 - self.beta2**self.steps)
        v = self.state["v"][: self.parameters.n_weights]
        scale = torch.sqrt(v).div_(root).add_(self.eps)  # √v̂ + ε
        return torch.reciprocal(scale).mul_(self.l1_step)


class AdamW(Adam):
    """Adam with decoupled weight decay: w ← (1 - lr·weight_decay)·w before Adam's step.

    Source: Loshchilov & Hutter 2019, arXiv 1711.05101; ``torch.optim.AdamW``.
    """

    decoupled = True


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
