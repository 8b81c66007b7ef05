"""What `messaging_client.wire` must do, written plainly: no caches and no short cuts.

The fast normalisers are compared with these (`tests/wire/test_reference.py`). They change only when the contract does.
"""
