"""Training rows from drawn scenes: images and questions made on demand, from a seed.

- dataset: rows by number. questions: what benchmarks would ask about a scene. photos: signs, darkness, blur.
- batches: the rows of each step. feature_pool: rows of files with cached features. vocabulary: learns a tokenizer.

The scenes themselves belong to vlmbench/scenes/.
"""
