"""Files with a row per question, read as samples by saying which column holds what.

`columns`: a row as a sample, shared by all readers; `image_column`: the column that names images.
`row_files`: JSON, JSON lines, CSV, TSV with the images in a folder; `image_table`: VLMEvalKit's TSV files with images
inside; `hub_dataset`, `nested_hub`: datasets of the Hugging Face hub; `tab_rows`: lines of cells without a header.
Families and plug-ins use them.
Not here: layouts of one benchmark's own, which stay with it.
"""
