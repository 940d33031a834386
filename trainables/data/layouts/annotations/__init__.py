"""Files that describe the images of a folder: their classes, or objects within them."""
