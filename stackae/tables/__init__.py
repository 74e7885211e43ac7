"""Tables as people have them - text, categories, dates, gaps - as one array of floats, and back."""
