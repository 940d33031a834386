"""Writes the pages, and the parts of pages, that are rendered from the code: `make docs`.

docs/api.md, and the lists of messages in docs/troubleshooting.md. The figures of all pages are written by
tests/benchmarks/figures.py.
"""

from tests.helpers.documents import api_page, message_page


def main() -> None:
    """Write what differs, and name it."""
    for page in (api_page, message_page):
        print(f"{page.PAGE.name}: {'written' if page.write_page() else 'as it was'}")


if __name__ == "__main__":
    main()
