"""``python -m character`` is the command line."""

from character.cli import main

if __name__ == "__main__":
    main()
