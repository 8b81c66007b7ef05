"""What `messaging_client.wire` must do, written plainly: no caches and no short cuts.
What has none there either (tables of spellings, ids, words) is the package's own.

The fast normalisers are compared with these (`tests/wire/test_reference.py`). They change only when the contract does.
"""
