"""Text in CSV files that a spreadsheet program may open."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that Excel, LibreOffice or Google Sheets would take for a formula (OWASP: CSV injection)."""


def literal(text: str) -> str:
    """`text` as a cell that is shown and never computed: an apostrophe is put before what would be a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
