"""The whole way in Python: search, look at the result, predict, evaluate, export. It takes a minute on two cores."""

import numpy as np
from sklearn.datasets import load_digits

import searchspace


def on_event(event: searchspace.SearchEvent) -> None:
    """Print a line for each trial that has ended."""
    if isinstance(event, searchspace.TrialEnded):
        print(f"trial {event.number}: {event.status}, score {event.score}")


# Images in memory are uint8 from 0 to 255. A folder, a table, a data frame or a data set of Hugging Face will do, too.
bunch = load_digits()
images = (bunch.images / 16 * 255).round().astype(np.uint8)  # (1797, 8, 8)
names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
new_images, new_labels = images[1600:], bunch.target[1600:]
data = searchspace.ArrayData(train=(images[:1600], bunch.target[:1600]), classes=names)

result = searchspace.search(
    data, name="from-python", models=["convnet"], trials=3, max_epochs=2, grace_epochs=1, finalists=1, final_seeds=1,
    formats=["onnx"], progress="none", callbacks=[on_event],
)  # fmt: skip

print(result)
print(result.leaderboard[["rank", "trial", "status", "score", "lr"]])
print(f"test accuracy {result.metrics.accuracy:.2%}, at least {result.metrics.accuracy_low:.2%}")

winner = result.winner
print(winner.predict(new_images[:5]))  # names of classes
print(winner.predict_proba(new_images[:5]).shape)  # (5, 10)
print(winner.evaluate((new_images, new_labels)))  # of images that the search has not seen
print(winner.files["onnx"])
print(result.report())

# Any day later, also of a search that was interrupted:
print(searchspace.load("results/from-python").winner.config.lr)
