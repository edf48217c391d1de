"""What `--perturb` does to questions: other pixels, other images, options in another order, other instructions.

Belongs here: changes between task and model that fit every benchmark. Not here: running the perturbed questions
(runs/), the differences they make (compare/).
In reading order: perturbations (names, severities, which samples a change fits), corruptions (of pixels), option_order,
paraphrases (instructions about the form of an answer).
"""
