"""What decides: the search, its space, its study, the finals, the boards, the command line."""
