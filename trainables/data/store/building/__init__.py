"""Building a store: decoding chunks of images into it, and summing it up."""
