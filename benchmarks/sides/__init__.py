"""What is measured, side by side: the same work done by us, by the bare libraries, and (in `../javascript`) in Node.

Each run of a side is a process of its own, so that neither memory nor a warm cache of one falls to the other.
"""
