"""Object stores (S3, Google Cloud Storage) by URL: listing, reading, uploads, and conditional writes."""
