"""The page on which people grade answers by hand, one self-contained HTML file.

Belongs here: what goes into that page. Not here: which answers are drawn and how sheets are read (compare/labels), and
how the page looks and behaves (site/assets/views/labelling.ts).
"""
