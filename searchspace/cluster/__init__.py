"""Ray, one of the search's own or a cluster's: connected to, looked around in, and room for gangs found there."""
