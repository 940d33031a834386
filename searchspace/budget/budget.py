"""The budget of a command: an amount of time, of money or of GPU-hours, which is time once the cluster is known."""

from typing import Literal

from pydantic import Field

from trainables.common.errors import UserError
from trainables.config import Frozen

BudgetKind = Literal["seconds", "dollars", "GPU-hours"]
SECONDS_PER_HOUR = 3600.0


class Budget(Frozen):
    """What a whole command may take, from the shell to the report."""

    amount: float = Field(gt=0, allow_inf_nan=False)
    """How much, in its unit."""
    unit: BudgetKind = "seconds"
    """What it is an amount of."""
    price_per_hour: float = Field(0.0, ge=0, allow_inf_nan=False)
    """What the whole cluster costs an hour; of a budget in dollars."""

    def seconds(self, gpus: float) -> float:
        """Seconds of a cluster of so many GPUs; raises `UserError` where it has none, or its price is not known."""
        if self.unit == "GPU-hours":
            if not gpus:
                raise UserError(f"--budget {self.describe()}: the cluster has no GPU; give a time, such as 30m")
            return self.amount * SECONDS_PER_HOUR / gpus
        if self.unit == "dollars":
            if not self.price_per_hour:
                raise UserError(
                    f"--budget {self.describe()}: needs the cluster's price an hour; give --price-per-hour too"
                )
            return self.amount * SECONDS_PER_HOUR / self.price_per_hour
        return self.amount

    def exceeds(self, earlier: "Budget | None") -> bool:
        """Whether it is more than an earlier budget, or of another kind."""
        return earlier is None or earlier.unit != self.unit or earlier.amount < self.amount

    def describe(self) -> str:
        """The budget as it may be written."""
        if self.unit == "dollars":
            return f"${self.amount:g}"
        return f"{self.amount:g}gpuh" if self.unit == "GPU-hours" else f"{self.amount:g}s"
