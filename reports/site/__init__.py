"""The HTML site of finished runs, and the pages of training curves.

Belongs here: the Python that writes JSON and pages; how they look and behave lies in assets/ (TypeScript, CSS, HTML).
Everything a page shows is data that it inserts as text (page.py says why).
In reading order: build (writes the folder), page (HTML with inlined scripts and its security policy), report_data
(a run as JSON), answer_stats with calibration (what the answers look like), efficiency, sample_index with
box_overlays (the sample browser's data), run_groups (which runs belong together), comparisons (pairs compared ahead),
ranks, published (figures from papers), training_curves (pages of their own).
"""
