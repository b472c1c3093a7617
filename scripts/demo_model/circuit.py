"""The circuit that a new network starts with: what it takes to bring back a word from earlier in
the conversation. Training finds it by itself only after many millions of tokens, and refines it in
minutes where it is there. It knows weights and refuses to know words.

One head of the first layer looks at the token before. Two heads of the second look for places
whose token before is the one here, and say what stands there: after "My name is Ada", "name is"
finds "Ada". (Olsson et al., "In-context learning and induction heads", 2022, describe it.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch


if TYPE_CHECKING:
    from torch import Tensor

    from demo_model.model import DemoModel, Shape


# The first number of every embedding is the same, so that a head can look by position alone.
_CONSTANT = 3.0
_SHARPNESS = 6.0
_FAST = 0.05
_WRITE, _MATCH, _COPY = 1.5, 1.4, 1.0
_MATCHING_HEADS = 2


@torch.no_grad()
def wire(model: DemoModel, seed: int) -> None:
    """Set the weights of the circuit in a network whose layers add nothing yet."""
    shape = model.shape
    chance = torch.Generator().manual_seed(seed)
    model.model.embed_tokens.weight[:, 0] = _CONSTANT
    read, written = _directions(shape, chance), _directions(shape, chance)
    looks_back, matches = (layer.self_attn for layer in list(model.model.layers)[:2])
    size = shape.head
    query, key = _one_back(shape)
    for weight, wanted in ((looks_back.q_proj.weight, query), (looks_back.k_proj.weight, key)):
        weight[:size] = 0
        weight[:size, 0] = wanted * _SHARPNESS / _CONSTANT
    looks_back.v_proj.weight[:size] = read
    looks_back.o_proj.weight[:, :size] = _WRITE * written.T
    for head in range(_MATCHING_HEADS):
        own = slice(head * size, (head + 1) * size)
        said = _directions(shape, chance)
        matches.q_proj.weight[own] = _MATCH * read
        matches.k_proj.weight[own] = _MATCH * written
        matches.v_proj.weight[own] = said
        matches.o_proj.weight[:, own] = _COPY * said.T


def _one_back(shape: Shape) -> tuple[Tensor, Tensor]:
    """A query and a key whose product, after both were turned by their positions, is greatest for
    the position before: the turns of the fast channels agree only there.
    """
    half = shape.head // 2
    speed = shape.theta ** -(torch.arange(half).float() / half)
    used = (speed > _FAST).float()
    query = torch.cat((used * torch.cos(speed), -used * torch.sin(speed)))
    return query, torch.cat((used, torch.zeros(half)))


def _directions(shape: Shape, chance: torch.Generator) -> Tensor:
    """A head's worth of directions at right angles, none of which sees the constant."""
    square, _ = torch.linalg.qr(torch.randn(shape.hidden - 1, shape.head, generator=chance))
    return torch.cat((torch.zeros(shape.head, 1), square.T), dim=1)
