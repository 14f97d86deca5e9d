"""The ways to hand a message to the outside, behind one seam."""
