"""`vlmbench run --gate BASELINE`: a gate that is looked at while the run goes on, and ends it when it is decided.

Belongs here: what is asked in which order, when the gate is looked at, and the report of a run that it ended. Not here:
the statistics of a look (stats/sequential/), the gate of a finished run (compare/gates/), asking itself (runs/).
In reading order: course (the seeded order of the images and the looks), fitting (whether run and baseline go together,
before anything is asked), sides (what a task is held against, and its answers so far), early_gate (the watch of a run,
and its report with that of the finished tasks).
"""
