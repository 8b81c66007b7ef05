"""What the README and the pages of `docs/` show is run, and what they promise is there."""
