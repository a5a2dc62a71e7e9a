"""The modes of torch in which stacks are built and trained, and one epoch in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from regviz.nn.autograd import AutogradNetwork
from regviz.nn.networks import AnyNetwork
from regviz.training.lanes import take_out
from regviz.training.stack import Stack

_END = object()


def without_graph(kind: type[AnyNetwork]) -> contextlib.AbstractContextManager[object]:
    """Compute without autograd's graph.

    Networks with autograd's backward pass build a graph within their forward pass, and tensors
    made in inference mode can never be part of one: for these kinds it is ``no_grad``.
    """
    return torch.no_grad() if issubclass(kind, AutogradNetwork) else torch.inference_mode()


@contextlib.contextmanager
def fast_arithmetic(kind: type[AnyNetwork]) -> Iterator[None]:
    """Train without a graph, on one thread, and with denormal numbers taken as 0.

    Models this small are slower on two threads, far slower where other processes need the cores,
    and sums round differently for each number of threads. The moments of dead units sink below
    1e-38, where arithmetic is ten times slower; taking them as 0 is a mode of the one thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with without_graph(kind):
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def one_epoch(stack: Stack) -> Iterator[None]:
    """Train a stack for one epoch and take out the lanes that it ends.

    Hands control back every few milliseconds, and once at the end.
    """
    epoch = _epoch(stack)
    while True:
        # entered anew for each slice: the modes belong to the thread, which may train another
        # run or do anything else between two slices
        with fast_arithmetic(type(stack.network)):
            if next(epoch, _END) is _END:
                break
        yield
    yield


def _epoch(stack: Stack) -> Iterator[None]:
    yield from stack.train_epoch()
    take_out(stack)
