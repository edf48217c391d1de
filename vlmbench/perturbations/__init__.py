"""What `--perturb` does to questions: other pixels, other images, options in another order, other words, attacks.

Belongs here: changes between task and model that fit every benchmark. Not here: running the perturbed questions
(runs/), the differences they make (compare/).
In reading order: perturbations (names, severities, which samples a change fits), places (which samples none fits),
corruptions (of pixels), shuffled_images, option_order, paraphrases (instructions about the form of an answer),
languages (questions in another language), wrong_answers (drawn for attacks), typographic (one of them written into the
image), pgd (attack on pixels by gradients) and attacked_images (its requests, and the files that it leaves in the
cache).
"""
