"""What one driver pays: the measured costs that the model is driven by."""

import math
from itertools import pairwise

from trainables.config import Frozen

Points = dict[int, float]
"""A cost by size, at some sizes."""


def at(points: Points, size: float) -> float:
    """A cost at any size: a straight line between the nearest measured sizes, on logarithmic axes, and beyond them."""
    known = sorted(points.items())
    if size <= known[0][0] or len(known) == 1:
        return known[0][1]
    (x, y), (xx, yy) = next((pair for pair in pairwise(known) if size <= pair[1][0]), (known[-2], known[-1]))
    slope = math.log(yy / y) / math.log(xx / x)
    return y * (size / x) ** slope


class Costs(Frozen):
    """Seconds of one core, if nothing else is said."""

    suggest: Points
    """A suggestion, by trials in training (four times as many in the study)."""
    hear: Points
    """What the searcher, the study and the rule do at one report, by the same."""
    end: Points
    """What they do at the end of one go of a trial, by the same."""
    wait: Points
    """One wait of Ray Tune's loop for whatever comes next, by trials in training."""
    result: float
    """What else the loop does for one report: Ray's and Tune's own part."""
    go: float
    """What else the loop does to begin and end one go of a trial."""
    letter: Points
    """One message to the trial broker, by slots whose owners and gangs wait for theirs: its own part."""
    call: float
    """What Ray adds to it, in the trial broker's process."""
    relay: float
    """What a trial's actor does with one report, and the driver's threads other than the loop's."""
    reset: float
    """What they do to begin and end one go of a trial."""
    actor_start: float
    """Starting the process of one trial actor, on the head; so long it takes where a core is free."""
    controller_start: float
    """Starting one gang's controller, on the head."""
    gang_start: float
    """Starting one worker of a gang, on its node; so long it takes there."""
    keep: float
    """Cores that one gang's controller and trial actor keep busy on the head while it trains."""
    thread: float
    """Cores that one waiting thread of the driver, one a gang, keeps busy."""
    slot_mb: float
    """Memory of its own that the head gives one slot: a trial actor and a controller, in MB (10^6 bytes)."""
    base_mb: float
    """Memory of driver, trial broker and Ray's own processes on the head, in MB."""
    trial_mb: float
    """By which the driver grows a trial, in MB."""
