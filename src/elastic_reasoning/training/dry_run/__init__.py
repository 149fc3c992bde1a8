"""What a training run would need: parameters, memory and rollouts, without a model."""
