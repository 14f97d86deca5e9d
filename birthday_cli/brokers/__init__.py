"""The carriers of references, behind one seam."""
