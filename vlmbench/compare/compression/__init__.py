"""What compression costs: one model in many forms, each an ordinary run, held against the uncompressed one.

- study: the cells (number types, int8 and int4, pruned checkpoints, students, fewer visual tokens), run one after the
  other and kept, so that the same command resumes. fronts: which cells no other beats, tables in Markdown and CSV.

Pruning itself belongs to training/pruning, the page to reports/site.
"""
