"""The page of `searchspace data --html`: what was understood of a data set, with images of each class."""
