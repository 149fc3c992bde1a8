"""What training is fed with, whatever the trainer: budgets, rewards, scores, advantages, rows of ids."""
