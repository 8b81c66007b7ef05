"""What travels on the wire, and nothing else: the only place with French keys. Pure functions without any I/O."""
