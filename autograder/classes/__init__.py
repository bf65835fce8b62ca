"""Many submissions: who grades them, what is already graded, how it gets into the gradebook, what a teacher reads."""
