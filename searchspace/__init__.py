"""The package that decides: search engine, search spaces, study, finals, reports, and the command line."""
