"""What several tests share; it imports neither a `conftest.py` nor a benchmark."""
