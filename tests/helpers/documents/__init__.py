"""What tests know of the documents: their blocks of Python, the page of the API, the page of messages."""
