"""Questions about drawn scenes in other languages: German, Spanish, Chinese and Arabic.

Belongs here: the English wordings by what they ask, and for each language its words, their agreement and its sentences.
In reading order: grammar (what a language is made of), wordings (English questions read exactly), the languages
(german, spanish, chinese, arabic), translation (a question in another language).
"""
