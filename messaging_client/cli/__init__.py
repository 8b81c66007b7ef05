"""The command line, `messaging-client`; needs the extra `cli`."""
