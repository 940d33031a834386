"""The model card of a classifier that was tested and shipped: `README.md` in its folder, as Hugging Face has them."""

CARD_FILE = "README.md"
