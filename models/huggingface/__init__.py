"""Any image-text model of transformers: `--model hf:FOLDER` or `--model hf:OWNER/NAME`.

- load: opens a model by its options. loading/: processors, adapters, missing or misshapen weights, error messages.
- system: model and processor together. prompts, questions: a request as the processor renders it.
- engine: shares what may be shared of an image (prefix_check, sharing/), else batches or asks one by one (batching,
  batch_check, plain, generate).
- template_clock: chat templates that print the date print the same date every day.

No architecture is named here: what a model's config, modules and a trial at load say decides.
"""
