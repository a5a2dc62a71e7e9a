"""Every kind of network by the name that ``model.kind`` gives it."""

from __future__ import annotations

from regviz.nn.autograd import AutogradNetwork
from regviz.nn.convolution import ConvNetwork
from regviz.nn.layers import Network
from regviz.nn.sequence import LSTMNetwork, TransformerNetwork

AnyNetwork = Network | AutogradNetwork

NETWORKS: dict[str, type[Network] | type[AutogradNetwork]] = {
    "mlp": Network,
    "cnn": ConvNetwork,
    "lstm": LSTMNetwork,
    "transformer": TransformerNetwork,
}
