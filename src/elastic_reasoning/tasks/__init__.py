"""What is asked: tasks yield problems and grade solutions."""
