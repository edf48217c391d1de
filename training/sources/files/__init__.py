"""Large files read a row at a time.

- jsonfile: rows of a JSON array by their offsets. tarcount: rows of a tar shard, and what a damaged one lost.
- plainpickle: a pickle of plain data, read without running anything. image_digest: digests of the images rows name.
"""
