"""Around a fit: predictions, pointwise likelihood, comparison, sensitivity, calibration."""
