"""From a photo to aligned faces: detectors, landmarks, alignment, criteria."""
