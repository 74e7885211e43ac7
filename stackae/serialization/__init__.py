"""Files: written whole or not at all, with what they were made with, read without running anything."""
