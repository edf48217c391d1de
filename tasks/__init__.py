"""The benchmarks: one file each. Names are listed in vlmbench/base/registry.py."""
