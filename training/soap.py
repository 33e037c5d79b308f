"""SOAP: Adam in the slowly turning eigenbases of the gradients.

Adam gives every weight a step of its own, as if weights did not depend on each other. Here a
convolution's gradient is first turned into the eigenbases of its covariances over the outputs and
over the inputs, where its parts hardly depend on each other; Adam acts there, and its step is
turned back. In equal time this trains the denoiser and the autoencoder farther (docs/training.md).

References:
    Vyas et al. 2024, "SOAP: improving and stabilizing Shampoo using Adam" (arXiv 2409.11321).
    Zhang and Zhu 2026, "Leveraging second-order curvature for efficient learned image
    compression" (arXiv 2601.20769): why rate and distortion, which pull apart, gain from it.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Soap"]

SIDES = ("outputs", "inputs")
AXES = {"outputs": 0, "inputs": 2}


class Soap(torch.optim.Optimizer):
    """Steps for convolutions ``o i h w`` with their gradients turned; plain Adam for the rest.

    Arguments:
        lr: learning rate, as for Adam.
        betas: forgetting of the two moments.
        basis_beta: forgetting of the covariances.
        every: steps between two turns of the bases.
        largest: sides with more channels than this keep their own basis.

    Example:
        >>> layer = torch.nn.Conv2d(8, 8, 3)
        >>> optimizer = Soap(layer.parameters(), lr=1e-3)
        >>> layer(torch.ones(1, 8, 5, 5)).square().sum().backward()
        >>> optimizer.step()
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.98),
        basis_beta: float = 0.98,
        every: int = 20,
        largest: int = 400,
        eps: float = 1e-8,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "basis_beta": basis_beta}
        super().__init__(params, settings | {"every": every, "largest": largest, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Moves the parameters by their gradients; ``closure``, if any, computes those first."""
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, _as_matrices(parameter.grad), group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["m"], state["v"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
            for side in SIDES if parameter.ndim == 4 else ():
                count = gradient.shape[AXES[side]]
                if 1 < count <= group["largest"]:
                    state[f"covariance_{side}"] = gradient.new_zeros(count, count)
        step = state["step"]
        # Neighbouring steps' covariances are alike, so every other one will do, once there are any.
        if step < group["every"] or step % 2 == 0:
            _add_covariances(gradient, state, min(group["basis_beta"], step / (step + 1)))
        state["step"] = step + 1
        if step == 0:  # nothing moves before there are bases
            for side in SIDES:
                if f"covariance_{side}" in state:
                    state[f"basis_{side}"] = _first_basis(state[f"covariance_{side}"])
            return

        (b1, b2), m, v = group["betas"], state["m"], state["v"]
        turned = _turned(gradient, state)
        m.lerp_(turned, 1 - b1)
        v.mul_(b2).addcmul_(turned, turned, value=1 - b2)
        scale = v.div(1 - b2**step).sqrt_().add_(group["eps"])
        change = _turned(m / scale, state, back=True)
        if parameter.ndim == 4:
            o, i, h, w = parameter.shape
            change = change.reshape(o, h, w, i).permute(0, 3, 1, 2)
        parameter.add_(change.reshape(parameter.shape), alpha=-group["lr"] / (1 - b1**step))
        if step % group["every"] == 0:
            _turn_bases(state)


def _as_matrices(gradient: Tensor) -> Tensor:
    """``o i h w`` as ``o hw i``, which is its order in memory under channels_last."""
    if gradient.ndim != 4:
        return gradient.reshape(1, 1, -1)
    matrices = gradient.permute(0, 2, 3, 1).flatten(1, 2)
    return matrices.transpose(1, 2) if gradient.shape[1] == 1 else matrices  # depthwise


def _first_basis(covariance: Tensor) -> Tensor:
    """Eigenvectors, those of the largest eigenvalues first."""
    # One batch's covariance has fewer dimensions than channels and may be tiny or zero: scaled
    # and in float64, or the decomposition does not always converge.
    scale = covariance.abs().amax().double().clamp(min=1e-30)
    exact = covariance.double() / scale
    exact += 1e-9 * torch.eye(len(exact), dtype=exact.dtype, device=exact.device)
    try:
        basis = torch.linalg.eigh(exact)[1]
    except RuntimeError:  # the turns find it in the end
        return torch.eye(len(covariance), device=covariance.device)
    return basis.flip(1).to(covariance.dtype).contiguous()


# The bases turn slowly and gradients are noisy: three digits, bfloat16, do for the products, at
# twice the speed. Each basis is rounded once, when it turns.


def _add_covariances(gradient: Tensor, state: dict[str, Any], beta: float) -> None:
    rounded = gradient.bfloat16()
    if "covariance_outputs" in state:
        rows = rounded.flatten(1)
        state["covariance_outputs"].lerp_((rows @ rows.T).float(), 1 - beta)
    if "covariance_inputs" in state:
        columns = rounded.flatten(0, 1)
        state["covariance_inputs"].lerp_((columns.T @ columns).float(), 1 - beta)


def _rounded_basis(state: dict[str, Any], side: str) -> Tensor:
    rounded = state.get(f"rounded_{side}")
    if rounded is None or rounded.dtype != torch.bfloat16:  # torch loads a state in float32
        rounded = state[f"rounded_{side}"] = state[f"basis_{side}"].bfloat16()
    return rounded


def _turned(x: Tensor, state: dict[str, Any], back: bool = False) -> Tensor:
    """``o r i`` into the bases, or back out of them."""
    shape, kind = x.shape, x.dtype
    if "basis_outputs" in state:
        basis = _rounded_basis(state, "outputs")
        x = (basis if back else basis.T) @ x.bfloat16().flatten(1)
    if "basis_inputs" in state:
        basis = _rounded_basis(state, "inputs")
        x = x.bfloat16().reshape(shape).flatten(0, 1) @ (basis.T if back else basis)
    return x.to(kind).reshape(shape)


def _turn_bases(state: dict[str, Any]) -> None:
    """One orthogonal iteration; the first moment goes along, the second keeps its order."""
    m = _turned(state["m"], state, back=True)
    for side in SIDES:
        if f"basis_{side}" not in state:
            continue
        covariance, basis = state[f"covariance_{side}"], state[f"basis_{side}"]
        ahead = covariance @ basis
        order = (basis * ahead).sum(0).argsort(descending=True)
        state["v"] = state["v"].index_select(AXES[side], order)
        state[f"basis_{side}"] = torch.linalg.qr(ahead[:, order])[0]
        state.pop(f"rounded_{side}", None)
    state["m"] = _turned(m, state)
