"""Answers that models' and benchmarks' authors published: questions made of them, and what `vlmbench score` says."""
