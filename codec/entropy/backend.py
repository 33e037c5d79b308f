"""constriction's stack coder, or `ans` where it is not installed: the same bytes."""

from typing import TYPE_CHECKING

__all__ = ["AnsCoder", "Categorical", "Uniform"]

if TYPE_CHECKING:  # constriction is native code, which has no type stubs
    from .ans import AnsCoder, Categorical, Uniform
else:
    try:
        from constriction import stream
    except ImportError:  # it has no wheel for Linux on Arm
        from .ans import AnsCoder, Categorical, Uniform
    else:
        AnsCoder = stream.stack.AnsCoder
        Categorical, Uniform = stream.model.Categorical, stream.model.Uniform
