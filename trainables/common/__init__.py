"""What every part uses: errors, text from outside, retries, licences."""
