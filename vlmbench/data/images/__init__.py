"""Images: decoded alike for every model, and put together on one sheet.

In reading order: decoding (bytes to an upright RGB image, hashes of pixels), image_sheet (several images as one).
Not here: where an image's bytes come from (data/files, data/image_cells), and how a model prepares pixels (models/).
"""
