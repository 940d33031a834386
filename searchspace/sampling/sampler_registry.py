"""The samplers by name, all Optuna's: adding one is one function that makes it and one entry. Imports no Optuna."""

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True)
class Sampler:
    """A sampler known by name."""

    summary: str
    """One line for the docs."""
    maker: str
    """`module:function` that makes Optuna's sampler from a seed and the number of trials from which on it models them;
    imported when it is called, as Optuna is with it."""
    full_length_only: bool = False
    """Whether it models full-length values only; it sees the scores of one fidelity as if they were full-length."""
    aliases: tuple[str, ...] = ()
    """Names that other tools have for it."""

    def make(self, seed: int, startup: int) -> "BaseSampler":
        """Optuna's sampler, which draws at random before it sees as many as `startup` trials."""
        sampler: BaseSampler = resolve_name(self.maker)(seed, startup)
        return sampler


SAMPLERS: dict[str, Sampler] = {
    "tpe": Sampler(
        "Parzen estimators (NeurIPS 2011): any space, conditional ones too", "searchspace.sampling.samplers:make_tpe",
        aliases=("bayes", "bayesian", "optuna"),
    ),
    "gp": Sampler(
        "a Gaussian process: few parameters, few trials, seconds a suggestion", "searchspace.sampling.samplers:make_gp",
        full_length_only=True,
    ),
    "cmaes": Sampler(
        "CMA-ES (arXiv:1604.00772): many trials of numeric parameters", "searchspace.sampling.samplers:make_cmaes",
        full_length_only=True,
    ),
    "random": Sampler("independent draws, nothing learnt", "searchspace.sampling.samplers:make_random"),
}  # fmt: skip
"""Each sampler by its name in `--sampler`."""

if TYPE_CHECKING:
    SamplerName = str
else:
    SamplerName = Literal[("auto", *SAMPLERS)]
    """What `--sampler` takes: a name in `SAMPLERS`, or the choice between them that suits the space."""
