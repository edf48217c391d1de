"""Reports of finished runs: text for terminals and files, tables for papers, and the HTML site.

Belongs here: whatever turns the files of finished runs into something that people or other programs read. It reads
runs and never writes into them, and it computes no score: scores.json and the comparisons of the core hold the
numbers. The core names the entry points as strings ("vlmbench.reports.text.table:text").

In reading order: runs.py (what a run's folder holds; everything else builds on it), text/ (tables, summaries, JUnit,
exports), board/ (one row a model, gaps to the best, averages), paper/ (LaTeX and figures of it), site/ (the folder with
index.html), site/assets/ (its HTML, CSS and TypeScript). Arrows point down only: site and paper import board and
text, these import runs.
"""
