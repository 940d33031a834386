"""Connects to Ray, a search's own or a cluster's, inspects its nodes, and places gangs on them."""
