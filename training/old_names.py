"""Names of the tree before issue 23, so that its checkpoints, weights and model files load.

This file goes when issues 24 and 26 close. Settings of model files are mapped by
`codec.modelfile.RENAMED`; those of a network in weights and checkpoints by the same table.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from ..codec.modelfile import RENAMED

__all__ = ["checkpoint", "settings", "tensor_name", "tensors"]

Value = TypeVar("Value")

# Parameters and buffers, old -> new: regular expressions.
TENSORS = {
    r"^bank_logits\.": "z_prior_logits.",
    r"^residuals\.": "quantizer.",
    r"\.reach$": ".activation_range",
    r"^halvings\.": "lifting.",
}
CHECKPOINT = {"fresh": "from_scratch"}
GROUP = {"pace": "lr_scale"}  # of the optimizer


def tensor_name(old: str) -> str:
    """The name that a parameter or buffer has today.

    >>> tensor_name("bank_logits.table"), tensor_name("g_s.body.4.0.reach")
    ('z_prior_logits.table', 'g_s.body.4.0.activation_range')
    """
    for pattern, new in TENSORS.items():
        old = re.sub(pattern, new, old)
    return old


def tensors(values: Mapping[str, Value]) -> dict[str, Value]:
    """``values`` under today's names."""
    return {tensor_name(name): value for name, value in values.items()}


def settings(network: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a network under today's names.

    >>> settings({"banks": 8, "y": 320})
    {'z_priors': 8, 'y': 320}
    """
    return {RENAMED.get(name, name): value for name, value in network.items()}


def checkpoint(state: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint under today's names."""
    state = {CHECKPOINT.get(name, name): value for name, value in state.items()}
    state["network"] = settings(state["network"])
    state["model"], state["average"] = tensors(state["model"]), tensors(state["average"])
    groups = [
        {GROUP.get(name, name): value for name, value in group.items()}
        for group in state["optimizer"]["param_groups"]
    ]
    state["optimizer"] = {**state["optimizer"], "param_groups": groups}
    return state
