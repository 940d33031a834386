"""The budget of a whole command: a plan for its phases, kept up to date as costs become known."""
