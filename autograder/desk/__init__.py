"""What a learner's machine needs: a workspace of their own, progress, a doctor, handing in. Imports no sandbox."""
