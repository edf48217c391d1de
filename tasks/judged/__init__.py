"""Benchmarks whose answers a judge grades, on `vlmbench.families.judged`: MM-Vet, LLaVA-Bench, MMHal-Bench.

One module per benchmark: protocols, official files, answers, grades that exist already, metrics. mmvet_judge,
mmhal_judge: what their judges are asked, and how their replies are read. Numbers in replies: vlmbench.parsing.numbers;
metrics over several runs of a judge: vlmbench.stats.judges. Not here: the judges themselves (vlmbench.scoring).
"""
