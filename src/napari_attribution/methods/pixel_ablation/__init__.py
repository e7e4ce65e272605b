"""Pixel Ablation-CAM's ways to the drop at every location: from one backward pass to one head run each."""
