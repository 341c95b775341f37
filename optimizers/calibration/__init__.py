"""What corrects a judge's scores: a monotone curve, position and length biases, fitted to labelled sets."""
