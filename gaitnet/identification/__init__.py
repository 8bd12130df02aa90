"""From identification vectors to names: linear SVM, the gallery file, and "unknown"."""
