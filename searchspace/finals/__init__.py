"""The finals: finalists from fresh seeds, their comparison, the winner and its one test, and the stop audit."""
