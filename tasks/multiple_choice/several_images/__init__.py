"""Multiple choice about several images: MMMU, MMMU-Pro, BLINK, MuirBench.

Where an image belongs, the text has a mark, and each protocol shows it in its own way (vlmbench.data.images.places).
Three of the official codes take a random option where they read none (vlmbench.stats.figures.guesses).
Not here: how questions, options and answers are read and scored, which is vlmbench.families.multiple_choice.
"""
