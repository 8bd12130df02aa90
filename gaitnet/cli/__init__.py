"""The command line: a module a command, `main` puts them together; what is slow to import is imported where used."""
