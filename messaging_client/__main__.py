"""`python -m messaging_client` is `messaging-client`."""

from messaging_client.cli.main import run

run()
