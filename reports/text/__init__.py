"""Reports as text: for the terminal, for Markdown, for files that other programs read.

Belongs here: anything whose result is a string or the bytes of one file. HTML lies in ../site.
In reading order: table (a run's scores), compare (two runs), perturbations (a run and its perturbed runs), gate (what
`vlmbench check` says), junit (the same for CI systems), exports (the site's tables as Markdown, CSV, LaTeX and JSON).
"""
