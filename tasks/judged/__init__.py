"""Benchmarks whose answers a judge grades, on `vlmbench.families.judged`: MM-Vet, LLaVA-Bench.

Per benchmark a module of its name (protocols, metrics, sizes), NAME_judge (what the judge is asked, how its replies are
read) and NAME_files (official files, answers, and grades that exist already). Numbers in replies:
vlmbench.parsing.numbers; metrics over several runs of a judge: vlmbench.stats.judge_runs. Not here: the judges
themselves (vlmbench.scoring).
"""
