"""Early stopping: pure rules, without Ray, training or a clock, so that they can be replayed over recorded curves."""
