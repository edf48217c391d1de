"""People's grades of a few answers, beside the judge's of all: sheets to fill in, and what both say together.

Belongs here: which answers are drawn for labelling, how sheets are written and read (`sheet`), `estimates`, and which
of several runs a sheet belongs to (`matching`).
Not here: the statistics (vlmbench.stats.judges), and what judges are asked (scoring/).
"""
