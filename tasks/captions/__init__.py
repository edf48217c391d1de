"""Benchmarks answered by a description of the image: COCO, NoCaps, Flickr30k, TextCaps; CHAIR; AMBER's generative part.

One module per benchmark: protocols, official files, metrics, sizes. The first four are on `vlmbench.families.captions`
and read by vlmbench.data.official.captions; the others count the things that a description names. Not here: what two
benchmarks share, which belongs to the family; captions that are ranked (multiple_choice/).
"""
