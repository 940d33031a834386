"""Forecasts of a search's time, memory, disk and money: from a dry run before it, and from its own first trials."""
