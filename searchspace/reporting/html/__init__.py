"""The report of a search: one HTML file with the result first, then its evidence; it needs no network."""

REPORT = "report.html"
