"""What goes into a paper: a table in LaTeX and a figure in PDF and SVG.

Belongs here: the layout of the board (board/) on a printed page. It computes no score and no test. In reading order:
table (which rows and columns, and what stands in a cell), latex (its text, with everything of others escaped), figure
(scores with their intervals, by matplotlib), write (the folder). Not here: tables of single runs (text/), and the site.
"""
