"""Where tables live: the GoogleSQL bridge, the write contract and the I/O manager. Nothing of analytics."""
