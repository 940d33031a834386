"""The package that trains: configurations, gangs of warm workers, data, models, evaluation, deployment."""
