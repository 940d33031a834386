"""The engine of a search: which configuration is next, and which trial goes on."""
