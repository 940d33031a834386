"""Proof: finalists from fresh seeds, a verdict, a winner tested once, and what stopping early cost."""
