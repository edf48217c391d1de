"""Images: decoded alike for every model, put together on one sheet, and placed in a question's text.

In reading order: decoding (bytes to an upright RGB image, hashes of pixels), image_sheet (several images as one),
places (marks for images in a text, and where a protocol shows them), data_urls (images as chat servers take them).
Not here: where an image's bytes come from (data/files, data/image_cells), and how a model prepares pixels (models/).
"""
