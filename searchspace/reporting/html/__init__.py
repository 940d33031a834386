"""The report of a search: one HTML file with the answer first, then everything it rests on; opens without a network."""

REPORT = "report.html"
