"""The generated part of the blocking client; users import `messaging_client.sync`."""
