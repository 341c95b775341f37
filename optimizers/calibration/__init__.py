"""What a judge's scores are corrected by: a monotone curve, position and length biases, fitted to labelled sets."""
