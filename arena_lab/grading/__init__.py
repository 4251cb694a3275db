"""Grade a folder of submissions: collect, run each shut in, keep what came of it, report."""
