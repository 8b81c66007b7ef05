"""The terminal interface, `messaging-client chat`; needs the extra `tui`. Built on the public client alone."""
