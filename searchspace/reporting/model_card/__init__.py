"""The model card of a tested and exported classifier: `README.md` in its folder, in Hugging Face's format."""

CARD_FILE = "README.md"
