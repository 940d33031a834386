"""Options from elsewhere than the command line: a file, or an earlier search."""
