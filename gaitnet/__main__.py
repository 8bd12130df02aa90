"""`python -m gaitnet COMMAND`: the same as `gaitnet COMMAND`, where no script is on the path."""

from gaitnet.cli.main import main

if __name__ == "__main__":
    main()
