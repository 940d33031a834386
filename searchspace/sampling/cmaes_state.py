"""CMA-ES, whose state in the study is a pickle: the reader here makes only arrays and that state, and runs no code.

Optuna keeps the state of its `CmaEsSampler` among a study's attributes and reads it with `pickle.loads`, which runs
what the pickle names. So all who may write to a study (in a bucket, in a database) could run code where the search is
resumed. Here only the classes that such a state is made of can be named; any other name is an error.
"""

import io
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from searchspace.optuna_compat import StateReadingCmaEsSampler
from trainables.common.errors import UserError

if TYPE_CHECKING:
    from cmaes import CMA

ALLOWED = {
    ("cmaes._cma", "CMA"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.multiarray", name) for core in ("_core", "core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("_core", "core")),
}
"""Module and name of all that the state's pickle names, with NumPy 1 and 2."""


class _StateUnpickler(pickle.Unpickler):
    """Finds nothing but `ALLOWED`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no such state has")
        return super().find_class(module, name)


def read_state(text: str) -> "CMA":
    """The state that `text`, a pickle as hexadecimal digits, holds.

    Raises `UserError` for what names anything but arrays and that state, and for what is none.
    """
    from cmaes import CMA

    try:
        state = _StateUnpickler(io.BytesIO(bytes.fromhex(text))).load()
    except Exception as error:  # a damaged pickle may raise anything
        raise UserError(f"the study's state of CMA-ES is damaged, or not of this search: {error}") from error
    if not isinstance(state, CMA) or not isinstance(getattr(state, "_mean", None), np.ndarray):
        raise UserError(f"the study's state of CMA-ES is damaged: it is of type {type(state).__name__}")
    return state


class PlainCmaEsSampler(StateReadingCmaEsSampler):
    """Optuna's sampler, which reads its state from a study by the function `read_state`."""

    def read_state(self, text: str) -> "CMA":
        """The state that hexadecimal digits hold; raises `UserError` as the function does."""
        return read_state(text)
