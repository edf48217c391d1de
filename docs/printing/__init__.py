"""What writes those pages and pictures of docs/ that say what the code says; tests fail when they have gone stale.

- print_pages: `make docs`, all pages. rooms: the diagram of docs/architecture.md.
- benchmark_pages, benchmark_readings, model_pages, perturbation_pages, robustness_pages, training_ablation_pages: one
  kind of page each.
- site_hooks: what mkdocs.yml needs besides plug-ins, for `make docs-site`.
- markdown: tables and code blocks. The JSON files hold measured figures that the pages show.
"""
