"""How it is said what a search bought; the same on the terminal, in the report and on the model card."""

from searchspace.finals.comparison import METHOD
from searchspace.finals.formatting import say_amount, say_interval, say_name, say_score
from searchspace.finals.gain import Gain


def say_gain(gain: Gain) -> str:
    """`majority class 10.48%, default configuration (trial 0) 99.13%, winner 99.85%: gain 0.73 points (...)`."""
    metric = gain.metric
    steps = [f"majority class {say_score(metric, gain.baseline.majority)}"]
    if gain.default is not None and gain.outcome != "none":
        steps.append(f"{gain.baseline.words} {say_score(metric, gain.default.score)}")
    steps.append(f"winner ({say_name(gain.winner)}) {say_score(metric, gain.winner.score)}")
    return f"{', '.join(steps)}: {say_outcome(gain)}"


def say_outcome(gain: Gain) -> str:
    """The gain over the default, and whether it is more than chance."""
    words, comparison = gain.baseline.words, gain.comparison
    if gain.outcome == "unknown":
        return f"the {words} has no re-score ({gain.baseline.reason}), so what the search gained over it is unknown"
    if comparison is None:
        return f"the {words} is the winner, so the search gained nothing over it"
    amount = f"gain {say_amount(gain.metric, comparison.difference)}"
    sure = f"{amount} (95 % {METHOD} interval {say_interval(gain.metric, comparison)})"
    return {
        "significant": f"{sure}, significant",
        "not significant": f"{sure}, not significant",
        "one seed": f"{amount}; one seed each does not tell it from chance, --final-seeds 2 or more does",
        "no variance": "no difference, on no image and from no seed",
    }[comparison.outcome]
