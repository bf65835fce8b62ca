"""`python -m autograder` is the command `bonsai`, for machines where the command is not on the path."""

from autograder.cli import main

main()
