"""Errors that a person can act on: one line each, naming the thing, its value and what is allowed."""


class UserError(Exception):
    """Something given by the user is wrong; commands print it as one line and exit with code 2."""
